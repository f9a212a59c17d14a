"""What a search looks through, what limits a candidate, and how long it looks."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from pipeline.choices import Count, Positive
from pipeline.lazy import nearest
from pipeline.settings.base import Section

Kind = Literal["int", "float", "log", "choice"]
Range = Mapping[Kind, tuple[Any, ...]]  # one kind, and its ends or its choices
SEARCHED = ("augment", "build", "train")  # sections whose settings may be looked through
REFUSALS, FEWEST_FAILURES = 20, 3  # a trial; at all
Algorithm = Literal["random", "bayesian", "hyperband", "grid"]
Objective = Literal["val_accuracy", "int8_accuracy"]


class Search(Section):
    """Which settings are looked through for the most accurate network that fits, and for how long.

    It is the phase before a run: `search` reads it, `run` does not.
    """

    space: Mapping[str, Range] = Field(
        {}, description="settings of `augment`, `build` and `train`, each with what it may be: "
        "`{build.width: {int: [8, 64, 8]}}` (from, to, step; `float` likewise), "
        "`{train.learning_rate: {log: [1e-4, 1e-2]}}`, "
        "`{augment.policy: {choice: [light, strong]}}`"
    )  # fmt: skip
    algorithm: Algorithm = Field(
        "bayesian", description="KerasTuner's: `random`; `bayesian`, a Gaussian process; "
        "`hyperband`, many for a few epochs and the best of them for more; `grid`, all there are"
    )  # fmt: skip
    trials: Count = Field(20, description="candidates that are trained")
    objective: Objective = Field(
        "val_accuracy", description="what is to be high on validation: the accuracy of the network "
        "or that of its int8 file"
    )  # fmt: skip
    max_bytes: Count | None = Field(None, description="of the int8 file")
    max_macs: Count | None = Field(None, description="multiply-accumulates of one inference")
    max_latency_us: Positive | None = Field(
        None, description="of the int8 file on this machine, one thread, in microseconds"
    )
    refusals: Count | None = Field(
        None, description="candidates over a limit after which it ends; default: 20 a trial"
    )
    failures: Count | None = Field(
        None, description="candidates that break after which it ends; default: one a trial, at "
        "least 3"
    )  # fmt: skip
    epochs: Count | None = Field(
        None, description="of each trial, of `hyperband` at most; default: those of `train`"
    )
    factor: Annotated[int, Field(strict=True, ge=2)] = Field(
        3, description="of `hyperband`: one of so many goes on, for so many times the epochs"
    )
    folds: Annotated[int, Field(strict=True, ge=2)] | None = Field(
        None, description="parts for cross-validation: a candidate is trained so many times"
    )
    workers: Count = Field(1, description="processes on this machine that train side by side")

    @field_validator("space", mode="before")
    @classmethod
    def _ranges_are_ranges(cls, space: Any) -> Any:
        if not isinstance(space, Mapping):
            raise ValueError("settings with their ranges, as in {build.width: {int: [8, 64, 8]}}")
        for key, said in space.items():
            if str(key).partition(".")[0] not in SEARCHED or "." not in str(key):
                raise ValueError(
                    f"{key}: a setting of {', '.join(SEARCHED)}, with its section and as one word, "
                    "as in {build.width: {int: [8, 64, 8]}}"
                )
            problem = _problem(said)
            if problem:
                raise ValueError(f"{key}: {problem}")
            outer = [other for other in space if str(key).startswith(f"{other}.")]
            if outer:
                raise ValueError(f"{key}: is a part of {outer[0]}, which is there as well")
        return space

    @model_validator(mode="after")
    def _one_says_the_epochs(self) -> Self:
        if self.epochs and "train.epochs" in self.space:
            raise ValueError("epochs: leave it out, the space has train.epochs")
        if self.algorithm == "hyperband" and "train.epochs" in self.space:
            raise ValueError("space: hyperband sets train.epochs itself: take them out")
        return self

    @property
    def most_refusals(self) -> int:
        """After how many refusals a search ends."""
        return self.refusals or REFUSALS * self.trials

    @property
    def most_failures(self) -> int:
        """After how many failures a search ends."""
        return self.failures or max(FEWEST_FAILURES, self.trials)


def _problem(said: Any) -> str | None:
    """What is wrong with a range, if anything is."""
    kinds = get_args(Kind)
    if not isinstance(said, Mapping) or len(said) != 1:
        return f"one of {', '.join(kinds)} with a list, as in {{int: [8, 64, 8]}}"
    ((kind, values),) = said.items()
    if kind not in kinds:
        return f"{kind!r}: {nearest(str(kind), kinds)}"
    if not isinstance(values, Sequence) or isinstance(values, str):
        return f"{kind}: a list, not {values!r}"
    return _no_choice(values) if kind == "choice" else _not_a_range(kind, values)


def _no_choice(values: Sequence[Any]) -> str | None:
    """What is wrong with a list of choices."""
    odd = [value for value in values if not _is_plain(value)]
    if odd:
        return f"choice: text, numbers, lists and mappings of them, not {odd[0]!r}"
    if len(values) < 2 or len({short(value) for value in values}) < len(values):
        return f"choice: two or more values that differ, not {list(values)!r}"
    return None


def short(value: Any) -> str:
    """A value in a table: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _is_plain(value: Any) -> bool:
    """Whether it can be written down as JSON, as a date cannot."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _not_a_range(kind: str, values: Sequence[Any]) -> str | None:
    """What is wrong with the ends and the step of a range of numbers."""
    most = 2 if kind == "log" else 3
    taken: tuple[type, ...] = (int,) if kind == "int" else (int, float)
    numbers = all(type(value) in taken and math.isfinite(value) for value in values)
    if not 2 <= len(values) <= most or not numbers:
        what = "whole numbers" if kind == "int" else "numbers"
        shape = "[from, to]" if most == 2 else "[from, to] or [from, to, step]"
        return f"{kind}: {shape}, {what}, not {list(values)!r}"
    low, high, *step = values
    if low >= high:
        return f"{kind}: an empty range: {low!r} is not below {high!r}"
    if kind == "log" and low <= 0:
        return f"log: from above 0, not {low!r}"
    if step and not 0 < step[0] <= high - low:
        return f"{kind}: a step above 0 and up to {high - low!r}, not {step[0]!r}"
    return None
