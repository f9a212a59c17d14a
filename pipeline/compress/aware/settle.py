"""Bring the biases of a quantization-aware model to values that its file can hold."""

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from pipeline.compress.aware.layers import (
    LEVELS,
    ChannelAffine,
    FakeQuantize,
    QuantizedKernel,
    channel_axes,
)

Numbers = NDArray[np.float64]
KINDS = (QuantizedKernel, ChannelAffine, layers.BatchNormalization)
PEAK = 127  # what the largest weight of a channel is in int8


def settle(model: keras.Model) -> None:
    """Round the biases of a trained quantization-aware model as the file will, in place.

    A bias is an integer there, in steps of the input's scale times the kernel's: up to a hundredth
    of a step of the output, which in a deep network comes to something. A bias folded from a batch
    normalization is moved by that layer's beta. Layers that are shared stay as they are: they have
    a bias for each scale of their inputs.
    """
    for layer in model.layers:
        if isinstance(layer, KINDS) and (step := _step(layer)) is not None:
            if isinstance(layer, QuantizedKernel):
                _settle_kernel(layer, step * _kernel_steps(layer))
            elif isinstance(layer, ChannelAffine):
                unit = step / PEAK * np.abs(np.asarray(layer.scale, float))
                layer.offset.assign(_to_grid(np.asarray(layer.offset, float), unit))
            elif not _folded(layer):
                _move_beta(layer, np.full(layer.moving_mean.shape, step / PEAK), 0.0)


def _settle_kernel(layer: QuantizedKernel, unit: Numbers) -> None:
    """Settle the bias of a kernel, or of what is folded into it, in units of its sums."""
    behind = _normalization(layer)
    bias = np.asarray(layer.layer.bias, float) if layer.layer.use_bias else None
    if behind is not None:
        _move_beta(behind, unit, 0.0 if bias is None else bias)
    elif bias is not None:
        layer.layer.bias.assign(_to_grid(bias, unit))


def _move_beta(layer: Any, unit: Numbers, bias: Any) -> None:
    """Round what a normalization adds, given the unit of the sums that come to it."""
    if not layer.center:
        return
    gain = np.asarray(layer.gamma, float) if layer.scale else 1.0
    gain = gain / np.sqrt(np.asarray(layer.moving_variance, float) + layer.epsilon)
    beta = np.asarray(layer.beta, float)
    added = beta + (bias - np.asarray(layer.moving_mean, float)) * gain
    layer.beta.assign(beta + _to_grid(added, unit * np.abs(gain)) - added)


def _to_grid(values: Numbers, unit: Numbers) -> Numbers:
    """The nearest multiple of a unit; of a unit of zero, the value itself."""
    safe = np.where(unit > 0, unit, 1.0)
    return np.where(unit > 0, np.rint(values / safe) * safe, values)


def _kernel_steps(layer: QuantizedKernel) -> Numbers:
    """The step of each output channel's weights."""
    kernel = np.asarray(layer.kernel(), float)
    axes = channel_axes(layer.layer)
    others = tuple(axis for axis in range(kernel.ndim) if axis not in axes)
    return np.asarray(np.abs(kernel).max(axis=others).ravel() / PEAK)


def _step(layer: Any) -> float | None:
    """The scale of a layer's input; None where it is called with several."""
    while not isinstance(layer, FakeQuantize):
        if len(layer._inbound_nodes) != 1 or not layer._inbound_nodes[0].arguments.keras_tensors:
            return None
        layer = _before(layer)
    return float(layer.high - layer.low) / LEVELS


def _before(layer: Any) -> Any:
    """What makes the first input of a layer's first call."""
    return layer._inbound_nodes[0].arguments.keras_tensors[0]._keras_history.operation


def _folded(layer: Any) -> bool:
    return isinstance(_before(layer), QuantizedKernel)


def _normalization(layer: Any) -> Any | None:
    """The batch normalization that a kernel takes in."""
    behind = [node.operation for node in layer._outbound_nodes]
    alone = len(behind) == 1 and isinstance(behind[0], layers.BatchNormalization)
    return behind[0] if alone else None
