"""Ours for the pocket: two convolutions a block, so as to go deeper on as few parameters."""

from collections.abc import Sequence

import keras
from keras import layers

from models.blocks.convolution import convolve
from models.blocks.size import classified


def pocket_cnn(
    input_shape: tuple[int, int, int],
    classes: int,
    widths: Sequence[int] = (32, 48, 56),
    stem: int = 0,
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    Each block is a 3x3 convolution, batch norm and ReLU, a 2x2 max-pool, and another 3x3
    convolution, batch norm and ReLU on a quarter of the places; `widths` are their channels. Global
    average pooling and one dense layer follow. The very first convolution has a bias and no batch
    norm, which on all of a picture's places costs training on CPUs as much as the convolution does.
    At 28x28x1, 10 classes: 97,562 trainable parameters and 7.4 million MACs, as `small_cnn` has on
    half as many convolutions. The pool rounds up, so a picture may be as small as one pixel.

    `stem` is the channels of one more convolution in front, for more accuracy at half as many MACs
    again: with 16 before `widths` of 32, 48 and 53, 97,793 parameters and 10.8 million MACs.
    """
    images = x = keras.Input(input_shape, name="images")
    if stem:
        x = convolve(x, stem, 3, normalization="none")
    for block, width in enumerate(widths):
        x = convolve(x, width, 3, normalization="batch" if block or stem else "none")
        x = layers.MaxPooling2D(padding="same")(x)
        x = convolve(x, width, 3)
    return classified(images, layers.GlobalAveragePooling2D()(x), classes, "pocket_cnn")
