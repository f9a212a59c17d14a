from dataclasses import replace

import keras
import numpy as np
import pytest
import tf_keras
from sklearn.utils.class_weight import compute_class_weight

from pipeline.compress.legacy import mirror
from pipeline.data.augmentation import augmenter
from pipeline.data.batches import plain_batches, training_batches, weighed
from pipeline.fit import session
from pipeline.fit.class_weights import class_weights
from pipeline.fit.loop import fit
from pipeline.settings import Train
from tests.marks import slow_but

SETTINGS = {"epochs": 6, "batch": 32, "learning_rate": 0.003, "warmup_epochs": 0.5}
RARE = 8  # drawn much like other digits


@pytest.fixture
def imbalanced(task):
    """The task with three pictures left of one digit."""
    images, labels = task.train
    kept = np.flatnonzero((labels != RARE) | (np.cumsum(labels == RARE) <= 3))
    return replace(task, train=(images[kept], labels[kept]))


def fitted(task, network, api, **settings):
    session.begin(0)
    model = network(keras)
    model = model if api is keras else mirror(model)
    return model, fit(model, task, Train(**SETTINGS | settings), api=api)


def recall(model, task):
    images, labels = task.validation
    rare = images[labels == RARE]
    return (model.predict(rare.astype(np.float32), verbose=0).argmax(axis=1) == RARE).mean()


def test_weights_are_those_scikit_learn_gives(imbalanced):
    labels = imbalanced.train[1]
    expected = compute_class_weight("balanced", classes=np.arange(10), y=labels)
    weights = class_weights("balanced", labels, 10)
    assert list(weights) == list(range(10))
    assert list(weights.values()) == pytest.approx(expected)
    assert weights[RARE] == len(labels) / (10 * 3)
    assert np.mean([weights[label] for label in labels]) == pytest.approx(1)


def test_classes_of_equal_size_weigh_one():
    assert class_weights("balanced", np.repeat(np.arange(4), 7), 4) == dict.fromkeys(range(4), 1.0)


def test_a_class_without_a_picture_shifts_no_other():
    assert class_weights("balanced", np.array([0, 0, 2]), 4) == {0: 0.75, 1: 1.0, 2: 1.5, 3: 1.0}


def test_no_weights_are_no_weights(imbalanced):
    assert class_weights("none", imbalanced.train[1], 10) is None


@pytest.mark.parametrize("api", slow_but([keras], [keras, tf_keras]))
def test_balanced_weights_find_more_of_a_rare_class(api, imbalanced, network):
    plain, _ = fitted(imbalanced, network, api)
    weighted, _ = fitted(imbalanced, network, api, class_weights="balanced")
    assert recall(weighted, imbalanced) > recall(plain, imbalanced) + 0.2


@pytest.mark.parametrize("api", slow_but([tf_keras], [keras, tf_keras]))
def test_the_loss_of_training_is_weighted_and_that_of_validation_is_not(api, imbalanced, network):
    still = {"epochs": 1, "warmup_epochs": 0.0, "optimizer": "sgd", "learning_rate": 1e-12}
    _, plain = fitted(imbalanced, network, api, **still)
    model, weighted = fitted(imbalanced, network, api, class_weights="balanced", **still)
    assert weighted.history["accuracy"] == plain.history["accuracy"]
    assert weighted.history["loss"][0] != pytest.approx(plain.history["loss"][0], rel=1e-3)
    assert weighted.history["val_loss"] == pytest.approx(plain.history["val_loss"], rel=1e-4)
    given = model.evaluate(plain_batches(imbalanced.validation, 256, classes=10), verbose=0)[0]
    assert weighted.history["val_loss"][0] == pytest.approx(given, rel=1e-5)


@pytest.mark.parametrize("api", slow_but([keras], [keras, tf_keras]))
def test_a_mixed_picture_weighs_what_its_classes_do(api, imbalanced, network):
    still = {"epochs": 1, "warmup_epochs": 0.0, "optimizer": "sgd", "learning_rate": 1e-12}
    mixed = replace(imbalanced, policy=[{"mixup": {"alpha": 1.0}}])
    weights = class_weights("balanced", mixed.train[1], 10)
    change = augmenter(mixed.policy)
    stream = weighed(training_batches(mixed.train, 32, 0, change, classes=10), weights)
    model, weighted = fitted(mixed, network, api, class_weights="balanced", **still)
    losses, sizes = [], []
    epoch = stream.take(mixed.steps_per_epoch(Train(**SETTINGS)))
    for images, targets, weights_of in epoch.as_numpy_iterator():
        said = np.asarray(model(images, training=True))
        by_picture = -(targets * np.log(np.maximum(said, 1e-7))).sum(axis=1)
        losses.append((by_picture * weights_of).mean())
        sizes.append(len(images))
    assert weighted.history["loss"][0] == pytest.approx(np.average(losses, weights=sizes), rel=1e-3)


def test_prune_weighs_classes_as_train_does():
    from pipeline.settings import Prune

    assert Prune().inherit(Train(class_weights="balanced")).class_weights == "balanced"
    kept = Prune(class_weights="none").inherit(Train(class_weights="balanced"))
    assert kept.class_weights == "none"
