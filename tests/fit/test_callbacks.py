import io
import math
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tf_keras
from rich.console import Console
from rich.progress import Progress

from pipeline.errors import TrainingError
from pipeline.fit import callbacks, loop
from pipeline.fit.callbacks import BestWeights, ShowProgress, make
from pipeline.fit.files import load_model
from pipeline.settings import Train
from tests.keras_accuracy import accuracy

NAN = math.nan


class Recorder:
    """Stands in for a model: its weights are the number of the epoch it is in."""

    def __init__(self):
        self.weights = [None]
        self.stop_training = False

    def get_weights(self):
        return list(self.weights)

    def set_weights(self, weights):
        self.weights = weights


def epochs_of(best, scores):
    """Run a callback through epochs of (val_accuracy, val_loss); epochs run, and the model."""
    best.model = model = Recorder()
    for epoch, (right, loss) in enumerate(scores):
        model.weights = [epoch]
        best.on_epoch_end(epoch, {"val_accuracy": right, "val_loss": loss})
        if model.stop_training:
            break
    best.on_train_end()
    return epoch + 1, model


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([(0.5, 1.0), (0.9, 0.8), (0.7, 0.1)], 1),
        ([(0.9, 0.8), (0.9, 0.5), (0.9, 0.6)], 1),  # among equals the lowest loss
        ([(0.9, 0.5), (0.9, 0.5)], 0),  # then the earliest
        ([(0.8, 0.1), (0.9, 9.9)], 1),  # accuracy comes first
        ([(0.5, NAN), (0.5, 1.0)], 1),
        ([(0.5, 1.0), (0.5, NAN)], 0),
    ],
)
def test_the_best_epoch_has_the_highest_accuracy_and_then_the_lowest_loss(scores, best):
    callback = BestWeights()
    _, model = epochs_of(callback, scores)
    assert callback.epoch == best
    assert model.weights == [best]


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        ([(0.90, 0.5), (0.95, 0.4), (0.945, 0.6)], 2),  # 0.0069 is one standard error of 0.95
        ([(0.90, 0.5), (0.95, 0.4), (0.942, 0.3)], 1),
        ([(0.945, 0.5), (0.95, 0.4), (0.942, 0.3), (0.944, 0.3)], 3),
        ([(0.941, 0.5), (0.95, 0.4), (0.93, 0.3)], 1),
        ([(0.95, 0.5), (0.945, 0.4), (0.94, 0.3), (0.935, 0.2)], 1),  # from the best, not the last
        ([(1.0, 0.5), (0.999, 0.4), (1.0, 0.6)], 2),
        ([(0.95, 0.5), (0.95, NAN)], 0),
    ],
)
def test_of_a_tuning_the_last_epoch_counts_that_validation_cannot_tell_from_the_best(scores, kept):
    callback = BestWeights(judges=1000)
    _, model = epochs_of(callback, scores)
    assert callback.epoch == kept
    assert model.weights == [kept]
    assert callback.score[0] == max(right for right, _ in scores)


def test_patience_asks_for_better_ones_where_the_last_of_equals_is_kept():
    scores = [(0.95, 0.5), *[(0.949, 0.5)] * 9]
    callback = BestWeights(patience=3, judges=1000)
    assert epochs_of(callback, scores)[0] == 1 + 3
    assert callback.epoch == 3


def test_epochs_before_the_first_that_counts_are_not_kept():
    callback = BestWeights(first=2)
    _, model = epochs_of(callback, [(0.99, 0.1), (0.98, 0.1), (0.7, 0.9), (0.6, 0.9)])
    assert callback.epoch == 2
    assert model.weights == [2]


def test_a_fit_that_ends_before_any_epoch_counts_keeps_its_last_weights():
    callback = BestWeights(first=5)
    _, model = epochs_of(callback, [(0.9, 0.1), (0.8, 0.1)])
    assert callback.epoch is None
    assert model.weights == [1]


def test_patience_counts_epochs_since_the_best_one():
    scores = [(0.5, 1), (0.6, 1), (0.6, 1), (0.5, 1), (0.9, 1), *[(0.8, 1)] * 9]
    assert epochs_of(BestWeights(patience=3), scores)[0] == 4 + 3 + 1
    assert epochs_of(BestWeights(patience=2), scores)[0] == 1 + 2 + 1
    assert epochs_of(BestWeights(), scores)[0] == len(scores)


def test_patience_waits_for_the_first_epoch_that_counts():
    falling = [(0.9 - 0.01 * n, 1) for n in range(20)]
    assert epochs_of(BestWeights(first=6, patience=2), falling)[0] == 6 + 2 + 1


@pytest.mark.parametrize("api", [keras, tf_keras])
def test_callbacks_are_of_the_api_they_are_made_for(api):
    callback = make(BestWeights, api, 3, 4)
    assert isinstance(callback, api.callbacks.Callback)
    assert isinstance(callback, BestWeights)
    assert (callback.first, callback.patience) == (3, 4)


DIVERGING = {"optimizer": "sgd", "schedule": "constant", "learning_rate": 1e25, "epochs": 4}


@pytest.mark.parametrize("api", [keras, tf_keras])
def test_a_fit_that_diverges_says_in_which_epoch_and_at_which_rate(api, task, network):
    settings = Train(**DIVERGING, warmup_epochs=0.0)
    with pytest.raises(TrainingError, match=r"epoch 1 at learning rate 1e\+25;") as caught:
        loop.fit(network(api), task, settings, api=api)
    assert "lower learning_rate" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_epoch_and_rate_named_are_those_of_the_step_that_diverged(task, network):
    class Explode(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.layers[-1].bias.assign([NAN] * 10)

    settings = Train(epochs=4, warmup_epochs=0.0, learning_rate=0.01, batch=384)
    half = 0.01 * (1 + math.cos(math.pi * 3 / 4)) / 2  # three of the four steps are done
    with pytest.raises(TrainingError, match=rf"nan in epoch 3 at learning rate {half:.3g};"):
        loop.fit(network(keras), task, settings, callbacks=[Explode()])


def test_the_best_weights_before_a_fit_diverged_are_kept_and_the_error_says_where(
    task, network, tmp_path
):
    class Explode(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.before = self.model.get_weights()
                self.model.layers[-1].bias.assign([NAN] * 10)

    explode = Explode()
    settings = Train(epochs=4, warmup_epochs=0.0, learning_rate=0.01, batch=384)
    with pytest.raises(TrainingError) as caught:
        loop.fit(network(keras), task, settings, callbacks=[explode], out=tmp_path)
    found = re.search(
        r"the best so far, epoch (\d) with ([\d.]+) .*kept as (.*)$", str(caught.value)
    )
    kept = load_model(Path(found[3]))
    assert found[1] in {"1", "2"}
    assert accuracy(kept, task.validation) == pytest.approx(float(found[2]), abs=1e-4)
    if found[1] == "2":
        for one, other in zip(kept.get_weights(), explode.before, strict=True):
            assert np.array_equal(one, other)


def test_a_batch_larger_than_the_split_is_all_of_it_and_said(shorter, network, capsys):
    settings = Train(epochs=1, warmup_epochs=0.0, batch=500)
    model = network(keras)
    loop.fit(model, shorter(100), settings)
    assert model.optimizer.iterations == 1
    assert "train.batch: 500 of 100 pictures: all are one batch" in capsys.readouterr().err


@pytest.mark.parametrize("rate", [0.01, 1e25])
def test_the_bar_is_gone_after_a_fit_whether_it_ended_well_or_not(rate, task, network, monkeypatch):
    screen = io.StringIO()
    shown = Progress(console=Console(file=screen, force_terminal=True))
    monkeypatch.setattr(loop, "bar", lambda: shown)
    settings = Train(**DIVERGING | {"learning_rate": rate, "epochs": 1}, warmup_epochs=0.0)
    try:
        loop.fit(network(keras), task, settings)
    except TrainingError:
        assert rate > 1
    assert "training" in screen.getvalue()
    assert not shown.live.is_started


@pytest.mark.parametrize("together", [1, 5], ids=lambda steps: f"{steps} steps a call")
def test_the_rate_is_that_of_training_without_tracing_and_what_lies_between_epochs(
    monkeypatch, together
):
    """Epochs of 10 steps and 1,000 pictures in 0.1 s: 10,000 a second, whatever comes between."""
    clock = 0.0
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: clock)
    shown = Progress(console=Console(file=io.StringIO()))
    progress = make(ShowProgress, keras, shown, 8, 1_000, "training", make(BestWeights, keras))
    progress.set_params({"steps": 10})
    for epoch in range(2, 8):  # a fit gone on with
        progress.on_epoch_begin(epoch)
        for batch in range(together - 1, 10, together):
            first = epoch == 2 and batch == together - 1
            clock += 30 if first else 0.01 * together
            progress.on_train_batch_end(batch, {"loss": 1.0})
        clock += 7  # validation, a checkpoint
        progress.on_epoch_end(epoch, {"loss": 1.0, "val_accuracy": 0.5})
    assert shown.tasks[0].fields["note"].startswith("10,000 pictures/s")
    assert shown.tasks[0].completed == 8
