"""DenseNet: every layer reads all the layers before it in its block."""

from functools import partial
from typing import Any, Literal

import keras
from keras import layers

from models.blocks.activation import activate
from models.blocks.convolution import convolve
from models.blocks.normalization import normalize
from models.blocks.size import classified, wants_small_stem


def densenet(
    input_shape: tuple[int, int, int],
    classes: int,
    name: str,
    *,
    growth: int = 32,
    depths: tuple[int, ...] = (6, 12, 24, 16),
    stem: Literal["auto", "paper", "small"] = "auto",
) -> keras.Model:
    """Map normalized images `(B, H, W, C)` to class probabilities `(B, classes)`.

    A 7x7/2 stem of twice `growth` channels and a 3x3/2 pool; dense blocks of `depths` layers, each
    a 1x1 to four times `growth` and a 3x3 to `growth`, joined to what it read; between blocks
    transitions that halve channels and size; global average pooling, one dense layer. Norm and
    rectifier stand before each convolution. 7,978,856 trainable parameters at 224x224x3 with 1,000
    classes. `small` pictures (under 64 pixels) meet a 3x3/1 stem without a pool.

    A small form for small pictures is `growth=12, depths=[16, 16, 16]`: the paper's DenseNet-BC of
    100 layers, 769,162 at 32x32x3 with 10 classes.

    Source: Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional networks",
    2016, table 1.
    """
    if not depths or min(depths) < 1:
        raise ValueError(f"depths {list(depths)}: a block has a layer at least")
    images = keras.Input(input_shape, name="images")
    if wants_small_stem(stem, input_shape):
        x = convolve(images, 2 * growth, 3, normalization="none", activation="none", use_bias=False)
    else:
        x = convolve(images, 2 * growth, 7, 2)
        x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for block, depth in enumerate(depths):
        if block:
            x = _normalized_then(x, x.shape[-1] // 2, 1)
            x = layers.AveragePooling2D(2, padding="same")(x)
        for _ in range(depth):
            new = _normalized_then(_normalized_then(x, 4 * growth, 1), growth, 3)
            x = layers.Concatenate()([x, new])
    x = activate(normalize(x, "batch"), "relu")
    x = layers.GlobalAveragePooling2D()(x)
    return classified(images, x, classes, name)


def _normalized_then(x: Any, channels: int, kernel: int) -> Any:
    x = activate(normalize(x, "batch"), "relu")
    return convolve(x, channels, kernel, normalization="none", activation="none", use_bias=False)


densenet121 = partial(densenet, name="densenet121")
