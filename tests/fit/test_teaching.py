"""A teacher's answers stand in the training targets, and nowhere else."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.compress.legacy import mirror, tf_keras
from pipeline.data.augmentation import complete
from pipeline.fit.loop import fit
from pipeline.fit.teaching import Teacher, taught
from pipeline.settings import Train
from tests.marks import slow_but

SETTINGS = Train(epochs=4, batch=32, learning_rate=0.02, warmup_epochs=0, seed=3)


def network(seed, activation="softmax"):
    keras.utils.set_random_seed(seed)
    images = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    return keras.Model(images, keras.layers.Dense(10, activation=activation)(x))


@pytest.fixture(scope="module")
def teacher(task):
    model = network(1)
    fit(model, task, Train(epochs=8, batch=32, learning_rate=0.02, seed=1))
    return model


def nonsense(task):
    """The same pictures, all said to show a nought."""
    return (task.train[0], np.zeros_like(task.train[1]))


@pytest.mark.parametrize("weights", [(), (tf.ones(6),)])
def test_targets_are_labels_and_answers_by_share(weights, digits):
    images = digits[0][:6].astype(np.float32)
    targets = np.eye(10, dtype=np.float32)[digits[1][:6]]
    model = network(0)
    batches = tf.data.Dataset.from_tensors((images, targets, *weights))
    pixels, mixed, *kept = next(iter(taught(batches, Teacher(model, 0.75))))
    wanted = 0.25 * targets + 0.75 * model.predict(images, verbose=0)
    np.testing.assert_allclose(mixed, wanted, atol=1e-6)
    assert np.array_equal(pixels, images)
    assert len(kept) == len(weights)


def test_without_a_teacher_batches_are_as_they_were():
    batches = tf.data.Dataset.from_tensors((tf.zeros((1, 8, 8, 1)), tf.ones((1, 10))))
    assert taught(batches, None) is batches


@pytest.mark.parametrize("api", slow_but([keras], [keras, tf_keras]), ids=["keras", "tf_keras"])
def test_who_is_told_nonsense_learns_from_the_teacher(api, task, teacher):
    def accuracy(share):
        model = network(2) if api is keras else mirror(network(2))
        learned = replace(task, train=nonsense(task), policy=complete(["flip"]))
        learned = replace(learned, teacher=Teacher(teacher, share))
        return fit(model, learned, SETTINGS, api=api).best["val_accuracy"]

    before = teacher.get_weights()
    assert accuracy(0.0) < 0.2
    assert accuracy(1.0) > 0.6
    assert all(map(np.array_equal, before, teacher.get_weights()))
