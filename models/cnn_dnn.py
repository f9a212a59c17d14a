"""A few convolutions under a deep dense network: what textbooks train on CIFAR-10."""

from typing import Literal

import keras
from keras import layers

from models.blocks.convolution import convolve
from models.blocks.regularization import drop
from models.blocks.size import classified


def cnn_dnn(
    input_shape: tuple[int, int, int],
    classes: int,
    width: int = 32,
    dropout: float = 0.2,
    normalization: Literal["none", "batch", "layer", "group", "instance"] = "none",
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    Three 3x3 convolutions of `width`, twice and four times that, each rectified and max-pooled;
    then dense 512-256-128, each with dropout. 1,307,850 parameters at 32x32x3 with 10 classes,
    most of them where 2,048 flattened values meet 512 units. Pools round up.

    Source: teaching material; it says 82.29 % on CIFAR-10's test pictures after 50 epochs, and
    `configs/cifar10.yaml` trains it.
    """
    images = x = keras.Input(input_shape, name="images")
    for channels in (width, 2 * width, 4 * width):
        x = convolve(x, channels, 3, normalization=normalization)
        x = layers.MaxPooling2D(padding="same")(x)
    x = layers.Flatten()(x)
    for units in (16 * width, 8 * width, 4 * width):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_normal")(x)
        x = drop(x, dropout)
    return classified(images, x, classes, "cnn_dnn")
