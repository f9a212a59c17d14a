"""What layers have in common: the fields they share, and how a shape comes of a shape."""

from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.blocks.kinds import GROUPS, ActivationKind, NormalizationKind

Shape = tuple[int | None, ...]  # maps (H, W, C) or features (F,); None: known once pictures are

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]
Channels = Annotated[int, Field(strict=True, ge=1, le=4096)]
Units = Annotated[int, Field(strict=True, ge=1, le=65536)]
Kernel = Annotated[int, Field(strict=True, ge=1, le=31)]
Step = Annotated[int, Field(strict=True, ge=1, le=32)]
Rate = Annotated[float, Field(strict=True, ge=0, lt=1, allow_inf_nan=False)]
Penalty = Annotated[float, Field(strict=True, ge=0, le=10, allow_inf_nan=False)]
Padding = Literal["same", "valid"]
Normalization = Literal["none", NormalizationKind]
Activation = Literal["none", ActivationKind]


class Layer(BaseModel):
    """One item of the list. `main` is the argument a plain value stands for: `dropout: 0.2`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    main: ClassVar[str | None] = None
    name: Name | None = Field(None, description="what `from` and `of` call it")

    def shape(self, *given: Shape) -> Shape:
        """Return the shape that comes of those given; raises ValueError where none can."""
        raise NotImplementedError

    def weights(self, given: Shape) -> int:
        """Return about how many weights it has; 0 where that is not known yet."""
        return 0


class Continuing(Layer):
    """A layer of one input: the layer before it, unless `from` says otherwise."""

    from_: Name | None = Field(
        None, alias="from", description="the layer it continues; default: the one before"
    )


class Joining(Layer):
    """A layer of several inputs, by their names."""

    main: ClassVar[str | None] = "of"
    of: Annotated[tuple[Name, ...], Field(min_length=2, max_length=64)] = Field(
        description="names of layers; `images` is the input"
    )


class Finished(Continuing):
    """A layer with weights, and what commonly comes behind one."""

    normalization: Normalization = Field("none", description="put behind it; it then has no bias")
    activation: Activation = Field("none", description="put behind that")
    l1: Penalty = Field(0.0, description="added to the loss for each 1 of |w| in its kernel")
    l2: Penalty = Field(0.0, description="added to the loss for each 1 of w^2 in its kernel")

    def finished(self, shape: Shape) -> Shape:
        """Return `shape`, once it is known that it can be normalized so."""
        check_normalization(self.normalization, shape)
        return shape


def maps(given: Shape) -> tuple[int | None, int | None, int | None]:
    """Return height, width and channels; raises ValueError for features."""
    if len(given) != 3:
        raise ValueError(
            f"takes feature maps, and what comes in is flat already {spelled(given)}: put it "
            "before flatten, global pooling and dense"
        )
    height, width, channels = given
    return height, width, channels


def slid(
    size: int | None, kernel: int, stride: int, dilation: int = 1, *, padding: Padding = "same"
) -> int | None:
    """Return how many positions a window takes along a side; raises ValueError if it takes none."""
    if size is None:
        return None
    if padding == "same":
        return -(-size // stride)
    reach = dilation * (kernel - 1) + 1
    if size < reach:
        raise ValueError(
            f"a valid window of {reach} pixels does not fit into maps of {size}: take padding "
            "same, a smaller window, or larger pictures"
        )
    return (size - reach) // stride + 1


def check_normalization(kind: str, shape: Shape, groups: int | None = None) -> None:
    """Refuse what would divide one value by itself, and groups that are not whole."""
    channels = shape[-1]
    if kind == "instance" and len(shape) == 1:
        raise ValueError("instance normalization takes feature maps, and these are flat")
    if groups is not None and channels is not None and channels % groups:
        raise ValueError(f"groups: {groups} do not divide {channels} channels")
    if kind in {"none", "batch"} or channels is None:
        return
    parts = {"layer": 1, "instance": channels}.get(
        kind, groups or (GROUPS if channels % GROUPS == 0 else 1)
    )
    places = 1 if kind == "layer" else known(shape[:-1])
    if places and places * channels // parts == 1:
        raise ValueError(
            f"{kind} normalization of {spelled(shape)} has one value at a time to look at, and "
            "would leave zeros"
        )


def known(shape: Shape) -> int:
    """Return the number of elements, or 0 where it is not known yet."""
    sizes = [size for size in shape if size is not None]
    return prod(sizes) if len(sizes) == len(shape) else 0


def spelled(shape: Shape) -> str:
    """Write a shape: `(8, 8, 32)`, with a question mark for what is not known yet."""
    sizes = ", ".join("?" if size is None else str(size) for size in shape)
    return f"({sizes})"
