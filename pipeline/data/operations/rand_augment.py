"""RandAugment: a few operations for each picture, drawn from fourteen, all of one magnitude."""

from collections.abc import Callable, Mapping
from functools import partial

import tensorflow as tf

from pipeline.data.operations import tones
from pipeline.data.operations.base import (
    Batch,
    KeyedSeeds,
    by_choice,
    checked_count,
    checked_share,
    uniform,
)
from pipeline.data.operations.moves import MOVES, moved

Graded = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# Of images and a grade -1..1 (B,). What each comes to at 1 is AutoAugment's (Cubuk et al., 2019).
TONES: Mapping[str, Graded] = {
    "identity": lambda images, grade: images,
    "auto_contrast": lambda images, grade: tones.stretched(images),
    "equalize": lambda images, grade: tones.equalized(images),
    "brightness": lambda images, grade: tones.brightened(images, 1 + grade * 0.9),
    "contrast": lambda images, grade: tones.contrasted(images, 1 + grade * 0.9),
    "sharpness": lambda images, grade: tones.sharpened(images, 1 + grade * 0.9),
    "posterize": lambda images, grade: tones.posterized(images, 8 - tf.round(abs(grade) * 4)),
    "solarize": lambda images, grade: tones.solarized(images, 256 * (1 - abs(grade))),
    "color": lambda images, grade: tones.coloured(images, 1 + grade * 0.9),
}
FARTHEST = (30 / 360, 0.3, 0.3, 0.45, 0.45)  # of MOVES at grade 1, in their shares


class RandAugment:
    """Give each picture `operations` of the fourteen, one after the other, of `magnitude` 0..1.

    Each picture draws its own, and whether one goes up or down, right or left. Gray pictures have
    thirteen: `color` would leave them as they are.

    Source: Cubuk et al., "RandAugment: Practical Automated Data Augmentation with a Reduced Search
    Space", 2020; its magnitude 9 of 30 is 0.3. Keras' layer draws one operation for a batch, does
    all of them to find it, and takes no keyed seeds.
    """

    def __init__(self, operations: int = 2, magnitude: float = 0.3) -> None:
        self.operations = checked_count("operations", operations, 1, 10)
        self.magnitude = checked_share("magnitude", magnitude)

    def __call__(self, batch: Batch, seeds: KeyedSeeds) -> Batch:
        """Change `batch`."""
        gray = batch.images.shape[-1] != 3
        graded = [one for name, one in TONES.items() if not (gray and name == "color")]
        for _ in range(self.operations):
            choice = tf.cast(uniform(batch, seeds) * (len(graded) + len(MOVES)), tf.int32)
            sign = tf.where(uniform(batch, seeds) < 0.5, -1.0, 1.0)
            images = _chosen(batch.images, choice, sign * self.magnitude, graded)
            batch = batch._replace(images=images)
        return batch


def _chosen(
    images: tf.Tensor, choice: tf.Tensor, grade: tf.Tensor, graded: list[Graded]
) -> tf.Tensor:
    """Do to each picture what `choice` `(B,)` says: one of `graded`, or beyond them a move.

    Moves share one part of the batch: they are one and the same operation, by other amounts.
    """
    move = tf.one_hot(choice - len(graded), len(MOVES)) * grade[:, None] * tf.constant(FARTHEST)
    part = tf.minimum(choice, len(graded))
    *grades, _ = tf.dynamic_partition(grade, part, len(graded) + 1)
    *_, moves = tf.dynamic_partition(move, part, len(graded) + 1)
    changes = [partial(_graded, one, grade) for one, grade in zip(graded, grades, strict=True)]
    return by_choice(images, part, [*changes, partial(moved, amounts=moves)])


def _graded(function: Graded, grade: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    return function(images, grade)
