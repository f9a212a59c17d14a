"""Pieces of a quantization-aware network that are several operations in the file."""

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from pipeline.compress.aware.layers import FakeQuantize, Scalar
from pipeline.compress.aware.plan import CURVES
from pipeline.errors import ConversionError

SIX = (0.0, 6.0)


def rectifier(activation: str, name: str) -> Any:
    """The layer of `relu` or `relu6`."""
    return layers.ReLU(6.0 if activation == "relu6" else None, name=name)


def hard_sigmoid(tensor: Any, name: str) -> Any:
    """`relu6(x + 3) / 6`: a sum that takes in the rectifier, and a product."""
    raised = Scalar("add", 3.0, name=f"{name}.three")(tensor)
    clipped = FakeQuantize(SIX, name=f"{name}.six.scale")(rectifier("relu6", f"{name}.six")(raised))
    return Scalar("multiply", 1 / 6, name=f"{name}.sixth")(clipped)


def gate(tensor: Any, name: str, hard: bool) -> Any:
    """The sigmoid of a tensor, or the hard one, rounded: what SiLU multiplies it by."""
    kind = "hard_sigmoid" if hard else "sigmoid"
    if hard:
        made = hard_sigmoid(tensor, name)
    else:
        made = layers.Activation("sigmoid", name=f"{name}.gate")(tensor)
    return FakeQuantize(CURVES[kind], name=f"{name}.gate.scale")(made)


def affine(layer: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scale and offset of a rescaling or a normalization: of each channel, or one for all.

    Raises:
        ConversionError: the normalization is one that undoes another.
    """
    if isinstance(layer, layers.Rescaling):
        scale, offset = np.asarray(layer.scale), np.asarray(layer.offset)
    else:
        if layer.invert:
            raise ConversionError(f"qat: layer '{layer.name}' denormalizes: take int8")
        mean, variance = (np.asarray(one, float).ravel() for one in (layer.mean, layer.variance))
        scale = 1 / np.maximum(np.sqrt(variance), keras.config.epsilon())
        offset = -mean * scale
    return np.atleast_1d(scale).astype(np.float32), np.atleast_1d(offset).astype(np.float32)
