"""A fit cut off anywhere, and gone on with, comes to the very state of one that never was."""

import signal
from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
import pytest

from pipeline.data.augmentation import complete
from pipeline.errors import Interrupted
from pipeline.fit import session
from pipeline.fit.checkpoints import Checkpoints
from pipeline.fit.loop import Fitted, Task, fit
from pipeline.guard import terminable
from pipeline.settings import CHECKPOINTS, Train
from pipeline.stop import STOP

EPOCHS, BATCHES = 3, 3
SETTINGS = {"epochs": EPOCHS, "batch": 32, "learning_rate": 0.01, "warmup_epochs": 0.5}


class CutOff(BaseException):
    """Stands for a pulled plug: nothing may catch it."""


def pull_the_plug():
    raise CutOff


def do_at(epoch, batch, what=pull_the_plug):
    """Make a callback that does something before one batch of one epoch."""

    class At(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_begin(self, number, logs=None):
            if (self.epoch, number) == (epoch, batch):
                what()

    return At()


NEVER = (-1, -1)


def dropping():
    """A small network with all that remembers: dropout, batch normalization."""
    layers = keras.layers
    images = layers.Input((8, 8, 1), name="images")
    x = layers.Rescaling(1 / 255)(images)
    x = layers.Conv2D(4, 3, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dropout(0.3)(layers.Flatten()(layers.SpatialDropout2D(0.2)(x)))
    return keras.Model(images, layers.Dense(10, activation="softmax")(x))


@pytest.fixture(scope="module")
def small(task):
    """So few digits that an epoch is three batches, moved about."""
    images, labels = task.train
    few = (images[: BATCHES * 32], labels[: BATCHES * 32])
    return Task(few, task.validation, complete(["flip"]))


@dataclass(eq=False)
class Came:
    """What a fit came to: all numbers that decide how it would go on, and how it went."""

    state: list
    fitted: Fitted

    def is_as(self, other):
        pairs = zip(self.state, other.state, strict=True)
        same = self.fitted.history == other.fitted.history
        return same and all(np.array_equal(one, two) for one, two in pairs)

    @property
    def epochs(self):
        return len(self.fitted.history["loss"])


def run(task, out=None, at=NEVER, what=pull_the_plug, **settings):
    """One attempt at a fit."""
    session.begin(7)
    model = dropping()
    train = Train(**SETTINGS | settings, seed=3)
    fitted = fit(model, task, train, callbacks=[do_at(*at, what)], out=out)
    state = [*model.get_weights(), *(np.asarray(value) for value in model.optimizer.variables)]
    return Came(state, fitted)


def cut_off(task, out, at, **settings):
    with pytest.raises(CutOff):
        run(task, out, at, **settings)


@pytest.fixture(scope="module")
def undisturbed(small):
    """What an undisturbed fit of some settings comes to; each is run once."""
    return cache(lambda **settings: run(small, **settings))


VARIED = {
    "all at once": {"ema": 0.9, "schedule": {"plateau": {"patience": 1}}, "weight_decay": 0.01},
    "patience": {"patience": 1, "learning_rate": 1e-9},
    "phases": {"frozen_epochs": 2},
    "together": {"steps_per_execution": 3, "optimizer": "nesterov"},
    "muon": {"optimizer": "muon", "ema": 0.9},
}
SLOWER = {"together", "muon", "patience", "phases"}


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(settings, id=name, marks=pytest.mark.slow if name in SLOWER else ())
        for name, settings in VARIED.items()
    ],
)
def test_a_fit_cut_off_again_and_again_comes_to_the_same_state(settings, small, tmp_path):
    whole = run(small, **settings)
    for epoch in range(1, whole.epochs):
        cut_off(
            small, tmp_path, (epoch, 1 if "steps_per_execution" not in settings else 0), **settings
        )
    again = run(small, tmp_path, **settings)
    assert again.is_as(whole)
    assert again.fitted.best_epoch == whole.fitted.best_epoch
    assert again.fitted.resumed_from_epoch == whole.epochs - 1
    assert whole.fitted.resumed_from_epoch is None


def test_a_fit_that_was_whole_is_not_done_again(small, tmp_path):
    first = run(small, tmp_path)
    again = run(small, tmp_path, (EPOCHS - 1, 0))  # which it does not come to
    assert again.is_as(first)
    assert again.fitted.resumed_from_epoch == EPOCHS


@pytest.mark.slow
def test_from_a_damaged_checkpoint_it_goes_on_from_the_one_before(small, tmp_path, undisturbed):
    cut_off(small, tmp_path, (2, 1))
    (newest,) = (tmp_path / CHECKPOINTS).glob("epoch-00002-00000-*.npz")
    newest.write_bytes(b"")
    again = run(small, tmp_path)
    assert again.is_as(undisturbed())
    assert again.fitted.resumed_from_epoch == 1


@pytest.fixture
def signals():
    """Take both signals as a run does."""
    with terminable():
        yield


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, Interrupted), (signal.SIGINT, KeyboardInterrupt)]
)
@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize(
    ("place", "saved"),
    [
        pytest.param((0, 1), (0, 2), marks=pytest.mark.slow),
        ((1, 0), (1, 1)),
        pytest.param((1, 2), (2, 0), marks=pytest.mark.slow),
    ],
)
def test_a_signal_lets_the_batch_end_and_the_fit_goes_on_from_there(
    place, saved, number, error, small, tmp_path, undisturbed
):
    with pytest.raises(error):
        run(small, tmp_path, place, lambda: signal.raise_signal(number))
    found = Checkpoints(tmp_path / CHECKPOINTS).newest()
    assert (found.epoch, found.step) == saved
    STOP.asked = None
    again = run(small, tmp_path)
    assert again.is_as(undisturbed())
    assert again.fitted.resumed_from_epoch == saved[0]


def test_a_second_signal_does_not_wait(small, tmp_path, signals):
    def twice():
        signal.raise_signal(signal.SIGINT)
        assert STOP.asked is KeyboardInterrupt, "and the batch goes on"
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(small, tmp_path, (0, 1), twice)
    assert Checkpoints(tmp_path / CHECKPOINTS).newest() is None
