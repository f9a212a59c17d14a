"""Batches: memory-mapped arrays to tf.data, in an order that (seed, epoch) decides."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.data.augmentation import Change
from pipeline.data.sources import Images, Labels

PARALLEL = 2  # batches made at once; which are made, and their order, does not depend on it
FOREVER = np.iinfo(np.int64).max


def training_batches(
    split: tuple[Images, Labels], batch: int, seed: int, change: Change, first_epoch: int = 0
) -> tf.data.Dataset:
    """Yield `(images (B, H, W, C) float32 0..255, labels (B,) int64)`, epoch after epoch, forever.

    Each epoch is its own permutation of the split, by (seed, epoch), and its last batch may be
    smaller: an epoch is `steps(len(labels), batch)` batches. Images are gathered from the mapped
    file a batch at a time, so the split may be larger than memory.
    """
    images, labels = split
    count = len(labels)
    per_epoch = steps(count, batch)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype=tf.int64), seed=tf.stack([tf.constant(seed, tf.int64), epoch])
        )
        numbers = tf.data.Dataset.range(per_epoch)
        return numbers.map(
            lambda number: (
                tf.stack([tf.constant(seed, tf.int64), epoch, number]),
                order[number * batch : (number + 1) * batch],
            )
        )

    gather = _gatherer(images, labels)

    def make(key: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, targets = gather(rows)
        return change(tf.cast(pixels, tf.float32), key), targets

    epochs = tf.data.Dataset.range(first_epoch, FOREVER)
    return _settled(epochs.flat_map(one_epoch).map(make, PARALLEL).prefetch(4))


def plain_batches(split: tuple[Images, Labels], batch: int) -> tf.data.Dataset:
    """Yield a split once, in order, unchanged: `(images float32 0..255, labels int64)`."""
    images, labels = split
    gather = _gatherer(images, labels)

    def make(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        stop = tf.minimum((number + 1) * batch, len(labels))
        pixels, targets = gather(tf.range(number * batch, stop, dtype=tf.int64))
        return tf.cast(pixels, tf.float32), targets

    numbers = tf.data.Dataset.range(steps(len(labels), batch))
    return _settled(numbers.map(make, PARALLEL).prefetch(2))


def _settled(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Keep the order, and do without tf.data's tuning thread.

    It wakes up to a minute apart, and the end of a fit waits for it (seen: 56 s after 24 epochs).
    """
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    return batches.with_options(options)


def steps(count: int, batch: int) -> int:
    """Batches in an epoch, the last of them perhaps smaller."""
    return math.ceil(count / batch)


def _gatherer(images: Images, labels: Labels) -> Callable[[tf.Tensor], Any]:
    """Read rows out of mapped arrays inside a tf.data graph."""
    shape = images.shape[1:]

    def gather(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.numpy_function(lambda r: images[r], [rows], tf.uint8, stateful=False)
        targets = tf.numpy_function(lambda r: labels[r], [rows], tf.int64, stateful=False)
        pixels.set_shape((None, *shape))
        targets.set_shape((None,))
        return pixels, targets

    return gather
