"""A pruning cut off anywhere, and gone on with, comes to the very state of one that never was."""

import os
import signal
from functools import cache

import keras
import numpy as np
import pytest

from pipeline.compress import legacy
from pipeline.compress.legacy import tf_keras
from pipeline.compress.legacy.door import tfmot
from pipeline.errors import Interrupted, TrainingError
from pipeline.fit import checkpoints as room
from pipeline.fit import session
from pipeline.fit.callbacks import make
from pipeline.fit.checkpoints import Checkpoints
from pipeline.fit.loop import fit
from pipeline.guard import terminable
from pipeline.settings import CHECKPOINTS, LOGS, Prune
from pipeline.stop import STOP
from tests.fit import alone, pruned
from tests.fit.pruned import BATCHES, EPOCHS
from tests.fit.test_checkpoints import DiskFull

NEVER = (-1, -1)


class CutOff(BaseException):
    """Stands for a pulled plug: nothing may catch it."""


def pull_the_plug():
    raise CutOff


class Places:
    """Tells each place a fit comes to: (epoch, batch), and (epoch, BATCHES) at the epoch's end."""

    def __init__(self, tell):
        super().__init__()
        self.tell = tell

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, number, logs=None):
        self.tell((self.epoch, number))

    def on_epoch_end(self, epoch, logs=None):
        self.tell((epoch, BATCHES))


def run(out=None, at=NEVER, what=pull_the_plug, **settings):
    """One attempt at a pruning, in which something happens at one place."""

    def tell(place):
        if place == at:
            what()

    return pruned.run(out, lambda api: [make(Places, api, tell)], **settings)


def cut_off(out, at, **settings):
    with pytest.raises(CutOff):
        run(out, at, **settings)


@pytest.fixture(scope="module")
def undisturbed():
    """What an undisturbed pruning of some settings comes to; each is run once."""
    return cache(run)


VARIED = {
    "adam": {"clip_norm": 1.0, "schedule": {"plateau": {"patience": 1}}, "weight_decay": 0.01},
    "muon": {"optimizer": "muon"},
    "nesterov": {"optimizer": "nesterov", "ramp": "constant", "patience": 3},
}


@pytest.mark.slow
@pytest.mark.parametrize("settings", VARIED.values(), ids=VARIED)
def test_a_pruning_cut_off_again_and_again_comes_to_the_same_state(settings, tmp_path):
    whole = run(**settings)
    for place in ((1, 1), (EPOCHS - 1, BATCHES)):  # on the ramp, and after it
        cut_off(tmp_path, place, **settings)
    again = run(tmp_path, **settings)
    assert again.is_as(whole)
    assert again.fitted.resumed_from_epoch == EPOCHS - 1
    assert whole.fitted.resumed_from_epoch is None
    assert {round(layer.sparsity, 1) for layer in again.layers} == {0.8}
    assert (tmp_path / LOGS / "history.csv").is_file()


@pytest.mark.slow
def test_a_pruning_that_was_whole_is_not_done_again(tmp_path, undisturbed):
    run(tmp_path)
    again = run(tmp_path, (EPOCHS - 1, 0))  # which it does not come to
    assert again.is_as(undisturbed())
    assert again.fitted.resumed_from_epoch == EPOCHS


@pytest.fixture
def signals():
    """Take both signals as a run does."""
    with terminable():
        yield


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize(
    ("number", "error", "place", "saved"),
    [
        (signal.SIGTERM, Interrupted, (1, 1), (1, 2)),
        pytest.param(*(signal.SIGINT, KeyboardInterrupt, (0, 0), (0, 1)), marks=pytest.mark.slow),
        pytest.param(
            *(signal.SIGTERM, Interrupted, (2, BATCHES - 1), (3, 0)), marks=pytest.mark.slow
        ),
    ],
)
def test_a_signal_lets_the_batch_end_and_pruning_goes_on_from_there(
    number, error, place, saved, tmp_path, undisturbed
):
    with pytest.raises(error):
        run(tmp_path, place, lambda: signal.raise_signal(number))
    found = Checkpoints(tmp_path / CHECKPOINTS).newest()
    assert (found.epoch, found.step) == saved
    STOP.asked = None
    again = run(tmp_path)
    assert again.is_as(undisturbed())
    assert again.fitted.resumed_from_epoch == saved[0]


def clustered(twin):
    return tfmot.clustering.keras.cluster_weights(
        twin,
        number_of_clusters=6,
        cluster_centroids_init=tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS,
    )


def fit_wrapped(wrap, out=None, at=NEVER):
    """Fit a mirror that tfmot has wrapped; return its history and all numbers it came to."""
    session.begin(7)
    tf_keras.backend.clear_session()
    network = alone.network()  # but for its rescaling, which tfmot does not quantize
    pixels = keras.Input((8, 8, 1))
    x = pixels
    for layer in network.layers[2:]:
        x = layer(x)
    model = wrap(legacy.mirror(keras.Model(pixels, x)))

    def tell(place):
        if place == at:
            signal.raise_signal(signal.SIGTERM)

    places = [make(Places, tf_keras, tell)]
    settings = Prune(**pruned.SETTINGS, seed=3)
    done = fit(model, pruned.task(), settings, api=tf_keras, callbacks=places, out=out)
    return done, [np.asarray(x) for x in [*model.weights, *model.optimizer.variables]]


@pytest.mark.slow
@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("wrap", [clustered, tfmot.quantization.keras.quantize_model])
def test_whatever_tfmot_has_wrapped_goes_on_from_the_middle_of_an_epoch(wrap, tmp_path):
    whole, wanted = fit_wrapped(wrap)
    with pytest.raises(Interrupted):
        fit_wrapped(wrap, tmp_path, (2, 1))
    STOP.asked = None
    again, state = fit_wrapped(wrap, tmp_path)
    assert (whole.resumed_from_epoch, again.resumed_from_epoch) == (None, 2)
    assert again.history == whole.history
    assert all(np.array_equal(one, two) for one, two in zip(state, wanted, strict=True))


@pytest.mark.slow
def test_a_disk_that_fills_up_leaves_the_last_checkpoint_to_go_on_from(
    tmp_path, undisturbed, monkeypatch
):
    with monkeypatch.context() as broken:
        broken.setattr(room.os, "fsync", DiskFull(os.fsync, 2 * 2))  # at the third: two syncs each
        with pytest.raises(OSError, match="No space left"):
            run(tmp_path)
    again = run(tmp_path)
    assert again.is_as(undisturbed())
    assert again.fitted.resumed_from_epoch == 2


def test_a_loss_that_is_no_number_is_said_as_ever_and_no_mirror_is_left(tmp_path):
    def spoil():
        raise TrainingError("the loss is nan")

    with pytest.raises(TrainingError, match=r"the loss is nan$"):
        run(tmp_path, (EPOCHS - 1, 1), spoil)
    assert np.all([path.name.startswith("epoch-") for path in (tmp_path / CHECKPOINTS).iterdir()])
