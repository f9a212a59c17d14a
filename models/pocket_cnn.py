"""Ours for the pocket: two convolutions a block, so as to go deeper on as few parameters."""

from collections.abc import Sequence
from math import prod
from typing import Any

import keras
from keras import layers

from models.blocks.convolution import convolve
from models.blocks.size import classified


def pocket_cnn(
    input_shape: tuple[int, int, int],
    classes: int,
    widths: Sequence[int] = (32, 48, 56),
    weighted_pool: bool = False,
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    Each block is a 3x3 convolution, batch norm and ReLU, a 2x2 max-pool, and another 3x3
    convolution, batch norm and ReLU on a quarter of the places; `widths` are their channels. Global
    average pooling and one dense layer follow. The first convolution has a bias and no batch norm,
    which on all of a picture's places costs training on CPUs more than the convolution does. At
    28x28x1, 10 classes: 97,562 trainable parameters and 7.4 million MACs, as `small_cnn` has on
    half as many convolutions. The pool rounds up, so a picture may be as small as one pixel.

    With `weighted_pool` the last pool learns a weight for each place and channel, beginning with
    the average: for things that fill the middle of their pictures, as in catalogues and digits. It
    is a depthwise convolution as large as the map, as in Chen et al., 2018, "MobileFaceNets", sect.
    3.2 (without their batch norm); at 28x28x1 there are then 98,458 trainable parameters.
    """
    images = x = keras.Input(input_shape, name="images")
    for block, width in enumerate(widths):
        x = convolve(x, width, 3, normalization="batch" if block else "none")
        x = layers.MaxPooling2D(padding="same")(x)
        x = convolve(x, width, 3)
    pooled = _pool_by_place(x) if weighted_pool else layers.GlobalAveragePooling2D()(x)
    return classified(images, pooled, classes, "pocket_cnn")


def _pool_by_place(x: Any) -> Any:
    """Sum each channel of `(B, H, W, C)` over its places, by weights that begin as the mean's."""
    places = x.shape[1:3]
    mean = keras.initializers.Constant(1 / prod(places))
    x = layers.DepthwiseConv2D(places, use_bias=False, depthwise_initializer=mean)(x)
    return layers.Flatten()(x)
