"""ResNet: every block adds to what it was given."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import keras
from keras import layers

from models.blocks.activation import activate
from models.blocks.convolution import convolve
from models.blocks.size import classified, narrowed, wants_small_stem


def _basic(x: Any, channels: int, stride: int) -> Any:
    """Two 3x3 convolutions, their sum with `x` rectified."""
    kept = _projected(x, channels, stride)
    x = convolve(x, channels, 3, stride)
    x = convolve(x, channels, 3, activation="none")
    return activate(layers.Add()([kept, x]), "relu")


def _bottleneck(x: Any, channels: int, stride: int) -> Any:
    """1x1 down, 3x3, 1x1 up to four times `channels`; its sum with `x` rectified."""
    kept = _projected(x, 4 * channels, stride)
    x = convolve(x, channels, 1)
    x = convolve(x, channels, 3, stride)
    x = convolve(x, 4 * channels, 1, activation="none")
    return activate(layers.Add()([kept, x]), "relu")


def _projected(x: Any, channels: int, stride: int) -> Any:
    """Bring `x` to a block's output by a 1x1 convolution, where its shape changes."""
    if stride == 1 and x.shape[-1] == channels:
        return x
    return convolve(x, channels, 1, stride, activation="none")


def resnet(
    input_shape: tuple[int, int, int],
    classes: int,
    block: Callable[..., Any],
    depths: tuple[int, ...],
    name: str,
    *,
    width: float = 1.0,
    stem: Literal["auto", "paper", "small"] = "auto",
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    A 7x7/2 stem and a 3x3/2 pool, four stages of `depths` blocks at 64, 128, 256 and 512 channels,
    each but the first halving the size; global average pooling, one dense layer. Convolutions have
    no bias. At 224x224x3 with 1,000 classes 11,689,512 (resnet18), 21,797,672 (resnet34) and
    25,557,032 (resnet50) trainable parameters. `small` pictures (under 64 pixels) meet a 3x3/1
    stem without a pool, as in the paper's own networks for CIFAR-10.

    Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, table 1 and
    option B. In resnet50 the 3x3 of a block strides, not its first 1x1, as in most later code;
    padding is TensorFlow's "same".
    """
    images = keras.Input(input_shape, name="images")
    first = narrowed(64, width)
    if wants_small_stem(stem, input_shape):
        x = convolve(images, first, 3)
    else:
        x = convolve(images, first, 7, 2)
        x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, depth in enumerate(depths):
        for number in range(depth):
            stride = 2 if stage and not number else 1
            x = block(x, narrowed(64 << stage, width), stride)
    x = layers.GlobalAveragePooling2D()(x)
    return classified(images, x, classes, name)


resnet18 = partial(resnet, block=_basic, depths=(2, 2, 2, 2), name="resnet18")
resnet34 = partial(resnet, block=_basic, depths=(3, 4, 6, 3), name="resnet34")
resnet50 = partial(resnet, block=_bottleneck, depths=(3, 4, 6, 3), name="resnet50")
