"""The first network of most courses: two convolutions and two dense layers."""

import keras
from keras import layers

from models.blocks.convolution import convolve
from models.blocks.size import classified


def simple_cnn(
    input_shape: tuple[int, int, int], classes: int, width: int = 32, dense: int = 64
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    Conv `width`, pool, conv twice that, pool, dense `dense`, dense: all 3x3 and rectified. 121,930
    parameters at 28x28x1 with 10 classes. Convolutions are valid; a picture under 10 pixels leaves
    them too little, and is padded.

    Source: Chollet, "Deep Learning with Python", 2017, chapter 5, has one convolution more.
    """
    padding = "same" if min(input_shape[:2]) < 10 else "valid"
    images = x = keras.Input(input_shape, name="images")
    for channels in (width, 2 * width):
        x = convolve(x, channels, 3, padding=padding, normalization="none")
        x = layers.MaxPooling2D(padding=padding)(x)
    x = layers.Dense(dense, activation="relu")(layers.Flatten()(x))
    return classified(images, x, classes, "simple_cnn")
