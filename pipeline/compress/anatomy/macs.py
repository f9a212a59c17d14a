"""Multiply-accumulates: what one picture costs in each kind of layer."""

from math import prod
from typing import Any

from keras import layers
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv
from keras.src.layers.convolutional.base_separable_conv import BaseSeparableConv

Shape = tuple[int, ...]

# Their weights have several axes, and meet the numbers one by one or not at all.
_ONE_BY_ONE = (layers.PReLU, layers.LayerNormalization, layers.Embedding)
_MULTIPLIES = {"Matmul", "Einsum", "Dot", "Tensordot", "Attention", "AdditiveAttention"}


def macs(operation: Any, given: Shape, output: Shape) -> int | None:
    """Count the multiply-accumulates of one call, from `given` to `output`, shapes without batch.

    One for each weight of the kernel at each position of the output. So a convolution costs
    height x width x filters x kernel x channels / groups; a depthwise one height x width x
    channels x kernel x multiplier; a separable one both of its halves. A transposed one spreads
    each position of its *input* over the kernel, and is counted there. Dilation changes nothing.
    Positions in the padding count, as is the custom and as `measure` counts files. Biases,
    normalization, activations, pooling, joins, resizing and everything else cost 0. None: the
    layer multiplies by a kernel, or one activation by another, and there is no rule for it here.
    """
    match operation:
        case BaseSeparableConv():
            kernels = operation.depthwise_kernel, operation.pointwise_kernel
            return _positions(operation, output) * sum(map(_size, kernels))
        case BaseConvTranspose():
            return _positions(operation, given) * _size(operation.kernel)
        case BaseConv() | BaseDepthwiseConv():
            return _positions(operation, output) * _size(operation.kernel)
        case layers.Dense():
            return prod(given[:-1]) * _size(operation.kernel)
    return None if _multiplies(operation) else 0


def _size(kernel: Any) -> int:
    return prod(int(side) for side in kernel.shape)


def _positions(layer: Any, shape: Shape) -> int:
    return prod(shape[1:] if layer.data_format == "channels_first" else shape[:-1])


def _multiplies(operation: Any) -> bool:
    if type(operation).__name__ in _MULTIPLIES:
        return True
    if isinstance(operation, _ONE_BY_ONE):
        return False
    weights = getattr(operation, "weights", ())
    return any(sum(side > 1 for side in weight.shape) > 1 for weight in weights)
