"""MixUp and CutMix: a picture of two, and a target that says how much of each."""

import numpy as np
import tensorflow as tf

from pipeline.data.operations.base import (
    Batch,
    KeyedSeeds,
    a_picture,
    checked,
    checked_share,
    count,
    uniform,
)

TINY = float(np.finfo(np.float32).tiny)


class Mix:
    """Give each picture a partner from its batch, and draw what share of it stays its own.

    Partners are a permutation of the batch, which may leave a picture with itself. The share is
    drawn for each picture rather than for the batch: it costs the same here, and then no batch is
    mixed beyond recognition as a whole, nor left as it is.
    """

    def __init__(self, alpha: float, probability: float) -> None:
        self.alpha = checked("alpha", alpha, 1e-3, 100.0)
        self.probability = checked_share("probability", probability)

    def drawn(self, batch: Batch, seeds: KeyedSeeds) -> tuple[tf.Tensor, tf.Tensor]:
        """Return partners' places `(B,)` int32 and own shares `(B,)`, 1 where nothing is mixed."""
        partners = tf.random.experimental.stateless_shuffle(
            tf.range(count(batch.images)), seed=seeds.next()
        )
        own = beta(self.alpha, count(batch.images), seeds)
        return partners, tf.where(uniform(batch, seeds) < self.probability, own, 1.0)


class MixUp(Mix):
    """Blend each picture with its partner, and the targets in the same shares.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018. There one share is
    drawn for a batch.
    """

    def __init__(self, alpha: float = 0.2, probability: float = 1.0) -> None:
        super().__init__(alpha, probability)

    def __call__(self, batch: Batch, seeds: KeyedSeeds) -> Batch:
        """Mix `batch`, which has targets."""
        partners, own = self.drawn(batch, seeds)
        others = tf.gather(batch.images, partners)
        images = a_picture(own) * batch.images + a_picture(1.0 - own) * others
        return Batch(images, shared(batch.targets, partners, 1.0 - own), batch.rows)


class CutMix(Mix):
    """Put a box of the partner into each picture, in its own place; targets go by the areas.

    The box has the picture's proportions and its centre anywhere, and is cut at the edge: what
    counts in the target is the area that is left.

    Source: Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with
    Localizable Features", 2019. There one box is drawn for a batch.
    """

    def __init__(self, alpha: float = 1.0, probability: float = 1.0) -> None:
        super().__init__(alpha, probability)

    def __call__(self, batch: Batch, seeds: KeyedSeeds) -> Batch:
        """Mix `batch`, which has targets."""
        partners, own = self.drawn(batch, seeds)
        side = tf.sqrt(1.0 - own)
        height, width = batch.images.shape[1], batch.images.shape[2]
        lines, columns = (
            stretches(side, length, uniform(batch, seeds)) for length in (height, width)
        )
        inside = lines[:, :, None] * columns[:, None, :]
        # A box of 0 and 1, to multiply with: tf.where is slow where it broadcasts.
        box = inside[..., None]
        images = (1.0 - box) * batch.images + box * tf.gather(batch.images, partners)
        area = tf.reduce_mean(inside, axis=(1, 2))
        return Batch(images, shared(batch.targets, partners, area), batch.rows)


def stretches(share: tf.Tensor, length: int, centre: tf.Tensor) -> tf.Tensor:
    """Mark the pixels of a line that a stretch covers: `(B, length)` float32, 1 inside and else 0.

    `share` `(B,)` of the line is its length, `centre` `(B,)` 0..1 its middle; cut at the ends.
    """
    covered = tf.floor(share * length)
    first = tf.floor(centre * length) - tf.floor(covered / 2)
    pixels = tf.range(length, dtype=tf.float32)
    inside = (pixels >= first[:, None]) & (pixels < (first + covered)[:, None])
    return tf.cast(inside, tf.float32)


def shared(targets: tf.Tensor, partners: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Give `share` `(B,)` of each target `(B, classes)` to the partner's; sums stay."""
    share = share[:, None]
    return (1.0 - share) * targets + share * tf.gather(targets, partners)


def beta(alpha: float, number: tf.Tensor, seeds: KeyedSeeds) -> tf.Tensor:
    """Draw `(number,)` from Beta(alpha, alpha).

    It is X / (X + Y) of two Gamma(alpha), which for a small alpha both vanish in float32 and leave
    0 / 0. So their logarithms are drawn: log Gamma(alpha) is log Gamma(alpha + 1) + log(U) / alpha.

    Source: Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", 2000, section 6.
    """
    first, second = (
        tf.math.log(tf.random.stateless_gamma([number], seeds.next(), alpha + 1.0))
        + tf.math.log(tf.random.stateless_uniform([number], seeds.next(), TINY, 1.0)) / alpha
        for _ in range(2)
    )
    return tf.sigmoid(first - second)
