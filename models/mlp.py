"""Dense layers alone: the baselines that show what convolution is worth."""

from typing import Any

import keras
from keras import layers

from models.blocks.regularization import drop
from models.blocks.size import classified


def mlp(input_shape: tuple[int, int, int], classes: int, width: int = 128) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities by one hidden layer.

    The ANN: pixels in a row, `width` rectified units, one dense layer. 101,770 parameters at
    28x28x1 with 10 classes.

    Source: Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors",
    1986; with rectifiers and a softmax.
    """
    images = keras.Input(input_shape, name="images")
    x = _rectified(layers.Flatten()(images), width)
    return classified(images, x, classes, "mlp")


def deep_mlp(
    input_shape: tuple[int, int, int], classes: int, width: int = 512, dropout: float = 0.2
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities by three hidden layers.

    The DNN: `width`, half and a quarter of it, each rectified and followed by dropout: the dense
    part of `cnn_dnn` without its convolutions. 567,434 parameters at 28x28x1 with 10 classes.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: a simple way to
    prevent neural networks from overfitting", 2014; smaller and with less dropout.
    """
    images = keras.Input(input_shape, name="images")
    x = layers.Flatten()(images)
    for units in (width, width // 2, width // 4):
        x = drop(_rectified(x, units), dropout)
    return classified(images, x, classes, "deep_mlp")


def _rectified(x: Any, units: int) -> Any:
    return layers.Dense(units, activation="relu", kernel_initializer="he_normal")(x)
