"""LeNet-5: the network that read handwritten digits on cheques."""

from typing import Literal

import keras
from keras import layers

from models.head import ending


def lenet5(
    input_shape: tuple[int, int, int],
    classes: int,
    activation: Literal["sigmoid", "tanh", "relu"] = "sigmoid",
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    The textbook form: 6@5x5 same, average pool, 16@5x5 valid, average pool, 120-84-classes;
    61,706 parameters at 28x28x1 with 10 classes. `activation="relu"` learns faster.

    A picture under 12 pixels leaves the second convolution too little to be valid: it is padded
    there. Pools round up.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
    recognition", 1998; in the form of Zhang et al., "Dive into Deep Learning", 7.6: plain average
    pooling, full connections between feature maps, softmax instead of Gaussian connections.
    """
    small = min(input_shape[:2]) < 12
    images = x = keras.Input(input_shape, name="images")
    x = layers.Conv2D(6, 5, padding="same", activation=activation)(x)
    x = layers.AveragePooling2D(2, padding="same")(x)
    x = layers.Conv2D(16, 5, padding="same" if small else "valid", activation=activation)(x)
    x = layers.AveragePooling2D(2, padding="same")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(120, activation=activation)(x)
    x = layers.Dense(84, activation=activation)(x)
    probabilities = layers.Dense(classes, activation=ending(), name="probabilities")(x)
    return keras.Model(images, probabilities, name="lenet5")
