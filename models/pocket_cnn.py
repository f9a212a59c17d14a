"""Ours for the pocket: two convolutions a block, so as to go deeper on as few parameters."""

from collections.abc import Sequence

import keras
from keras import layers

from models.blocks.convolution import convolve
from models.blocks.size import classified


def pocket_cnn(
    input_shape: tuple[int, int, int], classes: int, widths: Sequence[int] = (24, 48, 60)
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    Each block is a 3x3 convolution, batch norm and ReLU, a 2x2 max-pool, and another 3x3
    convolution, batch norm and ReLU on a quarter of the places; `widths` are their channels. Global
    average pooling and one dense layer follow. At 28x28x1, 10 classes: 95,962 trainable parameters
    and 6.0 million MACs, of which `small_cnn` has 94,186 and 7.4, in half as many convolutions. The
    pool rounds up, so a picture may be as small as one pixel.
    """
    images = x = keras.Input(input_shape, name="images")
    for width in widths:
        x = convolve(x, width, 3)
        x = layers.MaxPooling2D(padding="same")(x)
        x = convolve(x, width, 3)
    return classified(images, layers.GlobalAveragePooling2D()(x), classes, "pocket_cnn")
