"""The default network: a stack of conv blocks under one dense layer."""

import keras
from keras import layers

from models.head import ending


def small_cnn(
    input_shape: tuple[int, int, int], classes: int, width: int = 32, blocks: int = 3
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    Each block is a 3x3 convolution, batch normalization, ReLU and a 2x2 max-pool; `width` is the
    channel count of the first, and each later one doubles it. The pool rounds up, so a picture may
    be as small as one pixel. At 28x28x1, 10 classes, width 32: 94,186 trainable parameters.

    Batch-norm momentum is 0.9, not Keras' 0.99: in a run of a few hundred steps the slower average
    is still near its start, and validation looks like chance.
    """
    images = x = keras.Input(input_shape, name="images")
    for block in range(blocks):
        x = layers.Conv2D(width << block, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    probabilities = layers.Dense(classes, activation=ending(), name="probabilities")(x)
    return keras.Model(images, probabilities, name="small_cnn")
