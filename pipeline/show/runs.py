"""The table of seeds or folds: a line a run, a column a variant, mean and spread at the end."""

from typing import NamedTuple

from pipeline.show import numbers
from pipeline.show.replicas import Measured, OverSeeds, label
from pipeline.show.schema import Report, Variant

SPLITS = (("accuracy", "test"), ("validation_accuracy", "validation"))


class Cell(NamedTuple):
    """One variant in one run: the number, how it is read, its drop, or why there is none."""

    value: float | None
    text: str
    drop: str = ""
    reason: str | None = None


class Line(NamedTuple):
    """A run, or what all of them come to."""

    name: str
    best_epoch: str
    cells: tuple[Cell, ...]


def lines(report: Report, key: str) -> list[Line]:
    """A line a run, of `accuracy` (the test split's, with the drop) or `validation_accuracy`."""
    return [
        Line(
            label(one),
            numbers.count(one.best_epoch),
            tuple(_measured(row, key) for row in one.variants),
        )
        for one in report.replicas
    ]


def summary(report: Report, key: str) -> list[Line]:
    """Mean and standard deviation of each column."""
    pairs = [(over(variant, key), over(variant, "drop_pp")) for variant in report.variants]
    drops = key == "accuracy"
    means = tuple(
        Cell(own.mean, numbers.percent(own.mean), numbers.points(drop.mean) if drops else "")
        if own and drop
        else Cell(None, numbers.MISSING)
        for own, drop in pairs
    )
    spreads = tuple(
        Cell(own.sd, numbers.spread(own.sd), numbers.give_or_take(drop.sd) if drops else "")
        if own and drop
        else Cell(None, numbers.MISSING)
        for own, drop in pairs
    )
    return [Line("mean", "", means), Line("spread", "", spreads)]


def _measured(row: Measured, key: str) -> Cell:
    if row.status != "ok":
        return Cell(None, row.status, reason=row.reason)
    value = getattr(row, key)
    drop = numbers.points(row.drop_pp) if key == "accuracy" else ""
    return Cell(value, numbers.percent(value), drop)


def over(variant: Variant, key: str) -> OverSeeds | None:
    """Mean and standard deviation of one figure of a variant; None where no run came to it."""
    seeds = variant.seeds
    if seeds is None:
        return None
    if key == "accuracy":
        return OverSeeds(mean=seeds.mean, sd=seeds.sd)
    found: OverSeeds | None = getattr(seeds, key)
    return found
