"""The layers with kernels: arguments, ranges, and the shape each makes of its input's."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from models.custom.base import (
    Channels,
    Finished,
    Kernel,
    Padding,
    Shape,
    Step,
    Units,
    maps,
    slid,
    spelled,
)


class _Sliding(Finished):
    """A kernel moved over feature maps."""

    kernel: Kernel = Field(3, description="side of the kernel, in pixels")
    stride: Step = Field(1, description="pixels between two positions")
    dilation: Step = Field(1, description="pixels between two taps of the kernel")
    padding: Padding = Field("same", description="same: zeros around; valid: none")

    @model_validator(mode="after")
    def _steps_or_spreads(self) -> Self:
        if self.stride > 1 and self.dilation > 1:
            raise ValueError("stride and dilation: one of them has to be 1")
        return self

    def slid_maps(self, given: Shape, channels: int | None) -> Shape:
        """Return the shape of `channels` maps after the kernel has moved over those given."""
        height, width, _ = maps(given)
        sides = (
            slid(side, self.kernel, self.stride, self.dilation, padding=self.padding)
            for side in (height, width)
        )
        return self.finished((*sides, channels))


class Conv(_Sliding):
    """Convolution; strided, dilated or grouped if told so, 1x1 with `kernel: 1`."""

    main: ClassVar[str | None] = "channels"
    channels: Channels = Field(description="feature maps it makes")
    groups: Channels = Field(1, description="parts of the channels that do not see each other")

    @model_validator(mode="after")
    def _groups_divide(self) -> Self:
        if self.channels % self.groups:
            raise ValueError(f"groups: {self.groups} do not divide {self.channels} channels")
        return self

    def shape(self, *given: Shape) -> Shape:
        """Return `(H / stride, W / stride, channels)`."""
        _, _, channels = maps(given[0])
        if channels is not None and channels % self.groups:
            raise ValueError(f"groups: {self.groups} do not divide the {channels} channels given")
        return self.slid_maps(given[0], self.channels)

    def weights(self, given: Shape) -> int:
        """Return those of its kernel."""
        return self.kernel**2 * (given[-1] or 0) * self.channels // self.groups


class DepthwiseConv(_Sliding):
    """Convolution of each channel by kernels of its own."""

    main: ClassVar[str | None] = "kernel"
    multiplier: Annotated[int, Field(strict=True, ge=1, le=32)] = Field(
        1, description="feature maps made of each channel"
    )

    def shape(self, *given: Shape) -> Shape:
        """Return `(H / stride, W / stride, C * multiplier)`."""
        channels = maps(given[0])[2]
        return self.slid_maps(given[0], None if channels is None else channels * self.multiplier)

    def weights(self, given: Shape) -> int:
        """Return those of its kernels."""
        return self.kernel**2 * (given[-1] or 0) * self.multiplier


class SeparableConv(_Sliding):
    """Convolution of each channel alone, then 1x1 across them."""

    main: ClassVar[str | None] = "channels"
    channels: Channels = Field(description="feature maps it makes")

    def shape(self, *given: Shape) -> Shape:
        """Return `(H / stride, W / stride, channels)`."""
        return self.slid_maps(given[0], self.channels)

    def weights(self, given: Shape) -> int:
        """Return those of both kernels."""
        return (given[-1] or 0) * (self.kernel**2 + self.channels)


class TransposedConv(Finished):
    """Transposed convolution: maps grow by `stride`."""

    main: ClassVar[str | None] = "channels"
    channels: Channels = Field(description="feature maps it makes")
    kernel: Kernel = Field(3, description="side of the kernel, in pixels")
    stride: Step = Field(2, description="pixels made of each")
    padding: Padding = Field("same", description="valid: the kernel's overhang is kept")

    def shape(self, *given: Shape) -> Shape:
        """Return `(H * stride, W * stride, channels)`, with `valid` the overhang more."""
        over = max(self.kernel - self.stride, 0) if self.padding == "valid" else 0
        sides = (None if side is None else side * self.stride + over for side in maps(given[0])[:2])
        return self.finished((*sides, self.channels))

    def weights(self, given: Shape) -> int:
        """Return those of its kernel."""
        return self.kernel**2 * (given[-1] or 0) * self.channels


class Dense(Finished):
    """Every feature to every unit."""

    main: ClassVar[str | None] = "units"
    units: Units = Field(description="features it makes")

    def shape(self, *given: Shape) -> Shape:
        """Return `(units,)`."""
        if len(given[0]) != 1:
            raise ValueError(
                f"takes features, and what comes in are maps {spelled(given[0])}: put "
                "global_average_pool or flatten in between"
            )
        return self.finished((self.units,))

    def weights(self, given: Shape) -> int:
        """Return those of its kernel."""
        return (given[0] or 0) * self.units
