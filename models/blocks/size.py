"""Networks of 1998 to 2018 at the sizes of here and now: narrower, and for smaller pictures."""

from typing import Any

import keras
from keras import layers

from models.head import ending

SMALL = 64  # pixels; under this side the stem of an ImageNet network leaves too little to look at
WIDEST = 16


def narrowed(channels: int, width: float) -> int:
    """Return `channels * width` to the nearest multiple of 8, at least 8, not 10 % below.

    At a width of 1, `channels` itself. Kernels of phones work on 8 channels at a time.
    Source: the rule of the reference code of MobileNetV2.
    """
    if width == 1:
        return channels
    if not 0 < width <= WIDEST:
        raise ValueError(f"width {width:g}: a multiplier above 0 and up to {WIDEST}")
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * wanted else rounded + 8


def wants_small_stem(stem: str, input_shape: tuple[int, int, int], below: int = SMALL) -> bool:
    """Say whether a network begins gently: `small`, or `auto` with a side under `below` pixels."""
    return stem == "small" or (stem == "auto" and min(input_shape[:2]) < below)


def classified(images: Any, features: Any, classes: int, name: str) -> keras.Model:
    """Close a network: features `(B, F)` through one dense layer to probabilities."""
    probabilities = layers.Dense(classes, activation=ending(), name="probabilities")(features)
    return keras.Model(images, probabilities, name=name)
