"""Two runs side by side: what became of each variant, and what was said otherwise."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.show import numbers
from pipeline.show.schema import Report
from pipeline.show.variant import Variant

MACHINE = ("cpu", "cores", "amx")  # what makes latencies of two runs those of two machines
PATHS = {"ensemble", "distill", "slim", "scratch", "prune", "cluster", "qat"}  # words of variants
TOLD = 60  # characters of a setting that are shown
ABSENT = "–"


class Line(NamedTuple):
    """A line about a variant: its row in one run, or the difference; cells as they are read."""

    variant: str
    run: str
    accuracy: str
    size: str
    latency: str
    ratio: str


class Difference(NamedTuple):
    """A setting or a fact of the run that is not the same in both, as text."""

    what: str
    first: str
    second: str


def lines(first: Report, second: Report) -> Iterator[Line]:
    """Of each variant of either run its row in both and the difference.

    Those of the first run stand in their order, then what only the second has.
    """
    ones, others = ({row.name: row for row in report.variants} for report in (first, second))
    for name in {**ones, **others}:
        one, other = ones.get(name), others.get(name)
        yield _line(name, "first", one)
        yield _line("", "second", other)
        if one and other and "ok" == one.status == other.status:
            yield _difference(one, other)


def _line(name: str, run: str, row: Variant | None) -> Line:
    if row is None or row.status != "ok":
        return Line(name, run, row.status if row else ABSENT, *[ABSENT] * 3)
    return Line(
        name,
        run,
        numbers.with_interval(row.accuracy, row.accuracy_ci95),
        numbers.size(row.bytes),
        numbers.latency(_latency(row)),
        numbers.ratio(row.latency_ratio),
    )


def _difference(one: Variant, other: Variant) -> Line:
    assert one.accuracy is not None  # as a row that is ok has
    assert other.accuracy is not None
    return Line(
        "",
        "",
        numbers.points(100 * (other.accuracy - one.accuracy)),
        numbers.ratio(_share(other.bytes, one.bytes)),
        numbers.ratio(_share(_latency(other), _latency(one))),
        "",
    )


def _latency(row: Variant) -> float | None:
    return row.latency_us.p50 if row.latency_us else None


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def differences(first: Report, second: Report) -> list[Difference]:
    """What the runs do not share: settings by their whole names, then versions and the machine.

    Of steps that no variant has, settings say nothing.
    """
    found = []
    for part in ("", "versions", "machine"):
        ones, others = (dict(_facts(report, part)) for report in (first, second))
        for what in {**ones, **others}:
            if ones.get(what) != others.get(what):
                found.append(Difference(what, _text(ones, what), _text(others, what)))
    return found


def _facts(report: Report, part: str) -> Iterator[tuple[str, Any]]:
    if part == "versions":
        yield from ((f"version of {name}", said) for name, said in report.versions.items())
    elif part == "machine":
        yield from ((f"machine: {key}", report.machine.get(key)) for key in MACHINE)
    else:
        yield "pictures", report.dataset.digest
        words = {word for row in report.variants for word in re.split(r"[+.]", row.name)}
        unused = PATHS - words
        yield from _flat({k: v for k, v in report.config.items() if k not in unused})


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _text(facts: Mapping[str, Any], what: str) -> str:
    if what not in facts:
        return ABSENT
    value = facts[what]
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return said if len(said) <= TOLD else f"{said[: TOLD - 1]}…"


def remarks(first: Report, second: Report) -> Iterator[str]:
    """What keeps the figures of two runs from being held against each other, a line each."""
    if first.dataset.digest != second.dataset.digest:
        yield "the pictures or their splits differ: accuracies are of different test pictures"
    elif any(one.accuracy_ci95 for one in first.variants):
        yield "accuracies whose intervals overlap may differ by luck alone"
    if any(first.machine.get(key) != second.machine.get(key) for key in MACHINE):
        yield "the machines differ: compare the ratios to float32, not the latencies"
    elif [*map(_latency, first.variants)] != [*map(_latency, second.variants)]:
        yield "latencies are of two timings: a tenth more or less is the machine's doing"
