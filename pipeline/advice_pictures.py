"""Advice on pictures: what ingest should make of them, each setting with the figure behind it."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from pipeline.data.look import Look
from pipeline.oddities import clean, too_small
from pipeline.settings import Ingest

KEPT = 64  # pixels up to which pictures of one size keep it
LONG = 1.5  # times as long as wide, to which cutting the ends off is taken to be no harm: 3:2
MANY = 20_000  # pictures from which a first run on a part of them is worth a thought


@dataclass(frozen=True)
class Line:
    """A setting, why it is so, and whether it counts or stands there as a comment."""

    key: str
    value: Any
    why: str = ""
    active: bool = True


def ingest_lines(look: Look, path: str, dataset: str, reason: str) -> list[Line]:
    """Lines of the section `ingest`; `path` is written as it is given."""
    size = _size(look)
    relative = not path.startswith(("/", "~"))
    return [
        Line("dataset", dataset, reason),
        Line("path", path, "relative to the folder the command is given in" if relative else ""),
        size,
        *_fit(look, size),
        _color(look),
        *_shares(look),
        *_exceptions(look, dataset),
    ]


def _size(look: Look) -> Line:
    sizes = look.sample.sizes
    width, height = (int(side) for side in sizes[0])
    same = bool((sizes == sizes[0]).all())
    if same and max(width, height) <= KEPT:
        value, order = (width, "") if width == height else ([height, width], "; height first")
        return Line("size", value, f"all {len(sizes):,} opened are {width}x{height}{order}")
    most = next(
        size
        for pictures, size in ((4_000, 128), (40_000, 96), (np.inf, 64))
        if look.to_train <= pictures
    )
    short = int(np.median(sizes.min(axis=1)))
    wide, high = (int(side) for side in np.median(sizes, axis=0))
    seen = f"all opened are {width}x{height}" if same else f"{wide}x{high} is the median"
    return Line(
        "size",
        max(8, short) if short < 16 else min(most, short // 16 * 16),
        f"{seen}; {most} is as much as two cores learn in minutes from {look.to_train:,} pictures",
    )


def _fit(look: Look, size: Line) -> list[Line]:
    sizes = look.sample.sizes
    if isinstance(size.value, list) or (sizes == size.value).all():
        return []
    ratio = float(np.percentile(sizes.max(axis=1) / sizes.min(axis=1), 90))
    most = f"nine in ten are at most {ratio:.2f} times as long as wide"
    if ratio <= LONG:
        return [Line("fit", "crop", f"{most}: the longer ends are cut off; pad keeps them")]
    return [Line("fit", "pad", f"{most}: cropping would lose too much of them")]


def _color(look: Look) -> Line:
    gray, read = look.sample.gray, look.sample.read
    if gray == read:
        return Line("color", "gray", f"all {read:,} that were read are gray")
    return Line("color", "rgb", f"{read - gray:,} of {read:,} that were read are in colour")


def _shares(look: Look) -> list[Line]:
    """Say how much to keep for validation and test, if not given: more where classes are small."""
    smallest = int(look.pool[look.pool > 0].min())
    name = clean(look.classes[int(np.flatnonzero(look.pool == smallest)[0])])
    shares = {
        "validation": 0.2 if smallest < 100 else 0.15 if smallest < 1_000 else 0.1,
        "test": 0.1 if smallest >= 5_000 else 0.2,
    }
    left = smallest
    lines = []
    for split in ("test", "validation"):  # in the order in which they are drawn
        if split not in look.given:
            taken = left * shares[split]
            why = f'about {taken:.0f} of the {smallest:,} of "{name}", the smallest class'
            lines.append(Line(split, shares[split], why))
            left -= round(taken)
    return lines


def _exceptions(look: Look, dataset: str) -> list[Line]:
    """Lines for what is not as it should be; those that lose pictures are left to the user."""
    lines = []
    small = set(too_small(look))
    enough = [name for name in look.classes if name not in small]
    if small and len(enough) > 1 and dataset == "folder":
        why = f"{len(small)} classes are too small for a run; take this line in to go without them"
        lines.append(Line("classes", enough, why, active=False))
    if look.bad_fraction > Ingest.model_fields["max_bad_fraction"].default:
        share = min(1.0, ceil(look.bad_fraction * 120) / 100)
        why = f"about {look.bad_fraction:.0%} cannot be read, so that a run stops; mend them, or"
        lines.append(Line("max_bad_fraction", share, f"{why} take this line in", active=False))
    if len(look.given) > 1:
        across = look.sample.across
        why = (
            f"{across} that were opened stand in two of the given splits: one of each is kept"
            if across
            else "no picture opened stands in two given splits; a run stops where one does, or"
            " keeps one of each with"
        )
        lines.append(Line("duplicates", "drop", why, active=bool(across)))
    if look.to_train > MANY:
        why = f"a first run on a part of {look.to_train:,} pictures takes less time"
        lines.append(Line("limit", 5_000, why, active=False))
    return lines
