"""Fitting where a picture may show several classes: losses, weights, smoothing, the best epoch."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.compress.legacy import mirror
from pipeline.data.batches import plain_batches, training_batches
from pipeline.data.operations.base import Batch, KeyedSeeds
from pipeline.data.operations.mixing import CutMix, MixUp
from pipeline.data.sources.digit_pages import DigitPages
from pipeline.errors import ConfigError
from pipeline.fit import session
from pipeline.fit.class_weights import class_weights, label_weights
from pipeline.fit.loop import Task, fit
from pipeline.fit.losses import loss, smoothed, weighted
from pipeline.fit.metrics import accuracy
from pipeline.measure import statistics
from pipeline.settings import THRESHOLD, Ingest, Train
from pipeline.show import label_sets
from tests.marks import slow_but

APIS = pytest.mark.parametrize("api", [keras, tf_keras])
P = np.array([[0.9, 0.4, 0.1], [0.25, 0.5, 0.6]], np.float32)
T = np.array([[1, 1, 0], [0, 0, 1]], np.float32)
ENTROPY = -(T * np.log(P) + (1 - T) * np.log(1 - P))
MISS = T * (1 - P) + (1 - T) * P
FORMULAS = [
    ("cross_entropy", ENTROPY),
    ("binary_cross_entropy", ENTROPY),
    ("focal", np.where(T > 0, 0.25, 0.75) * MISS**2 * ENTROPY),
    ({"focal": {"gamma": 1.0, "alpha": 0.5}}, 0.5 * MISS * ENTROPY),
    ("mse", (P - T) ** 2),
    ("smooth_l1", 0.5 * (P - T) ** 2),
]
WEIGHTS = np.array([[0.5, 1.0, 2.0], [3.0, 1.0, 0.25]], np.float32)


@pytest.fixture(scope="module")
def pages():
    """Pages of digits and the odd ones on each: a task of 500 to learn from, 150 to validate on."""
    said = Ingest(dataset="digit_pages", classes=("1", "3", "5", "7", "9"))
    found = list(DigitPages(said).catalog().pictures)
    images = np.stack([one.content for one in found])[..., None]
    labels = np.zeros((len(found), 5), np.uint8)
    for row, one in enumerate(found):
        labels[row, list(one.label)] = 1
    return Task((images[:500], labels[:500]), (images[500:650], labels[500:650]), [])


def network():
    layers = keras.layers
    images = layers.Input((20, 20, 1), name="images")
    x = layers.Rescaling(1 / 255)(images)
    for filters in (12, 24, 24):
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.MaxPooling2D(2)(x)
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(images, layers.Dense(5, activation="sigmoid")(x))


@APIS
@pytest.mark.parametrize(("said", "of_each"), FORMULAS, ids=str)
def test_a_loss_asks_of_each_class_by_itself(said, of_each, api):
    made = loss(Train(loss=said), api, several=True)
    assert float(made(T, P)) == pytest.approx(of_each.mean(), rel=1e-5)
    weighing = weighted(made, WEIGHTS)(tf.constant(T), tf.constant(P))
    expected = (of_each * np.where(T > 0, WEIGHTS[1], WEIGHTS[0])).mean(axis=1)
    assert weighing.numpy() == pytest.approx(expected, rel=1e-5)
    assert weighted(made, None) is made


def test_an_alpha_that_would_reward_mistakes_is_refused():
    with pytest.raises(ConfigError, match=r"focal\.alpha 1\.5 is not below 1"):
        loss(Train(loss={"focal": {"alpha": 1.5}}), keras, several=True)


def test_balanced_weights_make_presence_and_absence_of_each_class_weigh_alike(pages):
    labels = pages.train[1]
    absent, present = label_weights("balanced", labels)
    counts = labels.sum(axis=0)
    assert present * counts == pytest.approx(absent * (500 - counts))
    assert present * counts + absent * (500 - counts) == pytest.approx(500)
    assert label_weights("none", labels) is None
    assert class_weights("balanced", labels, 5) is None
    always = np.ones((4, 2), np.uint8)
    always[0, 1] = 0
    assert label_weights("balanced", always)[:, 0].tolist() == [1, 1], "there is nothing to weigh"


def test_smoothing_pulls_targets_to_a_half(pages):
    plain = plain_batches(pages.validation, 50, classes=5)
    for (_, targets), (_, spread) in zip(plain, smoothed(plain, 0.2, several=True), strict=True):
        assert spread.numpy() == pytest.approx(np.where(targets == 1, 0.9, 0.1))


def test_targets_are_the_labels_in_the_order_of_the_pictures(pages):
    images, labels = pages.train
    [(same, targets)] = plain_batches((images[:40], labels[:40]), 64, classes=5)
    assert np.array_equal(same, images[:40])
    assert np.array_equal(targets, labels[:40])
    assert targets.dtype == tf.float32
    batches = training_batches((images, labels), 50, 0, lambda batch, key: batch, classes=5)
    pairs = zip(images.astype(np.float32), labels, strict=True)
    known = {image.tobytes(): label for image, label in pairs}
    for pictures, targets in batches.take(10):
        for picture, target in zip(pictures.numpy(), targets.numpy(), strict=True):
            assert np.array_equal(known[picture.tobytes()], target)


@pytest.mark.parametrize("mix", [MixUp(1.0), CutMix(1.0)], ids=["mixup", "cutmix"])
def test_mixed_pictures_show_each_class_by_the_share_of_it(mix):
    labels = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 1, 1]], np.float32)
    flat = labels.sum(axis=1) * 10  # the picture's level says which one it is of
    images = np.broadcast_to(flat[:, None, None, None], (4, 8, 8, 1)).astype(np.float32)
    key = tf.constant([3, 0, 0], tf.int64)
    mixed = mix(Batch(tf.constant(images), tf.constant(labels), tf.range(4)), KeyedSeeds(key, 0))
    targets = mixed.targets.numpy()
    assert (targets.min() >= 0) & (targets.max() <= 1)
    # A level is ten times the labels of its picture, so the mean tells what a mixture adds up to.
    mass = mixed.images.numpy().mean(axis=(1, 2, 3)) / 10
    assert targets.sum(axis=1) == pytest.approx(mass, abs=1e-4)
    assert not np.array_equal(targets, labels)


@pytest.mark.parametrize("api", slow_but([tf_keras], [keras, tf_keras]))
def test_the_metric_called_accuracy_is_exact_match(api, pages):
    session.begin(0)
    model = network()
    model = model if api is keras else mirror(model)
    model.compile(loss=loss(Train(), api, several=True), metrics=[accuracy(several=True)])
    images, labels = pages.validation
    said = model.evaluate(plain_batches((images, labels), 64, classes=5), verbose=0)
    probabilities = model.predict(images.astype(np.float32), verbose=0)
    assert said[1] == pytest.approx(((probabilities >= 0.5) == labels).all(axis=1).mean(), abs=1e-6)
    assert "accuracy" in model.get_metrics_result() if api is keras else model.metrics_names


def test_every_room_means_the_same_threshold():
    assert THRESHOLD == statistics.THRESHOLD == label_sets.THRESHOLD


@pytest.mark.parametrize("api", slow_but([keras], [keras, tf_keras]))
def test_several_labels_are_learned_and_the_best_epoch_is_of_exact_match(api, pages):
    session.begin(0)
    model = network()
    model = model if api is keras else mirror(model)
    settings = Train(epochs=12, batch=32, learning_rate=0.01, class_weights="none")
    done = fit(model, pages, settings, api=api)
    assert done.history["val_loss"][-1] < 0.7 * done.history["val_loss"][0]
    assert done.best["val_accuracy"] == max(done.history["val_accuracy"]) > 0.5, "a third have none"
    images, labels = pages.validation
    probabilities = model.predict(images.astype(np.float32), verbose=0)
    exact = statistics.accuracy(probabilities, labels)
    assert exact == pytest.approx(done.best["val_accuracy"], abs=1e-6), "its weights are put back"


@pytest.mark.slow
def test_balanced_weights_find_more_of_a_rare_class(pages):
    images, labels = pages.train
    rare = np.flatnonzero((labels[:, 0] == 0) | (np.arange(500) % 5 == 0))
    task = replace(pages, train=(images[rare], labels[rare]))
    found = {}
    for kind in ("none", "balanced"):
        session.begin(0)
        model = network()
        fit(model, task, Train(epochs=6, batch=32, learning_rate=0.01, class_weights=kind))
        probabilities = model.predict(pages.validation[0].astype(np.float32), verbose=0)
        found[kind] = (probabilities[:, 0] >= 0.5)[pages.validation[1][:, 0] > 0].mean()
    assert found["balanced"] > found["none"] + 0.1
