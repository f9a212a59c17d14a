"""VGG: blocks of 3x3 convolutions, each block ending in a pool."""

from functools import partial
from typing import Literal

import keras
from keras import layers

from models.blocks.convolution import convolve
from models.blocks.regularization import drop
from models.blocks.size import classified, narrowed

CHANNELS = (64, 128, 256, 512, 512)


def vgg(
    input_shape: tuple[int, int, int],
    classes: int,
    depths: tuple[int, ...],
    name: str,
    *,
    width: float = 1.0,
    normalization: Literal["none", "batch", "layer", "group", "instance"] = "none",
    dropout: float = 0.5,
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    Five blocks of 64 to 512 channels, `depths` rectified 3x3 convolutions in each, a 2x2 max-pool
    after it; dense 4096-4096 with dropout. At 224x224x3 with 1,000 classes 132,863,336 (vgg11),
    133,047,848 (vgg13), 138,357,544 (vgg16), 143,667,240 (vgg19) parameters. Pools round up, so
    that small pictures keep a pixel to the end.

    The paper's form has no normalization, and its deep ones were trained from shallow ones;
    `normalization="batch"` lets them learn from the start.

    Source: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image
    recognition", 2014, table 1: A, B, D and E. Kernels start as He et al. propose (2015).
    """
    images = x = keras.Input(input_shape, name="images")
    for channels, depth in zip(CHANNELS, depths, strict=True):
        for _ in range(depth):
            x = convolve(x, narrowed(channels, width), 3, normalization=normalization)
        x = layers.MaxPooling2D(padding="same")(x)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(narrowed(4096, width), activation="relu", kernel_initializer="he_normal")(
            x
        )
        x = drop(x, dropout)
    return classified(images, x, classes, name)


vgg11 = partial(vgg, depths=(1, 1, 2, 2, 2), name="vgg11")
vgg13 = partial(vgg, depths=(2, 2, 2, 2, 2), name="vgg13")
vgg16 = partial(vgg, depths=(2, 2, 3, 3, 3), name="vgg16")
vgg19 = partial(vgg, depths=(2, 2, 4, 4, 4), name="vgg19")
