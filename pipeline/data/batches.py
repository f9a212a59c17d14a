"""Batches: memory-mapped arrays to tf.data, in an order that (seed, epoch) decides."""

import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.data.augmentation import Augmenter
from pipeline.data.mapped import Rows, where_they_lie
from pipeline.data.operations.base import Batch
from pipeline.data.sources import Images, Labels

PARALLEL = 2  # batches made at once; which are made, and their order, does not depend on it
Tensors = tuple[tf.Tensor, ...]
Numbers = NDArray[np.int64]
FOREVER = np.iinfo(np.int64).max
LARGE = 256 << 20  # bytes of pictures; fewer stay in the system's page cache by themselves
AHEAD = 32 << 20  # bytes of pictures asked for at once, where they are so many
ASKED = 4096  # pictures asked for at once, at most: asking takes microseconds each


def training_batches(
    split: tuple[Images, Labels],
    batch: int,
    seed: int,
    change: Augmenter,
    first: int = 0,
    *,
    classes: int | None = None,
    drawn: Numbers | None = None,
) -> tf.data.Dataset:
    """Yield `(images (B, H, W, C) float32 0..255, labels (B,) int64)`, epoch after epoch, forever.

    With `classes`, labels come as targets: float32 `(B, classes)`, 1 for what a picture shows, or
    shares of what a mixed one shows; labels of several classes a picture, uint8 `(N, classes)`, are
    targets but for their type.

    `drawn` says which pictures an epoch is made of, where it is not each of them once: `(n,)`
    int64, numbers of pictures, any of them several times.

    `first` is the batch to begin with, counted from 0 through all epochs; none before it is made.
    Each epoch is its own permutation of the split, by (seed, epoch), and its last batch may be
    smaller: an epoch is `steps(len(labels), batch)` batches. Images are gathered from the mapped
    file a batch at a time, so the split may be larger than memory: then the system is asked for a
    stretch of batches while the one before it is used.
    """
    images, labels = split
    count = len(labels) if drawn is None else len(drawn)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype=tf.int64), seed=tf.stack([tf.constant(seed, tf.int64), epoch])
        )
        if drawn is not None:
            order = tf.gather(tf.constant(drawn, tf.int64), order)
        # Cut by datasets alone: a function called for each batch shows where batches are small.
        whole = count // batch * batch
        rows = tf.data.Dataset.from_tensor_slices(tf.reshape(order[:whole], (-1, batch)))
        if whole < count:
            rows = rows.concatenate(tf.data.Dataset.from_tensors(order[whole:]))
        arrays = where_they_lie(images, labels)
        of_epoch = tf.data.Dataset.from_tensors((epoch, order, *arrays)).repeat()
        return tf.data.Dataset.zip(of_epoch, rows.enumerate())

    def make(of_epoch: Tensors, numbered: Tensors) -> Tensors:
        (epoch, _order, pixels, labels), (number, rows) = of_epoch, numbered
        key = tf.stack([tf.constant(seed, tf.int64), epoch, number])
        pictures = tf.cast(tf.gather(pixels, rows), tf.float32)
        targets = as_targets(tf.gather(labels, rows), classes)
        changed = change(Batch(pictures, targets, rows), key)
        return changed.images, changed.targets

    epoch, passed = divmod(first, steps(count, batch))
    chosen = tf.data.Dataset.range(epoch, FOREVER).flat_map(one_epoch).skip(passed)
    if images.nbytes >= LARGE:
        chosen = _asked_for(chosen, images, batch)
    return _settled(chosen.map(make, PARALLEL).prefetch(4))


def weighed(batches: tf.data.Dataset, weights: Mapping[int, float] | None) -> tf.data.Dataset:
    """Add to images and targets what each picture weighs in the loss, `(B,)` float32.

    The mean of `weights`, one a class, by the shares of classes in its target. None adds nothing.
    """
    if weights is None:
        return batches
    by_class = [weights[number] for number in range(len(weights))]
    return batches.map(
        lambda images, targets: (images, targets, tf.linalg.matvec(targets, by_class))
    )


def _asked_for(chosen: tf.data.Dataset, images: Images, batch: int) -> tf.data.Dataset:
    """Ask for the pictures of a stretch of batches, while those of the stretch before are used."""
    pictures = min(ASKED, AHEAD * len(images) // images.nbytes)
    stretch = max(1, pictures // batch)
    asked = Rows(images).ask

    def ask(of_epoch: Tensors, numbered: Tensors) -> tuple[Tensors, Tensors]:
        (_epoch, order, *_arrays), (number, _rows) = of_epoch, numbered
        rows = order[number * batch : (number + stretch) * batch]
        tf.cond(
            number % stretch == 0,
            lambda: tf.numpy_function(asked, [rows], tf.int64),
            lambda: tf.constant(0, tf.int64),
        )
        return of_epoch, numbered

    return chosen.map(ask).prefetch(stretch)


def plain_batches(
    split: tuple[Images, Labels], batch: int, *, classes: int | None = None
) -> tf.data.Dataset:
    """Yield a split once, in order, unchanged: `(images float32 0..255, labels int64)`.

    With `classes`, labels come as targets: float32 `(B, classes)`.
    """
    images, labels = split
    if len(labels) <= batch:  # one batch is soon made, and a pipeline for it is not
        pixels = tf.constant(np.asarray(images), tf.float32)
        targets = as_targets(tf.constant(labels), classes)
        return _settled(tf.data.Dataset.from_tensors((pixels, targets)))

    def cut(first: int) -> tuple[Images, Labels]:
        return images[first : first + batch], labels[first : first + batch]

    def make(number: tf.Tensor) -> Tensors:
        kinds = (tf.uint8, labels.dtype)
        pixels, targets = tf.numpy_function(cut, [number * batch], kinds, stateful=False)
        pixels.set_shape((None, *images.shape[1:]))
        targets.set_shape((None, *labels.shape[1:]))
        return tf.cast(pixels, tf.float32), as_targets(targets, classes)

    numbers = tf.data.Dataset.range(steps(len(labels), batch))
    return _settled(numbers.map(make, PARALLEL).prefetch(2))


def as_targets(labels: tf.Tensor, classes: int | None) -> tf.Tensor:
    """Make `labels` `(B,)` one-hot float32 `(B, classes)`; leave them for None.

    Those of several classes a picture, `(B, classes)` already, become float32.
    """
    if classes is None:
        return labels
    several = labels.shape.rank == 2
    return tf.cast(labels, tf.float32) if several else tf.one_hot(labels, classes, dtype=tf.float32)


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
