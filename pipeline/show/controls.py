"""Controls: whether a network that kept trained weights reads better than one trained anew."""

from collections.abc import Iterator, Sequence
from statistics import fmean, stdev
from typing import Annotated, NamedTuple

from pydantic import Field

from pipeline.show import numbers
from pipeline.show.records import Record, Share
from pipeline.show.replicas import Replica

LUCK = 0.05  # a difference that comes about this often by luck alone is taken for luck
EXPLAINED = (
    "A control has the very same layers, begins with fresh weights, and is trained by the settings "
    "of train for as many epochs as went into what it is held against, unless scratch.epochs says "
    "otherwise. It answers whether the weights that were kept were worth keeping."
)


class Control(Record):
    """A control of a variant, by name: points of test accuracy that the variant has above it.

    `mcnemar_p` is the chance of such a difference on the same pictures by luck alone.
    """

    name: str
    gain_pp: Annotated[float, Field(ge=-100, le=100)]
    mcnemar_p: Share


class Verdict(NamedTuple):
    """A variant, its control, and in words what the difference of their accuracies says."""

    name: str
    control: str
    gain_pp: float
    chance: str
    told: str


def verdicts(
    found: Sequence[tuple[str, Sequence[Control]]],
    replicas: Sequence[Replica],
    measure: str = "accuracy",
) -> list[Verdict]:
    """One for each pair of a variant and its control, in order; `measure` names accuracy."""
    return [
        Verdict(
            name,
            one.name,
            one.gain_pp,
            numbers.chance(one.mcnemar_p),
            _told(name, one, list(_gains(name, one.name, replicas)), measure),
        )
        for name, controls in found
        for one in controls
    ]


def _gains(name: str, control: str, replicas: Sequence[Replica]) -> Iterator[float]:
    """Points above the control in each replica in which both were measured."""
    for replica in replicas:
        rows = {row.name: row.accuracy for row in replica.variants if row.status == "ok"}
        own, other = rows.get(name), rows.get(control)
        if own is not None and other is not None:
            yield 100 * (own - other)


def _told(name: str, control: Control, gains: Sequence[float], measure: str) -> str:
    side = "above" if control.gain_pp > 0 else "below"
    beside = f"{abs(control.gain_pp):.2f} points of test {measure} {side} {control.name}"
    p = control.mcnemar_p
    by = numbers.chance(p) if p < 0.001 else f"= {numbers.chance(p)}"
    if not round(control.gain_pp, 2):
        said = f"{name} has the same test {measure} as {control.name}: {_NO_BETTER}."
    elif p >= LUCK:
        said = f"{name} is {beside}, which may well be luck (McNemar p {by}): {_NO_BETTER}."
    elif control.gain_pp > 0:
        said = f"{name} is {beside}, hardly by luck (McNemar p {by}): what it kept was worth it."
    else:
        said = (
            f"{name} is {beside}, hardly by luck (McNemar p {by}): training the same network "
            "from fresh weights is the better way here."
        )
    if len(gains) > 1:
        said += (
            f" Over {len(gains)} runs the difference is {fmean(gains):+.2f} "
            f"{numbers.give_or_take(stdev(gains))} points."
        )
    return said


_NO_BETTER = "these pictures do not show that keeping trained weights does better"
