"""GoogLeNet: convolutions of several sizes side by side."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import layers

from models.blocks.convolution import convolve
from models.blocks.regularization import drop
from models.blocks.size import classified, narrowed, wants_small_stem

# Channels of an inception block: 1x1; 1x1 then 3x3; 1x1 then 5x5; 1x1 after the pool. Table 1.
STAGES = (
    ((64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64)),
    (
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    ((256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128)),
)


def googlenet(
    input_shape: tuple[int, int, int],
    classes: int,
    width: float = 1.0,
    normalization: Literal["none", "batch", "layer", "group", "instance"] = "none",
    dropout: float = 0.4,
    stem: Literal["auto", "paper", "small"] = "auto",
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    Stages b1 (7x7/2, pool), b2 (1x1, 3x3, pool), b3, b4, b5 of 2, 5 and 2 inception blocks with
    pools between them, global average pooling, dropout, one dense layer. 6,998,552 parameters at
    224x224x3 with 1,000 classes: table 1 of the paper, without its auxiliary classifiers.

    `small` pictures (under 64 pixels) meet a 3x3/1 convolution in place of b1.
    `normalization="batch"` is that of its successor (Ioffe and Szegedy, 2015).

    Source: Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich, "Going
    deeper with convolutions", 2014; without response normalization.
    """
    small = wants_small_stem(stem, input_shape)
    images = keras.Input(input_shape, name="images")

    def unit(x: Any, channels: int, kernel: int, stride: int = 1) -> Any:
        channels = narrowed(channels, width)
        return convolve(x, channels, kernel, stride, normalization=normalization)

    x = unit(images, 64, 3) if small else _pool(unit(images, 64, 7, 2))
    x = unit(unit(x, 64, 1), 192, 3)
    for stage in STAGES:
        x = _pool(x)
        for channels in stage:
            x = _inception(x, channels, unit)
    x = drop(layers.GlobalAveragePooling2D()(x), dropout)
    return classified(images, x, classes, "googlenet")


def _inception(x: Any, channels: Sequence[Any], unit: Any) -> Any:
    single, (before_3, of_3), (before_5, of_5), after_pool = channels
    branches = (
        unit(x, single, 1),
        unit(unit(x, before_3, 1), of_3, 3),
        unit(unit(x, before_5, 1), of_5, 5),
        unit(layers.MaxPooling2D(3, 1, padding="same")(x), after_pool, 1),
    )
    return layers.Concatenate()(branches)


def _pool(x: Any) -> Any:
    return layers.MaxPooling2D(3, 2, padding="same")(x)
