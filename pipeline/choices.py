"""Schedules and losses of a recipe: a name, or a name with its arguments.

A leaf, as `settings`, which these are parts of.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_serializer,
)

from pipeline.lazy import nearest

Count = Annotated[int, Field(strict=True, ge=1)]
Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
Positive = Annotated[float, Field(strict=True, gt=0)]
NotNegative = Annotated[float, Field(strict=True, ge=0)]


class Choice(BaseModel):
    """What one name stands for: `step`, or `{step: {at: [20, 30]}}`; written out as it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str

    @classmethod
    def word(cls) -> str:
        """The name it goes by."""
        return str(cls.model_fields["name"].default)

    @model_serializer(mode="plain")
    def _written(self) -> Any:
        arguments = {key: value for key, value in self if key != "name"}
        return {self.name: arguments} if arguments else self.name

    def __str__(self) -> str:
        return self.name


class _Schedule(Choice):
    def problem(self, epochs: int, warmup: float) -> str | None:
        """Say what of it does not fit into so many epochs, those of warm-up among them."""
        return None


class Constant(_Schedule):
    """The highest rate throughout."""

    name: Literal["constant"] = "constant"


class Cosine(_Schedule):
    """Down to zero along half a cosine."""

    name: Literal["cosine"] = "cosine"


class Linear(_Schedule):
    """Down to zero along a line."""

    name: Literal["linear"] = "linear"


class Step(_Schedule):
    """Down by a factor at certain epochs, and constant in between."""

    name: Literal["step"] = "step"
    at: tuple[Positive, ...] = Field(
        min_length=1, description="epochs done before each fall, as in `[20, 30]`"
    )
    factor: Share = Field(0.1, description="on the rate, at each fall")

    @field_validator("at")
    @classmethod
    def _rise(cls, at: tuple[float, ...]) -> tuple[float, ...]:
        if any(later <= earlier for earlier, later in pairwise(at)):
            raise ValueError("each epoch comes after the one before it")
        return at

    def problem(self, epochs: int, warmup: float) -> str | None:
        """Falls lie between the end of warm-up and that of training."""
        if self.at[-1] >= epochs:
            return f"step.at: {self.at[-1]:g} is not before the end of {epochs} epochs"
        if self.at[0] < warmup:
            return f"step.at: {self.at[0]:g} is within the {warmup:g} epochs of warm-up"
        return None


class OneCycle(_Schedule):
    """Up to the highest rate and down to nearly none, both along half a cosine."""

    name: Literal["one_cycle"] = "one_cycle"
    peak: Share = Field(0.3, description="share of training at which the rate is at its highest")
    start: Annotated[float, Field(strict=True, ge=0, le=1)] = Field(
        0.04, description="first rate, as a share of the highest"
    )
    end: Annotated[float, Field(strict=True, ge=0, le=1)] = Field(
        0.0001, description="last rate, as a share of the highest"
    )


class Plateau(_Schedule):
    """Down by a factor where the loss on validation has stopped falling."""

    name: Literal["plateau"] = "plateau"
    factor: Share = Field(0.5, description="on the rate, at each fall")
    patience: Count = Field(3, description="epochs without a lower val_loss before a fall")
    min_factor: Share = Field(0.001, description="lowest rate, as a share of the highest")

    def problem(self, epochs: int, warmup: float) -> str | None:
        """There is time for a fall."""
        if self.patience >= epochs:
            return f"plateau.patience: {self.patience} is not below the {epochs} epochs"
        return None


class CrossEntropy(Choice):
    """Minus the logarithm of the right class's probability."""

    name: Literal["cross_entropy"] = "cross_entropy"


class BinaryCrossEntropy(Choice):
    """Each class by itself, yes or no, and their mean."""

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"


class Focal(Choice):
    """Cross-entropy in which what is right already counts less."""

    name: Literal["focal"] = "focal"
    gamma: NotNegative = Field(2.0, description="how much less; 0 is cross-entropy times alpha")
    alpha: Positive = Field(0.25, description="factor on all of it; of several "
                            "labels a picture on those shown, 1 - alpha on others")  # fmt: skip


class MeanSquaredError(Choice):
    """Mean squared difference of probabilities and targets."""

    name: Literal["mse"] = "mse"


class SmoothL1(Choice):
    """Squared difference of probabilities and targets where it is small, absolute elsewhere."""

    name: Literal["smooth_l1"] = "smooth_l1"
    delta: Positive = Field(1.0, description="difference at which the one becomes the other")


def _reader(kind: str, choices: tuple[type[Choice], ...]) -> Callable[[Any], Any]:
    """Make `{"name": "step", "at": [20]}`, which the schema reads, of what a recipe says."""
    known = {choice.word(): choice for choice in choices}

    def read(said: Any) -> Any:
        if isinstance(said, Choice):
            return said
        name, arguments = split(one_name(said))
        if name not in known:
            raise ValueError(f"unknown {kind} {name!r}: {nearest(name, known)}")
        takes = known[name].model_fields.keys() - {"name"}
        for argument in arguments.keys() - takes:
            raise ValueError(
                f"{name} takes no argument {argument!r}: {nearest(str(argument), takes)}"
            )
        for argument, field in known[name].model_fields.items():
            if field.is_required() and argument not in arguments:
                raise ValueError(f"{name} needs {argument}: {field.description}")
        return {**arguments, "name": name}

    return read


def one_name(said: Any) -> Any:
    """Refuse what is neither a name nor one name with arguments; `{adam: {}}` is `adam`."""
    if isinstance(said, str):
        return said
    if not isinstance(said, Mapping) or len(said) != 1:
        raise ValueError(
            f"a name, or one name with arguments as in {{name: {{x: 1}}}}, not {said!r}"
        )
    ((name, arguments),) = said.items()
    if not isinstance(name, str) or not isinstance(arguments, Mapping | None):
        raise ValueError(f"{name}: arguments come as a mapping, not {arguments!r}")
    return {name: dict(arguments)} if arguments else name


def split(said: str | Mapping[str, Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Take a name and its arguments apart."""
    if isinstance(said, str):
        return said, {}
    ((name, arguments),) = said.items()
    return name, dict(arguments)


_Schedules = Constant | Cosine | Linear | Step | OneCycle | Plateau
_Losses = CrossEntropy | BinaryCrossEntropy | Focal | MeanSquaredError | SmoothL1
Schedule = Annotated[
    _Schedules,
    Field(discriminator="name"),
    BeforeValidator(_reader("schedule", get_args(_Schedules))),
]
Loss = Annotated[
    _Losses,
    Field(discriminator="name"),
    BeforeValidator(_reader("loss", get_args(_Losses))),
]
Optimizer = Annotated[str | Mapping[str, Mapping[str, Any]], BeforeValidator(one_name)]
