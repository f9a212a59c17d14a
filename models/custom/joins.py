"""The layers that join branches, and the table of all kinds by the word a list has for them."""

from collections.abc import Mapping, Sequence

from pydantic import Field

from models.custom import kernels, layers
from models.custom.base import Activation, Joining, Layer, Shape, spelled


class _Elementwise(Joining):
    activation: Activation = Field("none", description="put behind it")

    def shape(self, *given: Shape) -> Shape:
        """Return the shape all have; raises ValueError where two differ."""
        return _common(self.of, given, given)


class Add(_Elementwise):
    """The sum of layers of one shape: the end of a residual branch."""


class Multiply(_Elementwise):
    """The product of layers of one shape: a gate."""


class Concatenate(Joining):
    """The channels of several layers side by side; their heights and widths are equal."""

    def shape(self, *given: Shape) -> Shape:
        """Return `(H, W, sum of C)` or `(sum of F,)`; raises ValueError where sides differ."""
        sides = _common(self.of, given, [shape[:-1] for shape in given])
        channels = [shape[-1] for shape in given]
        return (*sides, None if None in channels else sum(count or 0 for count in channels))


def _common(names: Sequence[str], shapes: Sequence[Shape], parts: Sequence[Shape]) -> Shape:
    """Return what all `parts` of `shapes` are, filling in one what another does not know."""
    met = parts[0]
    for name, shape, part in zip(names, shapes, parts, strict=True):
        if len(shape) != len(shapes[0]) or not all(map(_agree, met, part)):
            raise ValueError(
                f"of: shapes do not fit: {names[0]!r} is {spelled(shapes[0])}, {name!r} is "
                f"{spelled(shape)}"
            )
        met = tuple(one or other for one, other in zip(met, part, strict=True))
    return met


def _agree(one: int | None, other: int | None) -> bool:
    return one is None or other is None or one == other


KINDS: Mapping[str, type[Layer]] = {
    "conv": kernels.Conv,
    "depthwise_conv": kernels.DepthwiseConv,
    "separable_conv": kernels.SeparableConv,
    "transposed_conv": kernels.TransposedConv,
    "max_pool": layers.MaxPool,
    "average_pool": layers.AveragePool,
    "global_max_pool": layers.GlobalMaxPool,
    "global_average_pool": layers.GlobalAveragePool,
    "upsample": layers.Upsample,
    "flatten": layers.Flatten,
    "dense": kernels.Dense,
    "normalization": layers.Normalize,
    "activation": layers.Activate,
    "dropout": layers.Dropout,
    "spatial_dropout": layers.SpatialDropout,
    "add": Add,
    "multiply": Multiply,
    "concatenate": Concatenate,
}
