"""Oddities: what a person should know of a set of pictures before training on it, a line each."""

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.data.look import Look
from pipeline.data.sources import SPLITS, Remark
from pipeline.data.splits import TRAIN

UNEVEN = 3  # times the smallest class from which classes weigh differently
NAMED = 5  # classes listed by name
LONGEST = 60  # signs of a name


def clean(text: str) -> str:
    """Write a name so that it stays on its line: signs that do not print are spelled out."""
    shown = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def too_small(look: Look) -> list[str]:
    """Classes with too few pictures for one in each split, which a run refuses."""
    drawn = sum(split not in look.given for split in SPLITS[1:])
    small = look.pool < 1 + drawn
    for part, split in enumerate(SPLITS):
        if part != TRAIN and split in look.given:
            small |= look.counts[:, part] == 0
    return [look.classes[number] for number in np.flatnonzero(small)]


def imbalance(look: Look) -> float:
    """Pictures of the largest class for one of the smallest that has any."""
    totals = look.totals
    return float(totals.max() / totals[totals > 0].min())


def oddities(look: Look) -> Iterator[str]:
    """Say what is odd, worst first; nothing where all is well."""
    seen = look.sample
    small = too_small(look)
    if small:
        yield (
            f"{len(small)} of {len(look.classes)} classes have too few pictures to be in train, "
            f"validation and test, and a run refuses that: {_names(small)}; add pictures, or "
            f"go without them"
        )
    if seen.unreadable:
        yield _counted(seen.unreadable, f"of {seen.opened:,} opened cannot be read")
    if look.aside:
        yield _counted(look.aside, "more are set aside without being opened")
    if seen.conflicts:
        yield f"{seen.conflicts} of {seen.read:,} opened stand in several classes: set aside"
    if seen.across:
        yield f"{seen.across} of {seen.read:,} opened stand in two of the given splits"
    if imbalance(look) > UNEVEN:
        yield f"the largest class has {imbalance(look):.1f} times the pictures of the smallest"
    if seen.see_through:
        yield f"{seen.see_through} of {seen.read:,} opened are transparent in parts: laid on white"
    if look.passed_over:
        yield _counted(look.passed_over, "files are passed over")
    if look.noted:
        yield _counted(look.noted, "more are taken as they are, but worth a look")


def _counted(remarks: Sequence[Remark], what: str) -> str:
    first = remarks[0]
    return f"{len(remarks):,} {what}, such as {clean(first.where)}: {clean(first.reason)}"


def _names(classes: Sequence[str]) -> str:
    more = f" and {len(classes) - NAMED} more" if len(classes) > NAMED else ""
    return ", ".join(map(clean, classes[:NAMED])) + more
