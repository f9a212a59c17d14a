"""Pruning, layer by layer: how much each layer minds zeros, and the rounds that spent a budget."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from pipeline.show import numbers
from pipeline.show.records import Amount, Count, Record, Share


class LayerCurve(Record):
    """A layer, its kernel's weights, and the accuracy with it alone pruned to each level."""

    name: str
    weights: Count
    accuracy: tuple[Share, ...]


class Sensitivity(Record):
    """Accuracy on validation pictures of a model as it is, and with one layer at a time pruned.

    `names` are the parts of variants' paths that end with a pruning of that model.
    """

    names: Annotated[tuple[str, ...], Field(min_length=1)]
    pictures: Count
    pattern: str
    accuracy: Share
    levels: Annotated[tuple[Share, ...], Field(min_length=1)]
    layers: tuple[LayerCurve, ...]

    @model_validator(mode="after")
    def _a_figure_a_level(self) -> Self:
        for layer in self.layers:
            if len(layer.accuracy) != len(self.levels):
                raise ValueError(f"sensitivity of {layer.name}: not a figure for each level")
        return self

    @property
    def by_harm(self) -> list[LayerCurve]:
        """The layers, the most sensitive first: by what all levels cost together."""
        return sorted(self.layers, key=lambda layer: sum(layer.accuracy))


class Round(Record):
    """One round: what was wished, what came, and whether it was within the budget.

    `layers` has the sparsity each layer was given, `wished` is over those that were free.
    """

    wished: Share
    layers: dict[str, Share]
    sparsity: Share
    val_accuracy: Share
    drop_pp: float
    within: bool


class Rounds(Record):
    """A search for the sparsity that a budget allows; `val_accuracy` is the model's before it."""

    name: str
    max_drop_pp: Amount
    val_accuracy: Share
    rounds: Annotated[tuple[Round, ...], Field(min_length=1)]

    @property
    def kept(self) -> int | None:
        """The number, from 1, of the round whose model was kept: the last within the budget."""
        within = [number for number, one in enumerate(self.rounds, 1) if one.within]
        return within[-1] if within else None


def told(found: Sensitivity, measure: str = "accuracy") -> list[str]:
    """What a scan is, and what it says, in sentences; `measure` is what accuracy is called."""
    how = "" if found.pattern == "unstructured" else f" in the pattern {found.pattern}"
    lines = [
        f"One layer at a time is pruned at once{how}, nothing is trained after, and the {measure} "
        f"on {numbers.count(found.pictures)} validation pictures is taken: "
        f"{numbers.percent(found.accuracy)} as trained. Tuning mends most of what is lost; the "
        "scan tells which layers to spare."
    ]
    if found.layers:
        most, least = found.by_harm[0], found.by_harm[-1]
        line = (
            f"{most.name} minds zeros most: {numbers.percent(found.levels[-1], 0)} of them cost "
            f"{_cost(found, most)} points"
        )
        lines.append(f"{line}; {least.name} least: {_cost(found, least)}.")
    return lines


def _cost(found: Sensitivity, layer: LayerCurve) -> str:
    """Points lost at the highest level."""
    return f"{100 * (found.accuracy - layer.accuracy[-1]):.1f}"


def outcome(found: Rounds) -> str:
    """What came of the rounds, in a sentence."""
    budget = f"{found.max_drop_pp:g} points of {numbers.percent(found.val_accuracy)} on validation"
    if found.kept is None:
        return f"No round stayed within {budget}."
    kept = found.rounds[found.kept - 1]
    return (
        f"To spend: {budget}. Round {found.kept} was kept: {numbers.percent(kept.sparsity, 1)} "
        f"zeros at {numbers.percent(kept.val_accuracy)}."
    )


def spread(layers: dict[str, float]) -> str:
    """The sparsity of each layer in a line, as `conv 82 %, dense 95 %`."""
    return ", ".join(f"{name} {numbers.percent(share, 0)}" for name, share in layers.items())


def grouped(facts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge scans of one model in one pattern; `name` is a path, which ends with the pruning."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for one in facts:
        rest = dict(one)
        name = rest.pop("name")
        key = name.rpartition("+")[0], one["pattern"]
        groups.setdefault(key, rest | {"names": []})["names"].append(name)
    return list(groups.values())
