"""NiN: a small dense network at every pixel, and no dense layer at the end."""

from typing import Any, Literal

import keras
from keras import layers

from models.blocks.convolution import convolve
from models.blocks.regularization import drop
from models.blocks.size import narrowed, wants_small_stem
from models.head import ending


def nin(
    input_shape: tuple[int, int, int],
    classes: int,
    width: float = 1.0,
    normalization: Literal["none", "batch", "layer", "group", "instance"] = "none",
    dropout: float = 0.5,
    stem: Literal["auto", "paper", "small"] = "auto",
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    Four blocks of one KxK and two 1x1 convolutions: 96@11x11/4, 256@5x5, 384@3x3, each followed
    by a 3x3/2 max-pool, then dropout and `classes`@3x3, whose maps are averaged to the scores.
    1,992,166 parameters at 224x224x1 with 10 classes. `small` pictures (under 128 pixels) meet a
    5x5/1 first block and pools that round up.

    Source: Lin, Chen, Yan, "Network in network", 2013; the channels of Zhang et al., "Dive into
    Deep Learning", 8.3. The last convolution is not rectified: a score that is rectified away for
    every picture would never learn.
    """
    small = wants_small_stem(stem, input_shape, below=128)
    images = x = keras.Input(input_shape, name="images")
    first = {"kernel": 5} if small else {"kernel": 11, "stride": 4, "padding": "valid"}
    for channels, form in ((96, first), (256, {"kernel": 5}), (384, {"kernel": 3})):
        x = _block(x, narrowed(channels, width), normalization, **form)
        x = layers.MaxPooling2D(3, 2, padding="same" if small else "valid")(x)
    x = drop(x, dropout)
    x = convolve(x, classes, 3, normalization=normalization)
    x = convolve(x, classes, 1, normalization=normalization)
    x = convolve(x, classes, 1, normalization="none", activation="none")
    x = layers.GlobalAveragePooling2D()(x)
    probabilities = layers.Activation(ending(), name="probabilities")(x)
    return keras.Model(images, probabilities, name="nin")


def _block(x: Any, channels: int, normalization: str, **form: Any) -> Any:
    x = convolve(x, channels, normalization=normalization, **form)
    x = convolve(x, channels, 1, normalization=normalization)
    return convolve(x, channels, 1, normalization=normalization)
