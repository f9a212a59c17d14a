"""Normalization by name."""

from typing import Any, get_args

import keras
from keras import layers

from models.blocks.kinds import GROUPS, NormalizationKind
from models.blocks.naming import part

MOMENTUM = 0.9  # not Keras' 0.99: in a run of a few hundred steps that is still near its start
EPSILON = 1e-3  # what Keras' own layers add to a variance

NORMALIZATIONS: tuple[str, ...] = get_args(NormalizationKind)


def normalize(x: Any, kind: str, *, groups: int | None = None, name: str | None = None) -> Any:
    """Normalize feature maps `(B, H, W, C)` or features `(B, C)`; `none` returns them as they are.

    - `batch`: each channel over batch, height and width (Ioffe and Szegedy, 2015).
    - `layer`: each position over its channels (Ba, Kiros and Hinton, 2016).
    - `group`: each picture over height, width and a group of its channels (Wu and He, 2018): 8
      groups, or one where the channels are not so divisible, unless `groups` says otherwise.
    - `instance`: each channel of each picture over height and width (Ulyanov et al., 2016).

    The last three are put together of small operations instead of being Keras' layers of the
    same name. Of those the converter leaves a part in float between int8 ones; this form is int8
    throughout, computes the same and is smaller.

    Raises:
        ValueError: there is no such kind.
    """
    if kind == "none":
        return x
    if kind not in NORMALIZATIONS:
        raise ValueError(f"normalization {kind!r}: known: none, {', '.join(NORMALIZATIONS)}")
    if kind == "batch":
        return layers.BatchNormalization(momentum=MOMENTUM, name=name)(x)
    *places, channels = shape = tuple(x.shape[1:])
    if kind == "group" and groups is None:
        groups = 1 if channels % GROUPS else GROUPS
    if len(shape) == 1 or kind == "group":
        split = (*(places or (1, 1)), *((groups, channels // groups) if groups else (channels,)))
        x = layers.Reshape(split, name=part(name, "split"))(x)
    x = _standardize(x, {"layer": (3,), "group": (1, 2, 4), "instance": (1, 2)}[kind], name)
    flat = (*(places or (1, 1)), channels)
    if x.shape[1:] != flat:
        x = layers.Reshape(flat, name=part(name, "joined"))(x)
    x = _scale(x, name)
    return x if x.shape[1:] == shape else layers.Reshape(shape, name=part(name, "flat"))(x)


def _standardize(x: Any, axes: tuple[int, ...], name: str | None) -> Any:
    """Bring the values along `axes` to mean 0 and deviation 1."""
    mean = keras.ops.mean(x, axes, keepdims=True)
    centred = layers.Subtract(name=part(name, "centred"))([x, mean])
    squares = layers.Multiply(name=part(name, "squares"))([centred, centred])
    variance = keras.ops.mean(squares, axes, keepdims=True)
    inverse = keras.ops.rsqrt(variance + EPSILON)
    return layers.Multiply(name=part(name, "standard"))([centred, inverse])


def _scale(x: Any, name: str | None) -> Any:
    """Give each channel of `(B, H, W, C)` a learned factor and offset, at first 1 and 0.

    Its name tells weight decay to leave it alone, as it does the scale of a batch norm.
    """
    own = part(name, "scale") or f"normalization.scale_{keras.backend.get_uid('scale')}"
    return layers.DepthwiseConv2D(1, depthwise_initializer="ones", name=own)(x)
