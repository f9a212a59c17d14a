"""MobileNet: depthwise and 1x1 convolutions in place of full ones."""

from typing import Literal

import keras
from keras import layers

from models.blocks.convolution import convolve, convolve_depthwise
from models.blocks.regularization import drop
from models.blocks.size import classified, narrowed, wants_small_stem

# Channels of each 1x1 convolution, and the stride of the depthwise one before it. Table 1.
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)


def mobilenet_v1(
    input_shape: tuple[int, int, int],
    classes: int,
    width: float = 1.0,
    dropout: float = 0.001,
    stem: Literal["auto", "paper", "small"] = "auto",
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    A 3x3/2 stem of 32 channels, thirteen pairs of a 3x3 depthwise and a 1x1 convolution, each with
    batch norm and ReLU6, global average pooling, dropout, one dense layer. 4,231,976 trainable
    parameters at 224x224x3 with 1,000 classes and width 1. `width` multiplies every channel count,
    to multiples of 8. `small` pictures (under 64 pixels) are not halved by the stem, nor by the
    first strided pair.

    Source: Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto, Adam, "MobileNets: efficient
    convolutional neural networks for mobile vision applications", 2017; ReLU6 and dropout as in
    its authors' code.
    """
    small = wants_small_stem(stem, input_shape)
    images = keras.Input(input_shape, name="images")
    x = convolve(images, narrowed(32, width), 3, 1 if small else 2, activation="relu6")
    for number, (channels, stride) in enumerate(BLOCKS):
        x = convolve_depthwise(x, 1 if small and number == 1 else stride)
        x = convolve(x, narrowed(channels, width), 1, activation="relu6")
    x = drop(layers.GlobalAveragePooling2D()(x), dropout)
    return classified(images, x, classes, "mobilenet_v1")
