"""How whole channels are taken out of the trained network."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field

from pipeline.choices import Count, NotNegative, Positive, Share
from pipeline.settings.training import Train
from pipeline.settings.transforms import TRAINING, Taught

Target = Literal["macs", "latency", "bytes"]
TARGETS: tuple[Target, ...] = get_args(Target)
USUAL: Mapping[Target, float] = {"macs": 0.5}  # where no target is said


class Slim(Taught):
    """Whole channels taken out, and what is left tuned.

    `macs`, `latency` and `bytes` are targets, and all that are said are met; a preset that says one
    replaces those of the section.
    """

    inherited: ClassVar[frozenset[str]] = TRAINING
    alternatives: ClassVar[frozenset[str]] = frozenset(TARGETS)
    epochs: Count = Field(12, description="times over the training pictures, in each round")
    warmup_epochs: NotNegative = Field(0.5, description="linear rise from zero, in epochs")
    macs: Share | None = Field(
        None, description="share of the multiply-accumulates that may stay; default: 0.5, where no "
        "other target is said"
    )  # fmt: skip
    latency: Share | None = Field(
        None, description="share of the latency of the int8 file that may stay: files of several "
        "choices are made and timed in turns with that of the whole network"
    )  # fmt: skip
    bytes: Share | None = Field(
        None, description="share of the bytes of the int8 file that may stay: files are made"
    )
    importance: Literal["taylor", "l1", "l2", "scale"] = Field(
        "taylor", description="what a channel is worth: how much the loss would change without it, "
        "by gradients; the L1 or L2 norm of all weights it touches; the factors of its batch "
        "normalizations"
    )  # fmt: skip
    ranking: Literal["global", "uniform", "cost"] = Field(
        "global", description="global: what is worth least goes, wherever it is; uniform: the same "
        "share of every layer; cost: what is worth least for its multiply-accumulates; of a "
        "latency for its time, which takes a file a layer"
    )  # fmt: skip
    rounds: Annotated[int, Field(strict=True, ge=1, le=20)] = Field(
        1, description="times that channels are taken out and `epochs` follow; each round takes "
        "the same share of what is left"
    )  # fmt: skip
    multiple: Count = Field(
        8, description="channels of a layer stay multiples of it, as int8 kernels like them"
    )
    keep: tuple[str, ...] = Field(
        (), description="patterns of names of layers whose channels all stay, as in `[stem*]`"
    )
    teacher: Annotated[float, Field(strict=True, ge=0, le=1)] = Field(
        0.9, description="share of the network as it came in the loss, by what it answers; the "
        "labels have the rest"
    )  # fmt: skip
    temperature: Positive = Field(
        1.0, description="softens its answers and those that learn from it alike: above 1, "
        "unlikely classes count more"
    )  # fmt: skip
    pictures: Count = Field(512, description="training pictures that `taylor` takes gradients on")

    @property
    def targets(self) -> Mapping[Target, float]:
        """What is to become smaller, and the share of each that may stay, 0..1."""
        shares = {name: getattr(self, name) for name in TARGETS}
        return {name: share for name, share in shares.items() if share is not None} or USUAL

    def epochs_behind(self, before: int) -> int:
        """Each round has its own."""
        return before + self.rounds * self.epochs

    def inherit(self, train: Train) -> Self:
        """Fill what the recipe does not say, the target among it."""
        targets = {str(name): share for name, share in self.targets.items()}
        return super().inherit(train).model_copy(update=targets)
