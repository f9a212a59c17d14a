"""A fit cut off anywhere, and gone on with, comes to the very state of one that never was."""

import signal
from dataclasses import replace

import keras
import numpy as np
import pytest

from pipeline.data.augmentation import complete
from pipeline.errors import Interrupted
from pipeline.fit import session
from pipeline.fit.checkpoints import Checkpoints
from pipeline.fit.loop import fit
from pipeline.settings import Train
from pipeline.stop import STOP

EPOCHS, BATCHES = 4, 3
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


@pytest.fixture
def small(shorter):
    return replace(
        shorter(BATCHES * 32),
        policy=complete(["flip", {"translate": {"height_factor": 0.2, "width_factor": 0.2}}]),
    )


def run(task, out=None, at=NEVER, what=pull_the_plug, **settings):
    """One attempt: the state it came to, and how the fit went."""
    session.begin(7)
    model = dropping()
    train = Train(**SETTINGS | settings, seed=3)
    done = fit(model, task, train, callbacks=[do_at(*at, what)], out=out)
    weights = model.get_weights()
    return [*weights, *(np.asarray(value) for value in model.optimizer.variables)], done


def same(one, other):
    return len(one) == len(other) and all(
        np.array_equal(a, b) for a, b in zip(one, other, strict=True)
    )


def cut_off(task, out, epoch, batch, **settings):
    with pytest.raises(CutOff):
        run(task, out, (epoch, batch), **settings)


VARIED = {
    "adam": {},
    "nesterov": {"optimizer": "nesterov", "weight_decay": 0.01},
    "patience": {"patience": 1, "learning_rate": 1e-9},
    "phases": {"frozen_epochs": 2},
    "together": {"steps_per_execution": 3},
}


@pytest.mark.parametrize("settings", VARIED.values(), ids=VARIED)
def test_a_fit_cut_off_in_every_epoch_goes_on_to_the_same_state(settings, small, tmp_path):
    undisturbed, expected = run(small, **settings)
    for epoch in range(len(expected.history["loss"])):
        cut_off(small, tmp_path, epoch, 0, **settings)
    state, done = run(small, tmp_path, **settings)
    assert same(state, undisturbed)
    assert done.history == expected.history
    assert done.best_epoch == expected.best_epoch
    assert done.resumed_from_epoch == len(expected.history["loss"]) - 1
    assert expected.resumed_from_epoch is None


def test_a_fit_that_was_whole_is_not_done_again(small, tmp_path):
    first, _ = run(small, tmp_path)
    again, done = run(small, tmp_path, (EPOCHS - 1, 0))
    assert same(first, again)
    assert done.resumed_from_epoch == EPOCHS
    assert len(done.history["loss"]) == EPOCHS


@pytest.fixture
def signals():
    """Take both signals as a run does."""
    from pipeline.guard import terminable

    with terminable():
        yield


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, Interrupted), (signal.SIGINT, KeyboardInterrupt)]
)
@pytest.mark.parametrize("place", [(0, 1), (2, 0), (2, 1), (2, 2)])
def test_a_signal_lets_the_batch_end_and_is_gone_on_from_there(
    place, number, error, small, tmp_path, signals
):
    undisturbed, expected = run(small)
    with pytest.raises(error):
        run(small, tmp_path, place, lambda: signal.raise_signal(number))
    found = Checkpoints(tmp_path / "checkpoints").newest()
    epoch, batch = place
    after = (epoch, batch + 1) if batch + 1 < BATCHES else (epoch + 1, 0)
    assert (found.epoch, found.step) == after
    STOP.asked = None
    state, done = run(small, tmp_path)
    assert same(state, undisturbed)
    assert done.history == expected.history
    assert done.resumed_from_epoch == after[0]
