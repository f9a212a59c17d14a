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
PEAK = 127  # what the largest weight of a channel is in int8


def settle(model: keras.Model) -> None:
    """Round the biases of a trained quantization-aware model as the file will, in place.

    A bias is an integer there, in steps of the input's scale times the kernel's: up to a hundredth
    of a step of the output, which in a deep network comes to something. A bias folded from a batch
    normalization is moved by that layer's beta. Layers that are shared stay as they are: they have
    a bias for each scale of their inputs.
    """
    for layer in model.layers:
        if isinstance(layer, QuantizedKernel):
            step, behind = _step(layer), _normalization(layer)
            if step is not None and behind is not None:
                _move_beta(behind, step * _kernel_steps(layer), _bias(layer))
            elif step is not None and layer.layer.use_bias:
                bias = layer.layer.bias
                bias.assign(_to_grid(np.asarray(bias, float), step * _kernel_steps(layer)))
        elif isinstance(layer, ChannelAffine):
            if (step := _step(layer)) is not None:
                unit = step * np.abs(np.asarray(layer.scale, float)) / PEAK
                layer.offset.assign(_to_grid(np.asarray(layer.offset, float), unit))
        elif isinstance(layer, layers.BatchNormalization) and not _folded(layer):
            if (step := _step(layer)) is not None:
                _move_beta(layer, np.full(layer.moving_mean.shape, step / PEAK), 0.0)


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


def _bias(layer: QuantizedKernel) -> Any:
    return np.asarray(layer.layer.bias, float) if layer.layer.use_bias else 0.0


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
