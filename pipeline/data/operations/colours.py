"""Colours and tones changed at random, each picture in its own way."""

import math
from abc import ABC, abstractmethod

import numpy as np
import tensorflow as tf

from pipeline.data.operations import tones
from pipeline.data.operations.base import (
    Batch,
    KeyedSeeds,
    a_picture,
    by_choice,
    checked,
    checked_count,
    checked_share,
    count,
    refuse_gray,
    uniform,
)

YIQ = np.array(  # brightness and two of colour, NTSC
    [tones.LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)], np.float32
)
RGB = np.linalg.inv(YIQ)


class ColorJitter:
    """Multiply brightness, contrast and saturation by 1 +- so much, and turn the hue.

    In this order; together they are one linear map of colours a picture, cut to 0..255 at the end.
    Saturation and hue, up to a half circle either way, are changed in YIQ, where both are linear:
    HSV costs several times as much. They refuse gray pictures.
    """

    def __init__(
        self,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
    ) -> None:
        self.brightness = checked_share("brightness", brightness)
        self.contrast = checked_share("contrast", contrast)
        self.saturation = checked_share("saturation", saturation)
        self.hue = checked("hue", hue, 0.0, 0.5)

    def __call__(self, batch: Batch, seeds: KeyedSeeds) -> Batch:
        """Change `batch`."""
        images = batch.images
        bright, contrast, saturation, hue = (
            uniform(batch, seeds, still - reach, still + reach)
            for still, reach in (
                (1.0, self.brightness),
                (1.0, self.contrast),
                (1.0, self.saturation),
                (0.0, self.hue),
            )
        )
        mean = tf.reduce_mean(tones.luma(images), axis=(1, 2), keepdims=True)
        if self.saturation or self.hue:
            refuse_gray(images)
            images = tf.einsum("bhwc,bdc->bhwd", images, _colour_matrix(saturation, hue))
        images = a_picture(bright * contrast) * images + a_picture(bright * (1 - contrast)) * mean
        return batch._replace(images=tf.clip_by_value(images, 0.0, 255.0))


def _colour_matrix(saturation: tf.Tensor, hue: tf.Tensor) -> tf.Tensor:
    """Make the map `(B, 3, 3)` of red, green, blue: colours stretched and turned, grays kept."""
    cosine, sine = (saturation * turn(hue * (2 * math.pi)) for turn in (tf.cos, tf.sin))
    one, none = tf.ones_like(hue), tf.zeros_like(hue)
    turned = tf.stack([one, none, none, none, cosine, -sine, none, sine, cosine], axis=1)
    return RGB @ tf.reshape(turned, (-1, 3, 3)) @ YIQ


class Sharpness:
    """Sharpen or blur: from 1 - `factor` to 1 + `factor` times the difference to a blurred copy."""

    def __init__(self, factor: float = 0.5) -> None:
        self.factor = checked_share("factor", factor)

    def __call__(self, batch: Batch, seeds: KeyedSeeds) -> Batch:
        """Change `batch`."""
        factor = uniform(batch, seeds, 1 - self.factor, 1 + self.factor)
        return batch._replace(images=tones.sharpened(batch.images, factor))


class Sometimes(ABC):
    """A tone that some pictures get and others do not."""

    probability: float

    @abstractmethod
    def tone(self, images: tf.Tensor) -> tf.Tensor:
        """Change all of these."""

    def __call__(self, batch: Batch, seeds: KeyedSeeds) -> Batch:
        """Change those of `batch` that chance chooses."""
        chosen = tf.cast(uniform(batch, seeds) < self.probability, tf.int32)
        return batch._replace(images=by_choice(batch.images, chosen, (tf.identity, self.tone)))


class Grayscale(Sometimes):
    """Take the colour from some pictures."""

    def __init__(self, probability: float = 0.1) -> None:
        self.probability = checked_share("probability", probability)

    def tone(self, images: tf.Tensor) -> tf.Tensor:
        """Give each pixel its brightness three times."""
        refuse_gray(images)
        return tf.repeat(tones.luma(images), 3, axis=-1)


class Solarize(Sometimes):
    """Invert what is as bright as `threshold` (0..256) or brighter, in some pictures."""

    def __init__(self, probability: float = 0.2, threshold: float = 128) -> None:
        self.probability = checked_share("probability", probability)
        self.threshold = checked("threshold", threshold, 0, 256)

    def tone(self, images: tf.Tensor) -> tf.Tensor:
        """Invert bright pixels."""
        return tones.solarized(images, tf.fill([count(images)], self.threshold))


class Posterize(Sometimes):
    """Keep the highest `bits` of each pixel, in some pictures."""

    def __init__(self, probability: float = 0.2, bits: int = 4) -> None:
        self.probability = checked_share("probability", probability)
        self.bits = checked_count("bits", bits, 1, 8)

    def tone(self, images: tf.Tensor) -> tf.Tensor:
        """Drop the lower bits."""
        return tones.posterized(images, tf.fill([count(images)], float(self.bits)))


class Equalize(Sometimes):
    """Level the histogram of each channel, in some pictures."""

    def __init__(self, probability: float = 0.2) -> None:
        self.probability = checked_share("probability", probability)

    def tone(self, images: tf.Tensor) -> tf.Tensor:
        """Level all of these."""
        return tones.equalized(images)
