"""AlexNet: five convolutions and two wide dense layers, the network of ImageNet 2012."""

from typing import Any, Literal

import keras
from keras import layers

from models.blocks.convolution import convolve
from models.blocks.regularization import drop
from models.blocks.size import classified, narrowed, wants_small_stem


def alexnet(
    input_shape: tuple[int, int, int],
    classes: int,
    width: float = 1.0,
    dropout: float = 0.5,
    groups: int = 1,
    stem: Literal["auto", "paper", "small"] = "auto",
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    11x11/4 at 96, 256@5x5, 384-384-256@3x3, overlapping 3x3/2 max-pools after the first, second
    and last; dense 4096-4096 with dropout 0.5. 62,378,344 parameters at 227x227x3 with 1,000
    classes; 46,764,746 at 224x224x1 with 10, the textbook's. `groups=2` splits the second, fourth
    and fifth convolution between two halves, as the paper did for two GPUs: 60,965,224.

    `small` pictures (under 128 pixels) meet a 5x5/1 stem and pools that round up.

    Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
    networks", 2012; without response normalization, as in Zhang et al., "Dive into Deep Learning",
    8.1. Kernels start as He et al. propose, not at deviation 0.01.
    """
    small = wants_small_stem(stem, input_shape, below=128)
    images = keras.Input(input_shape, name="images")
    x = _unit(images, narrowed(96, width), 5) if small else _stem(images, narrowed(96, width))
    x = _pool(x, small)
    x = _pool(_unit(x, narrowed(256, width), 5, groups), small)
    x = _unit(x, narrowed(384, width), 3)
    x = _unit(x, narrowed(384, width), 3, groups)
    x = _pool(_unit(x, narrowed(256, width), 3, groups), small)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(narrowed(4096, width), activation="relu", kernel_initializer="he_normal")(
            x
        )
        x = drop(x, dropout)
    return classified(images, x, classes, "alexnet")


def _stem(x: Any, channels: int) -> Any:
    return convolve(x, channels, 11, 4, padding="valid", normalization="none")


def _unit(x: Any, channels: int, kernel: int, groups: int = 1) -> Any:
    return convolve(x, channels, kernel, normalization="none", groups=groups)


def _pool(x: Any, small: bool) -> Any:
    return layers.MaxPooling2D(3, 2, padding="same" if small else "valid")(x)
