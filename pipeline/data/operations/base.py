"""What an operation is given: a batch, and random numbers that are a function of its key."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import keras
import tensorflow as tf


class Batch(NamedTuple):
    """Pictures on their way to a network.

    `images` `(B, H, W, C)` float32 0..255; `targets` `(B, classes)` float32, or labels `(B,)` int64
    where nobody asked for targets; `rows` `(B,)` int64, each picture's place in its split.
    """

    images: tf.Tensor
    targets: tf.Tensor
    rows: tf.Tensor


class KeyedSeeds(keras.random.SeedGenerator):
    """Seeds that are a function of a key and a count, in place of Keras' running state.

    Keras' layers ask a SeedGenerator for `next()`; its own answer comes from a variable, which in
    a parallel `tf.data` map depends on who came first. Also tells the `epoch`, and `lasting`: a
    pair of int32 that is the same in every epoch and batch of a seed.
    """

    def __init__(self, key: tf.Tensor, operation: int) -> None:  # no variable is made
        state = tf.stack([tf.cast(key[0], tf.int32), 0])
        of_batch = tf.random.fold_in(tf.random.fold_in(state, key[1]), key[2])
        self.epoch = key[1]
        self.lasting = tf.random.fold_in(state, operation)
        self._key = tf.random.fold_in(of_batch, operation)
        self._count = 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        """Return the next pair of int32, for one stateless random operation."""
        self._count += 1
        return tf.random.fold_in(self._key, self._count)


class Change(Protocol):
    """An operation: a batch in, a batch out, all chance from `seeds`."""

    def __call__(self, batch: Batch, seeds: KeyedSeeds) -> Batch:
        """Change a batch as a whole."""


Tone = Callable[[tf.Tensor], tf.Tensor]


def uniform(batch: Batch, seeds: KeyedSeeds, least: float = 0.0, most: float = 1.0) -> tf.Tensor:
    """Draw a number a picture: `(B,)` float32."""
    return tf.random.stateless_uniform([count(batch.images)], seeds.next(), least, most)


def count(images: tf.Tensor) -> tf.Tensor:
    """Pictures in a batch, known when it is there."""
    return tf.shape(images)[0]


def a_picture(numbers: tf.Tensor) -> tf.Tensor:
    """Shape `(B,)` so that it meets `(B, H, W, C)`."""
    return numbers[:, None, None, None]


def by_choice(images: tf.Tensor, choice: tf.Tensor, tones: Sequence[Tone]) -> tf.Tensor:
    """Give each picture to the one of `tones` that `choice` `(B,)` int32 names.

    Each then works on its own part of the batch: a batch costs what one of them costs on average.
    """
    places = tf.dynamic_partition(tf.range(count(images)), choice, len(tones))
    parts = tf.dynamic_partition(images, choice, len(tones))
    changed = [tone(part) for tone, part in zip(tones, parts, strict=True)]
    together = tf.dynamic_stitch(places, changed)
    return tf.ensure_shape(together, images.shape)


def refuse_gray(images: tf.Tensor) -> None:
    """Raise `ValueError` for pictures without colours to change."""
    if images.shape[-1] != 3:
        raise ValueError("it changes colours, and these pictures are gray")


def checked_share(name: str, value: float) -> float:
    """Return `value`; raise `ValueError` unless it is a number of 0..1."""
    return checked(name, value, 0.0, 1.0)


def checked(name: str, value: float, least: float, most: float) -> float:
    """Return `value`; raise `ValueError` unless it is a number within the limits."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not least <= value <= most:
        raise ValueError(f"`{name}` is a number from {least:g} to {most:g}; received {value!r}")
    return float(value)


def checked_count(name: str, value: int, least: int, most: int) -> int:
    """Return `value`; raise `ValueError` unless it is a whole number within the limits."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"`{name}` is a whole number from {least} to {most}; received {value!r}")
    return value
