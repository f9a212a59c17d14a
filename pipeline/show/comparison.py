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
KEY = 12  # characters of a step's key that are shown
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

    Those of the first run stand in their order, then what only the second has. Of accuracies of
    other pictures, and latencies of other machines, there is no difference.
    """
    ones, others = ({row.name: row for row in report.variants} for report in (first, second))
    for name in {**ones, **others}:
        one, other = ones.get(name), others.get(name)
        yield _line(name, "first", one)
        yield _line("", "second", other)
        if one and other and "ok" == one.status == other.status:
            found = _difference(one, other)
            if not _same_pictures(first, second):
                found = found._replace(accuracy=ABSENT)
            if not _same_machine(first, second) or _threads(one) != _threads(other):
                found = found._replace(latency=ABSENT)
            yield found


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


def _threads(row: Variant) -> int | None:
    return row.latency_us.threads if row.latency_us else None


def _same_pictures(first: Report, second: Report) -> bool:
    """Whether accuracies are shares of the same test pictures, by the same measure."""
    one, other = first.dataset, second.dataset
    return (one.digest, one.multi_label) == (other.digest, other.multi_label)


def _same_machine(first: Report, second: Report) -> bool:
    return all(first.machine.get(key) == second.machine.get(key) for key in MACHINE)


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def differences(first: Report, second: Report) -> list[Difference]:
    """What the runs do not share: settings by their whole names, then versions and the machine.

    Of steps that are not in both runs, settings are compared with nothing. Where all else is the
    same, what is left is the code: the first step that it changed.
    """
    found = []
    unused = PATHS - (_words(first) & _words(second))
    for part in ("", "versions", "machine"):
        ones, others = (dict(_facts(report, part, unused)) for report in (first, second))
        for what in {**ones, **others}:
            if ones.get(what) != others.get(what):
                found.append(Difference(what, _text(ones, what), _text(others, what)))
    return found or _code(first, second)


def _code(first: Report, second: Report) -> list[Difference]:
    """The first step whose key differs, before export: equal SavedModels may differ in bytes."""
    keys = [{one.name: one.key for one in report.stages} for report in (first, second)]
    for name, key in keys[0].items():
        if name == "export":
            break
        if keys[1].get(name, key) != key:
            return [Difference(f"code of {name}", key[:KEY], keys[1][name][:KEY])]
    return []


def _words(report: Report) -> set[str]:
    return {word for row in report.variants for word in re.split(r"[+.]", row.name)}


def _facts(report: Report, part: str, unused: set[str]) -> Iterator[tuple[str, Any]]:
    if part == "versions":
        yield from ((f"version of {name}", said) for name, said in report.versions.items())
    elif part == "machine":
        yield from ((f"machine: {key}", report.machine.get(key)) for key in MACHINE)
    else:
        yield "pictures", report.dataset.digest
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
    one, other = first.dataset, second.dataset
    if one.multi_label != other.multi_label:
        yield "one is exact match of several labels a picture, one accuracy: they do not compare"
    elif one.classes != other.classes:
        told = " and ".join(numbers.count(len(some.classes)) for some in (one, other))
        yield f"the classes differ ({told}): accuracies answer different questions"
    elif one.digest != other.digest:
        yield "the pictures or their splits differ: accuracies are of different test pictures"
    elif any(one.accuracy_ci95 for one in first.variants):
        yield "accuracies whose intervals overlap may differ by luck alone"
    if not _same_machine(first, second):
        yield "the machines differ: compare the ratios to float32, not the latencies"
    elif [*map(_latency, first.variants)] != [*map(_latency, second.variants)]:
        yield "latencies are of two timings: a tenth more or less is the machine's doing"
    runs = [len(report.replicas) or 1 for report in (first, second)]
    if max(runs) > 1:
        yield (
            f"the first is of {numbers.count(runs[0])} trainings, the second of "
            f"{numbers.count(runs[1])}: the figures here are of the first of each"
        )
    yield from _same_files(first, second)


def _same_files(first: Report, second: Report) -> Iterator[str]:
    """Files that are the same to the byte, whatever they are called."""
    known = {row.sha256: row.name for row in first.variants if row.sha256}
    pairs = [(known[row.sha256], row.name) for row in second.variants if row.sha256 in known]
    if same := [one for one, other in pairs if one == other]:
        yield f"the same file, byte for byte: {', '.join(same)}"
    for one, other in pairs:
        if one != other:
            yield f"the same file, byte for byte: {one} of the first, {other} of the second"
