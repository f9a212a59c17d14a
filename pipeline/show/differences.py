"""Differences: where a file's answers part from those of float32, class by class, in words."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pipeline.show import numbers
from pipeline.show.changes import ClassChange
from pipeline.show.names import visible
from pipeline.show.schema import Picture, Report
from pipeline.show.variant import Variant

MOST = 8  # classes that are shown at once; the page folds the others away
EXPLAINED = (
    "Recall is the share of a class's test pictures that are recognised. The expected calibration "
    "error (ECE) says how far the probabilities can be trusted: answers are sorted into 15 equally "
    "wide bins by their probability, and in each the share that is right is held against the mean "
    "probability; the differences, in the mean over all answers, are the error. Of few pictures it "
    "comes out larger than it is."
)

_AS_BEFORE = "on the same pictures as before."

Named = TypeVar("Named", Picture, Any)


def looked_at(names: Sequence[str], recommended: str | None) -> list[str]:
    """Which of the variants that have a file are looked at closely.

    That is the recommended one and `int8`; float32, which they are held against, only by itself.
    """
    wanted = dict.fromkeys([recommended or "int8", "int8"])
    return [one for one in wanted if one in names and one != "float32"] or ["float32"]


def closely(report: Report) -> list[Variant]:
    """The rows of `looked_at`, of a report that knows how they differ."""
    rows = {row.name: row for row in report.variants if row.status == "ok"}
    chosen = (rows[name] for name in looked_at(list(rows), report.recommended) if name in rows)
    return [row for row in chosen if row.calibration_error is not None]


def told(report: Report, variant: Variant) -> list[str]:
    """How many pictures a variant gains and loses, in how many classes, and its calibration."""
    lines = []
    if variant.name != "float32" and variant.lost is not None and variant.gained is not None:
        lines.append(_exchanged(variant, report.dataset.multi_label))
    error = numbers.percent(variant.calibration_error)
    line = f"The probabilities of {variant.name} are off by {error} in the mean (ECE)"
    reference = report.reference
    if variant.name != "float32" and reference and reference.calibration_error is not None:
        line += f", those of float32 by {numbers.percent(reference.calibration_error)}"
    return [*lines, f"{line}."]


def _exchanged(variant: Variant, several: bool) -> str:
    lost, gained = variant.lost or 0, variant.gained or 0
    if not lost and not gained:
        same = "answers every test picture as float32 does"
        if variant.agreement != 1:
            same = "gets the same test pictures right as float32"
        return f"{variant.name} {same}: none is lost and none is gained."
    right = "gets wholly right" if several else "reads right"
    return (
        f"{variant.name} loses {_pictures(lost)} that float32 {right} and gains "
        f"{numbers.count(gained)} that float32 does not."
    )


def _pictures(count: int) -> str:
    return f"{numbers.count(count) if count else 'no'} test picture{'' if count == 1 else 's'}"


def changed(variant: Variant) -> list[ClassChange]:
    """The classes of which a picture is lost or gained, the largest drop of recall first."""
    found = [one for one in variant.classes if one.lost or one.gained]
    return sorted(found, key=lambda one: (-(one.drop_pp or 0.0), -one.lost))


def unchanged(variant: Variant) -> str:
    """How many classes are not among those of `changed`."""
    total = len(variant.classes)
    rest = total - len(changed(variant))
    if not rest:
        return ""
    if rest == 1:
        return f"The {'only' if total == 1 else 'other'} class is recognised {_AS_BEFORE}"
    which = "All" if rest == total else "The other"
    return f"{which} {numbers.count(rest)} classes are recognised {_AS_BEFORE}"


def of(pictures: Sequence[Named], number: int) -> list[Named]:
    """Those figures that belong to the variant of this number, from 1, of `closely`."""
    return [one for one in pictures if one.file.endswith(f"-{number}.png")]


def by_class(report: Report) -> list[dict[str, Any]]:
    """What each variant changes of each class, as `class_cat_drop_pp`; rows have the same keys."""
    lines = [{one.name: one for one in variant.classes} for variant in report.variants]
    names = list(dict.fromkeys(name for line in lines for name in line))
    return [
        {
            f"class_{visible(name)}_{key}": getattr(line.get(name), key, None)
            for name in names
            for key in ("drop_pp", "gained", "lost")
        }
        for line in lines
    ]
