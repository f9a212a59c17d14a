"""Activations by name, each as a layer of its own."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras
from keras import layers

from models.blocks.naming import part


def elu(x: Any, name: str | None = None) -> Any:
    """Return `x` above zero, `exp(x) - 1` below, of any shape.

    Keras' own layer of this name becomes an operation that TensorFlow Lite has in float only:
    the converter would leave it, unasked, between int8 ones. This form is int8 throughout. The
    negative half is `x - relu(x)`: int8 `MINIMUM` with a constant gave wrong numbers.

    Source: Clevert, Unterthiner, Hochreiter, 2016.
    """
    above = layers.ReLU(name=part(name, "above"))(x)
    below = keras.ops.exp(layers.Subtract(name=part(name, "below"))([x, above])) - 1.0
    return layers.Add(name=name)([above, below])


ACTIVATIONS: Mapping[str, Callable[..., Callable[[Any], Any]]] = {
    "relu": layers.ReLU,
    "relu6": partial(layers.ReLU, max_value=6.0),
    "leaky_relu": partial(layers.LeakyReLU, negative_slope=0.1),
    "prelu": partial(layers.PReLU, shared_axes=[1, 2]),
    "elu": lambda name=None: partial(elu, name=name),
    "sigmoid": partial(layers.Activation, "sigmoid"),
    "tanh": partial(layers.Activation, "tanh"),
}


def activate(x: Any, kind: str, name: str | None = None) -> Any:
    """Apply a nonlinearity to `(B, H, W, C)` or `(B, C)`; `none` returns `x` as it is.

    `leaky_relu` has slope 0.1 below zero; `prelu` learns one slope a channel.

    Raises:
        ValueError: there is no such kind.
    """
    if kind == "none":
        return x
    if kind not in ACTIVATIONS:
        raise ValueError(f"activation {kind!r}: known: none, {', '.join(ACTIVATIONS)}")
    if kind == "prelu" and len(x.shape) == 2:
        return layers.PReLU(name=name)(x)
    return ACTIVATIONS[kind](name=name)(x)
