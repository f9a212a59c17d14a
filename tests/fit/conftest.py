"""A small task on real digits, and networks that learn it in seconds."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.fit.loop import Task


@pytest.fixture(scope="session")
def task(digits):
    """384 digits to learn from and 300 to validate on, in an order without writers."""
    images, labels = digits
    order = np.random.default_rng(0).permutation(len(labels))
    train, validation = order[:384], order[384:684]
    return Task((images[train], labels[train]), (images[validation], labels[validation]), [])


@pytest.fixture
def shorter(task):
    """The task with so many training pictures."""

    def cut(count):
        return replace(task, train=(task.train[0][:count], task.train[1][:count]))

    return cut


@pytest.fixture
def network():
    """Make a small dense network of an API, from pixels to probabilities, unseeded."""

    def make(api, units=32):
        layers = api.layers
        images = layers.Input((8, 8, 1), name="images")
        x = layers.Flatten()(layers.Rescaling(1 / 255)(images))
        x = layers.BatchNormalization(momentum=0.9)(layers.Dense(units, activation="relu")(x))
        return api.Model(images, layers.Dense(10, activation="softmax")(x))

    return make
