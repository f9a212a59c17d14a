from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.compress.legacy import mirror
from pipeline.data.batches import plain_batches
from pipeline.fit import session
from pipeline.fit.loop import fit
from pipeline.fit.losses import loss, smoothed
from pipeline.settings import Prune, Train
from tests.marks import slow_but

APIS = pytest.mark.parametrize("api", [keras, tf_keras])
LOSSES = ("cross_entropy", "binary_cross_entropy", "focal", "mse", "smooth_l1")
P = np.array([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]], np.float32)  # probabilities
T = np.array([[1, 0, 0], [0, 1, 0]], np.float32)  # targets
RIGHT = np.array([0.7, 0.25])
FORMULAS = [
    ("cross_entropy", -np.log(RIGHT)),
    ("binary_cross_entropy", -(T * np.log(P) + (1 - T) * np.log(1 - P)).mean(axis=1)),
    ("focal", -0.25 * (1 - RIGHT) ** 2 * np.log(RIGHT)),
    ({"focal": {"gamma": 0.0, "alpha": 1.0}}, -np.log(RIGHT)),
    ({"focal": {"gamma": 1.0, "alpha": 0.5}}, -0.5 * (1 - RIGHT) * np.log(RIGHT)),
    ("mse", ((P - T) ** 2).mean(axis=1)),
    ("smooth_l1", (0.5 * (P - T) ** 2).mean(axis=1)),
    (
        {"smooth_l1": {"delta": 0.4}},
        np.where(abs(P - T) < 0.4, 0.5 * (P - T) ** 2, 0.4 * abs(P - T) - 0.08).mean(axis=1),
    ),
]
STILL = {
    "epochs": 1,
    "warmup_epochs": 0.0,
    "optimizer": {"sgd": {"momentum": 0.0}},
    "learning_rate": 1e-12,
    "batch": 384,
}


def fitted(task, network, api, **settings):
    session.begin(0)
    model = network(keras)
    model = model if api is keras else mirror(model)
    return model, fit(model, task, Train(**settings), api=api)


@APIS
@pytest.mark.parametrize(("said", "of_each"), FORMULAS, ids=str)
def test_a_loss_is_its_formula_in_the_mean_over_pictures(said, of_each, api):
    made = loss(Train(loss=said), api)
    assert float(made(T, P)) == pytest.approx(of_each.mean(), rel=1e-5)
    weights = np.array([3.0, 0.5], np.float32)  # as of classes
    assert float(made(T, P, weights)) == pytest.approx((weights * of_each).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "api"),
    slow_but(
        [("cross_entropy", keras), ("focal", tf_keras)],
        [*((name, keras) for name in LOSSES), ("focal", tf_keras)],
    ),
)
def test_digits_are_learned_with_every_loss(name, api, task, network):
    _, done = fitted(task, network, api, loss=name, epochs=4, batch=32, learning_rate=0.01)
    assert done.history["val_loss"][-1] < done.history["val_loss"][0]
    assert done.best["val_accuracy"] > 0.7


@pytest.mark.parametrize("api", slow_but([tf_keras], [keras, tf_keras]))
def test_classes_weigh_in_training_whatever_the_loss(api, task, network):
    kept = np.flatnonzero((task.train[1] != 8) | (np.arange(384) < 60))
    fewer = replace(task, train=(task.train[0][kept], task.train[1][kept]))
    _, plain = fitted(fewer, network, api, **STILL, loss="focal")
    _, weighted = fitted(fewer, network, api, **STILL, loss="focal", class_weights="balanced")
    assert weighted.history["loss"][0] != pytest.approx(plain.history["loss"][0], rel=1e-3)
    assert weighted.history["val_loss"] == pytest.approx(plain.history["val_loss"], rel=1e-4)


def test_smoothing_spreads_a_share_of_each_target_over_all_classes(task):
    plain = plain_batches(task.validation, 100, classes=10)
    for (images, targets), (same, spread) in zip(plain, smoothed(plain, 0.2), strict=True):
        assert np.array_equal(images, same)
        assert spread.dtype == tf.float32
        assert spread.numpy().sum(axis=1) == pytest.approx(1)
        assert spread.numpy() == pytest.approx(np.where(targets == 1, 0.82, 0.02))
    assert smoothed(plain, 0.0) is plain


@pytest.mark.parametrize("api", slow_but([keras], [keras, tf_keras]))
def test_training_is_smoothed_and_validation_is_not(api, task, network):
    model, plain = fitted(task, network, api, **STILL)
    _, smooth = fitted(task, network, api, **STILL, label_smoothing=0.3)
    assert smooth.history["val_loss"] == pytest.approx(plain.history["val_loss"], rel=1e-5)
    assert smooth.history["accuracy"] == plain.history["accuracy"]
    images, labels = task.train
    probabilities = model(images.astype(np.float32), training=True).numpy()
    targets = 0.7 * np.eye(10)[labels] + 0.03
    expected = -(targets * np.log(probabilities)).sum(axis=1).mean()
    assert smooth.history["loss"][0] == pytest.approx(expected, rel=1e-3)


def test_smoothing_and_weights_of_classes_go_together(task, network):
    settings = {"epochs": 4, "batch": 32, "learning_rate": 0.01, "class_weights": "balanced"}
    _, done = fitted(task, network, keras, **settings, label_smoothing=0.1)
    assert done.best["val_accuracy"] > 0.7


def test_prune_takes_loss_and_smoothing_from_train():
    train = Train(loss={"focal": {"gamma": 1.0}}, label_smoothing=0.1, clip_norm=1.0)
    pruning = Prune().inherit(train)
    assert (pruning.loss, pruning.label_smoothing, pruning.clip_norm) == (train.loss, 0.1, 1.0)
    assert Prune(loss="mse").inherit(train).loss.name == "mse"
