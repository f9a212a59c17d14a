"""Batches whose pixels tell where they come from, and keys."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.data.operations.base import Batch, KeyedSeeds


@pytest.fixture
def seeds():
    """Make the seeds of an operation in a batch of an epoch."""

    def make(epoch=0, batch=0, seed=1, operation=0):
        return KeyedSeeds(tf.constant([seed, epoch, batch], tf.int64), operation)

    return make


@pytest.fixture
def coloured_by_class():
    """Make a batch of so many pictures, each 255 in the channel of its class and 0 in the others.

    The mean of a channel, over 255, is then the share of that class in a picture.
    """

    def make(count, classes=5, height=9, width=7):
        labels = np.random.default_rng(count).integers(0, classes, count)
        targets = np.eye(classes, dtype=np.float32)[labels]
        images = np.tile(255 * targets[:, None, None], (1, height, width, 1))
        rows = tf.range(count, dtype=tf.int64)
        return Batch(tf.constant(images), tf.constant(targets), rows)

    return make
