"""The layers without kernels: arguments, ranges, and the shape each makes of its input's."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from models.blocks.kinds import ActivationKind, NormalizationKind
from models.custom.base import (
    Channels,
    Continuing,
    Kernel,
    Padding,
    Rate,
    Shape,
    Step,
    check_normalization,
    known,
    maps,
    slid,
)


class _Pool(Continuing):
    main: ClassVar[str | None] = "size"
    size: Kernel = Field(2, description="side of the window, in pixels")
    stride: Step | None = Field(None, description="pixels between two windows; default: `size`")
    padding: Padding = Field("same", description="same: rounds up; valid: whole windows only")

    def shape(self, *given: Shape) -> Shape:
        """Return `(H / stride, W / stride, C)`."""
        height, width, channels = maps(given[0])
        stride = self.stride or self.size
        return (
            slid(height, self.size, stride, padding=self.padding),
            slid(width, self.size, stride, padding=self.padding),
            channels,
        )


class MaxPool(_Pool):
    """The largest value of each window."""


class AveragePool(_Pool):
    """The mean of each window."""


class _GlobalPool(Continuing):
    def shape(self, *given: Shape) -> Shape:
        """Return `(C,)`."""
        return (maps(given[0])[2],)


class GlobalMaxPool(_GlobalPool):
    """The largest value of each feature map."""


class GlobalAveragePool(_GlobalPool):
    """The mean of each feature map."""


class Upsample(Continuing):
    """Maps made larger without weights."""

    main: ClassVar[str | None] = "factor"
    factor: Annotated[int, Field(strict=True, ge=2, le=32)] = Field(2, description="of both sides")
    interpolation: Literal["nearest", "bilinear"] = Field("nearest", description="between pixels")

    def shape(self, *given: Shape) -> Shape:
        """Return `(H * factor, W * factor, C)`."""
        height, width, channels = maps(given[0])
        sides = (None if side is None else side * self.factor for side in (height, width))
        return (*sides, channels)


class Flatten(Continuing):
    """Feature maps as one row of features."""

    def shape(self, *given: Shape) -> Shape:
        """Return `(H * W * C,)`."""
        return (known(maps(given[0])) or None,)


class _Same(Continuing):
    def shape(self, *given: Shape) -> Shape:
        """Return the shape given."""
        return given[0]


class Normalize(_Same):
    """Normalization as a layer of its own."""

    main: ClassVar[str | None] = "kind"
    kind: NormalizationKind = Field(description="which one")
    groups: Channels | None = Field(
        None, description="of `group`; default: 8 where they divide the channels, else one"
    )

    @model_validator(mode="after")
    def _groups_belong_to_group(self) -> Self:
        if self.groups is not None and self.kind != "group":
            raise ValueError(f"groups: {self.kind} normalization has none")
        return self

    def shape(self, *given: Shape) -> Shape:
        """Return the shape given."""
        check_normalization(self.kind, given[0], self.groups)
        return given[0]


class Activate(_Same):
    """Activation as a layer of its own."""

    main: ClassVar[str | None] = "kind"
    kind: ActivationKind = Field(description="which one")


class Dropout(_Same):
    """Single values left out while training."""

    main: ClassVar[str | None] = "rate"
    rate: Rate = Field(description="share left out")


class SpatialDropout(Dropout):
    """Whole feature maps left out while training."""

    def shape(self, *given: Shape) -> Shape:
        """Return the shape given."""
        return maps(given[0])
