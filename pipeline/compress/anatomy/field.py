"""The receptive field: how much of the picture one position of a feature map depends on."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from keras import layers
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose
from keras.src.layers.convolutional.base_depthwise_conv import BaseDepthwiseConv
from keras.src.layers.convolutional.base_separable_conv import BaseSeparableConv
from keras.src.layers.pooling.base_global_pooling import BaseGlobalPooling
from keras.src.layers.pooling.base_pooling import BasePooling

_CONVOLUTIONS = (BaseConv, BaseDepthwiseConv, BaseSeparableConv)
_ONE = (Fraction(1), Fraction(1))


@dataclass(frozen=True)
class Field:
    """Along height and width: pixels one position depends on, pixels from it to the next.

    `whole` after pooling over the whole map or flattening: there are no positions any more, and
    `size` stays what it was before.
    """

    size: tuple[Fraction, Fraction] = _ONE
    step: tuple[Fraction, Fraction] = _ONE
    whole: bool = False

    @property
    def pixels(self) -> tuple[int, int]:
        """`size`, rounded up."""
        height, width = (-(-side.numerator // side.denominator) for side in self.size)
        return height, width

    def grown(self, reach: Sequence[Fraction | int], pace: Sequence[Fraction | int]) -> "Field":
        """Look `reach` positions further in all, and take `pace` positions at a step."""
        sizes = [s + r * j for s, r, j in zip(self.size, reach, self.step, strict=True)]
        steps = [j * p for j, p in zip(self.step, pace, strict=True)]
        return Field((sizes[0], sizes[1]), (steps[0], steps[1]))


def field(operation: Any, given: Sequence[Field], sides: tuple[int, ...], out: int) -> Field | None:
    """Work out the field of a layer's output from those of its inputs.

    `sides` is the shape of the first input without the batch, `out` the rank of the output. A
    kernel k of dilation d grows a side by d(k-1) steps, and a stride multiplies the step. A
    transposed kernel reaches ceil((d(k-1)+1) / s) inputs and divides the step. Of several
    branches the largest counts, height and width each by itself; a branch without positions, as
    the gate of squeeze-and-excitation, does not: by it every position depends on the whole
    picture, which says nothing of what the kernels look at. Nearest upsampling divides the
    step, linear also reaches one position further.

    Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks",
    2019. They count pixels in the padding too, so a field may be larger than the picture.
    """
    if not given:
        return None
    before = _joined(given)
    if before.whole or out != 3 or isinstance(operation, BaseGlobalPooling):
        return Field(before.size, before.step, whole=True)
    return before.grown(*_look(operation, sides))


def _look(operation: Any, sides: tuple[int, ...]) -> tuple[Sequence[Any], Sequence[Any]]:
    """How many positions a layer reaches beyond one, and how many it takes at a step."""
    match operation:
        case BaseConvTranspose():
            spread = [d * (k - 1) + 1 for k, d in _taps(operation)]
            reach = [-(-k // s) - 1 for k, s in zip(spread, operation.strides, strict=True)]
            return reach, [Fraction(1, s) for s in operation.strides]
        case BasePooling():
            return [size - 1 for size in operation.pool_size], operation.strides
        case layers.UpSampling2D():
            reach = [int(operation.interpolation != "nearest" and s > 1) for s in operation.size]
            return reach, [Fraction(1, s) for s in operation.size]
        case layers.Resizing():
            first = 1 if operation.data_format == "channels_first" else 0
            wanted = operation.height, operation.width
            pace = [Fraction(a, b) for a, b in zip(sides[first:], wanted, strict=False)]
            return [int(p != 1) for p in pace], pace
    if isinstance(operation, _CONVOLUTIONS):
        return [d * (k - 1) for k, d in _taps(operation)], operation.strides
    return (0, 0), (1, 1)


def _taps(layer: Any) -> list[tuple[int, int]]:
    return list(zip(layer.kernel_size, layer.dilation_rate, strict=True))


def _joined(given: Sequence[Field]) -> Field:
    maps = [one for one in given if not one.whole] or list(given)
    height, width = (max(one.size[axis] for one in maps) for axis in (0, 1))
    down, across = (max(one.step[axis] for one in maps) for axis in (0, 1))
    return Field((height, width), (down, across), maps[0].whole)
