"""The unit of most networks: convolution, normalization, activation."""

import math
from typing import Any

import keras
from keras import layers

from models.blocks.activation import activate
from models.blocks.naming import part
from models.blocks.normalization import normalize


def convolve(
    x: Any,
    channels: int,
    kernel: int,
    stride: int = 1,
    *,
    normalization: str = "batch",
    activation: str = "relu",
    name: str | None = None,
    **others: Any,
) -> Any:
    """Convolve `(B, H, W, C)` to `channels`, normalize, activate.

    There is a bias where nothing normalizes it away, and padding to the same size; `others` are
    arguments of `Conv2D` that say otherwise. Kernels start as He et al. propose for rectifiers
    (2015).
    """
    usual = {"use_bias": normalization == "none", "kernel_initializer": "he_normal"}
    settings = {"padding": "same"} | usual | others
    x = layers.Conv2D(channels, kernel, stride, name=name, **settings)(x)
    return finish(x, normalization, activation, name)


def finish(x: Any, normalization: str, activation: str, name: str | None = None) -> Any:
    """Normalize and activate `x`: what comes behind most layers, and is named after the layer."""
    x = normalize(x, normalization, name=part(name, "normalization"))
    return activate(x, activation, part(name, "activation"))


def convolve_depthwise(
    x: Any, stride: int = 1, *, normalization: str = "batch", activation: str = "relu6"
) -> Any:
    """Convolve each channel of `(B, H, W, C)` by a 3x3 kernel of its own, normalize, activate."""
    x = layers.DepthwiseConv2D(
        3, stride, padding="same", use_bias=False, depthwise_initializer=depthwise_start(3)
    )(x)
    return finish(x, normalization, activation)


def depthwise_start(kernel: int) -> keras.initializers.Initializer:
    """What He et al. propose (2015) for a channel that sees `kernel * kernel` values.

    Keras' `he_normal` counts the inputs of all channels, and begins with far too little.
    """
    return keras.initializers.RandomNormal(stddev=math.sqrt(2) / kernel)
