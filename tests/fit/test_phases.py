"""A backbone frozen, then fine-tuned: one fit in two phases."""

import keras
import numpy as np
import pytest

from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.fit import session
from pipeline.fit.layers import only_the_last
from pipeline.fit.loop import fit
from pipeline.settings import Train

SETTINGS = {"batch": 32, "learning_rate": 0.01, "warmup_epochs": 0.5}
WEIGHTS = ("dense/kernel", "batch_normalization/moving_mean", "dense_1/kernel")


class Watch(keras.callbacks.Callback):
    """Notes each epoch's number and weights, each step's learning rate, and what a fit began."""

    def __init__(self):
        super().__init__()
        self.epochs, self.rates, self.weights, self.begun = [], [], [], []

    def on_train_begin(self, logs=None):
        self.begun.append(self.model.get_weights())

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        self.weights.append({weight.path: weight.numpy() for weight in self.model.weights})


def fitted(task, network, **settings):
    session.begin(0)
    model, watch = network(keras), Watch()
    done = fit(model, task, Train(**SETTINGS | settings), callbacks=[watch])
    return model, done, watch


def test_the_output_layer_learns_alone_and_then_everything(task, network):
    model, done, watch = fitted(task, network, epochs=5, frozen_epochs=2)
    assert watch.epochs == [0, 1, 2, 3, 4]
    assert {len(values) for values in done.history.values()} == {5}
    assert done.history["frozen"] == [1, 1, 0, 0, 0]
    session.begin(0)
    start = {weight.path: weight.numpy() for weight in network(keras).weights}
    for path in WEIGHTS:
        moved = [not np.array_equal(epoch[path], start[path]) for epoch in watch.weights]
        assert moved == ([True] * 5 if path.startswith("dense_1") else [False] * 2 + [True] * 3)
    assert all(layer.trainable for layer in model.layers)


def test_each_phase_has_its_own_warm_up_and_schedule_the_second_lower(task, network):
    _, _, watch = fitted(task, network, epochs=5, frozen_epochs=2, fine_tune_rate=0.2)
    first, second = np.split(np.array(watch.rates), [2 * 12])
    for rates, highest in ((first, 0.01), (second, 0.002)):
        assert rates.argmax() == 5  # half an epoch of 12 steps
        assert rates.max() == pytest.approx(highest, rel=0.01)
        assert rates[0] < highest / 3
        assert rates[-1] < highest / 50


def test_the_second_phase_goes_on_from_the_best_of_the_first_and_the_best_of_both_is_kept(
    task, network
):
    _, done, watch = fitted(task, network, epochs=6, frozen_epochs=3, fine_tune_rate=1e-9)
    first = int(np.argmax(done.history["val_accuracy"][:3]))
    best = list(watch.weights[first].values())
    assert all(np.array_equal(a, b) for a, b in zip(watch.begun[1], best, strict=True))
    assert done.best["val_accuracy"] == max(done.history["val_accuracy"])


def test_order_of_pictures_goes_on_in_the_second_phase(task, network, monkeypatch):
    begun = []
    batches = "pipeline.fit.loop.training_batches"
    from pipeline.data.batches import training_batches

    monkeypatch.setattr(
        batches,
        lambda *given, **named: begun.append(given[-1]) or training_batches(*given, **named),
    )
    fitted(task, network, epochs=3, frozen_epochs=1, warmup_epochs=0.0)
    assert begun == [0, task.steps_per_epoch(Train(**SETTINGS))]


@pytest.mark.slow
def test_patience_ends_a_phase_and_not_the_fit(task, network):
    _, done, _ = fitted(
        task,
        network,
        epochs=20,
        frozen_epochs=10,
        patience=2,
        learning_rate=1e-9,
        fine_tune_rate=1.0,
    )
    thawed = done.history["frozen"].index(0)
    assert 2 < thawed < 10
    assert 2 < len(done.history["frozen"]) - thawed < 10
    assert done.best_epoch < len(done.history["loss"])


def test_what_was_made_not_to_learn_stays_so(network):
    model = network(keras)
    norm = next(x for x in model.layers if isinstance(x, keras.layers.BatchNormalization))
    norm.trainable = False
    with only_the_last(model):
        assert [layer.name for layer in model.layers if layer.trainable and layer.weights] == [
            model.layers[-1].name
        ]
    assert [layer for layer in model.layers if not layer.trainable] == [norm]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"frozen_epochs": 3, "epochs": 3}, "leaves none to train the whole network"),
        ({"frozen_epochs": 1, "epochs": 5}, "warmup_epochs 1 is for each phase"),
        ({"frozen_epochs": 2, "epochs": 6}, "lenet5 has no weights learned before"),
    ],
)
def test_phases_that_cannot_be_are_refused(said, why):
    with pytest.raises(ConfigError, match=why):
        Config.of({"name": "test", "build": {"model": "lenet5"}, "train": said})


@pytest.mark.parametrize(("weights", "refused"), [("none", True), ("imagenet", False)])
def test_only_weights_learned_before_can_be_frozen(weights, refused):
    recipe = {
        "name": "test",
        "build": {"model": "backbone", "weights": weights},
        "train": {"frozen_epochs": 2, "epochs": 6, "learning_rate": 0.01},
    }
    if refused:
        with pytest.raises(ConfigError, match="backbone has no weights learned before"):
            Config.of(recipe)
        return
    steps = Config.of(recipe | {"variants": ["prune+int8"]}).resolve()
    assert steps["train"][1].phases()[1].learning_rate == pytest.approx(0.001)
    pruning = steps["prune(prune)"][1]
    assert [phase.frozen for phase in pruning.phases()] == [False]
    assert pruning.learning_rate == pytest.approx(0.001)  # what the whole network was trained at
