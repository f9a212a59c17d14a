"""A small pruning on digits, with all that remembers something; also in a process of its own."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from sklearn.datasets import load_digits

from pipeline.compress.legacy.pruning import prune
from pipeline.compress.schedule import Ramp
from pipeline.data.augmentation import complete
from pipeline.fit import session
from pipeline.fit.loop import Fitted, Task, fit
from pipeline.settings import Prune
from tests.fit import alone

EPOCHS, BATCHES, BATCH = 4, 4, 32
SETTINGS = {"epochs": EPOCHS, "batch": BATCH, "learning_rate": 0.01, "end": 0.6}


@dataclass(eq=False)
class Came:
    """What a pruning came to: all numbers that decide how it would go on, and how it went.

    `state` holds the network that came of it, then weights, masks, thresholds and steps of its
    wrapped mirror, and the optimizer's variables.
    """

    state: list
    layers: tuple
    fitted: Fitted

    def is_as(self, other):
        pairs = zip(self.state, other.state, strict=True)
        same = (self.fitted.history, self.fitted.best_epoch, self.layers)
        return same == (other.fitted.history, other.fitted.best_epoch, other.layers) and all(
            np.array_equal(one, two) for one, two in pairs
        )


@cache
def task():
    """So few digits that an epoch is four batches, the last of them smaller, moved about."""
    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int64)
    few, others = slice(BATCHES * BATCH - 5), slice(200, 400)
    return Task((images[few], labels[few]), (images[others], labels[others]), complete(["flip"]))


def run(out=None, callbacks=lambda api: [], **said):
    """Prune, or go on with it; `callbacks` makes further ones for the API that trains."""
    session.begin(7)
    settings = Prune(**SETTINGS | said, seed=3)
    ramp = Ramp.over(settings.epochs * BATCHES, kind=settings.ramp, end=settings.end)
    came = Came([], (), None)

    def tune(model, *, api, callbacks):
        came.fitted = fit(
            model,
            task(),
            settings,
            api=api,
            callbacks=[*callbacks, *further(api)],
            first_best=ramp.first_full_epoch(BATCHES),
            out=out,
        )
        came.state = [np.asarray(x) for x in [*model.weights, *model.optimizer.variables]]

    further = callbacks
    found = prune(alone.network(), tune, ramp, task().validation[0][:32].astype(np.float32))
    came.state = [*found.model.get_weights(), *came.state]
    came.layers = found.layers
    return came


def alone_in_a_process(out):
    """Prune for longer, or go on with it, and write all numbers that it came to."""
    came = run(out, epochs=alone.EPOCHS)
    facts = {
        "history": came.fitted.history,
        "best": came.fitted.best_epoch,
        "from": came.fitted.resumed_from_epoch,
    }
    alone.write(out, came.state, facts)
