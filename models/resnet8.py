"""ResNet-8: the image classifier of MLPerf Tiny, small enough for a microcontroller."""

from typing import Any

import keras
from keras import layers

from models.blocks.activation import activate
from models.blocks.convolution import convolve
from models.blocks.regularization import penalty
from models.blocks.size import classified


def resnet8(
    input_shape: tuple[int, int, int], classes: int, width: int = 16, l2: float = 1e-4
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    A 3x3 stem of `width` channels and three residual blocks of `width`, twice and four times
    that; the later two halve the size and project by a 1x1 convolution without normalization.
    77,360 weights in kernels at 32x32x3 with 10 classes; 78,186 trainable parameters with biases
    and batch norms. `l2` penalizes the kernels of convolutions.

    Source: Banbury, Reddi, Torelli, Holleman, et al., "MLPerf Tiny benchmark", 2021, and its
    reference code. Global average pooling stands where that pools 8x8, the whole map at 32x32.
    """
    settings: dict[str, Any] = {"use_bias": True, "kernel_regularizer": penalty(l2=l2)}
    images = keras.Input(input_shape, name="images")
    x = convolve(images, width, 3, **settings)
    for stage in range(3):
        x = _block(x, width << stage, 2 if stage else 1, settings)
    x = layers.GlobalAveragePooling2D()(x)
    return classified(images, x, classes, "resnet8")


def _block(x: Any, channels: int, stride: int, settings: dict[str, Any]) -> Any:
    kept = x
    if stride > 1:
        kept = convolve(x, channels, 1, stride, normalization="none", activation="none", **settings)
    x = convolve(x, channels, 3, stride, **settings)
    x = convolve(x, channels, 3, activation="none", **settings)
    return activate(layers.Add()([kept, x]), "relu")
