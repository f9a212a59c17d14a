"""Activations by name, each as a layer of its own."""

from collections.abc import Callable, Mapping
from typing import Any

from keras import layers

ACTIVATIONS: Mapping[str, Callable[[], layers.Layer]] = {
    "relu": layers.ReLU,
    "relu6": lambda: layers.ReLU(max_value=6.0),
    "leaky_relu": lambda: layers.LeakyReLU(negative_slope=0.1),
    "prelu": lambda: layers.PReLU(shared_axes=[1, 2]),
    "elu": layers.ELU,
    "sigmoid": lambda: layers.Activation("sigmoid"),
    "tanh": lambda: layers.Activation("tanh"),
}


def activate(x: Any, kind: str) -> Any:
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
        return layers.PReLU()(x)
    return ACTIVATIONS[kind]()(x)
