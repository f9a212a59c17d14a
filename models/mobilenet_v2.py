"""MobileNetV2: narrow tensors between blocks, wide ones inside, residuals on the narrow."""

from typing import Any, Literal

import keras
from keras import layers

from models.blocks.convolution import convolve, convolve_depthwise
from models.blocks.regularization import drop
from models.blocks.size import classified, narrowed, wants_small_stem

# Expansion, channels, blocks, and the stride of the first of them. Table 2.
STAGES = (
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
)


def mobilenet_v2(
    input_shape: tuple[int, int, int],
    classes: int,
    width: float = 1.0,
    dropout: float = 0.2,
    stem: Literal["auto", "paper", "small"] = "auto",
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    A 3x3/2 stem of 32 channels; seventeen inverted residuals, each a 1x1 expansion, a 3x3
    depthwise and a linear 1x1 convolution; a 1x1 to 1,280, global average pooling, dropout, one
    dense layer. 3,504,872 trainable parameters at 224x224x3 with 1,000 classes and width 1.
    `width` multiplies every channel count, to multiples of 8; the last 1,280 only grow. `small`
    pictures (under 64 pixels) are not halved by the stem, nor by the first strided stage.

    Source: Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: inverted residuals and linear
    bottlenecks", 2018.
    """
    small = wants_small_stem(stem, input_shape)
    images = keras.Input(input_shape, name="images")
    x = convolve(images, narrowed(32, width), 3, 1 if small else 2, activation="relu6")
    for number, (expansion, channels, blocks, stride) in enumerate(STAGES):
        for block in range(blocks):
            strides = 1 if block or (small and number == 1) else stride
            x = _inverted_residual(x, expansion, narrowed(channels, width), strides)
    x = convolve(x, narrowed(1280, max(1, width)), 1, activation="relu6")
    x = drop(layers.GlobalAveragePooling2D()(x), dropout)
    return classified(images, x, classes, "mobilenet_v2")


def _inverted_residual(x: Any, expansion: int, channels: int, stride: int) -> Any:
    kept = x
    if expansion > 1:
        x = convolve(x, expansion * x.shape[-1], 1, activation="relu6")
    x = convolve_depthwise(x, stride)
    x = convolve(x, channels, 1, activation="none")
    return layers.Add()([kept, x]) if stride == 1 and kept.shape[-1] == channels else x
