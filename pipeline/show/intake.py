"""The pictures going in, as counts and tables for the page."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.show import numbers
from pipeline.show.audit import Audit, ClassAudit, Remark

# How many rows of a table of files the page and the Markdown show; report.json has all of them.
PAGE_ROWS, MARKDOWN_ROWS = 300, 20


class Listing(NamedTuple):
    """A table of remarks: its heading, what they have in common, and the remarks."""

    key: str
    heading: str
    meaning: str
    remarks: Sequence[Remark]


def used(audit: Audit) -> int:
    """How many pictures are in the splits; where some show several classes, each counts once."""
    return sum(audit.labels_per_picture or map(pictures, audit.classes))


def pictures(one: ClassAudit) -> int:
    """How many pictures a class has in all splits."""
    return one.train + one.validation + one.test


def listings(audit: Audit) -> list[Listing]:
    """The tables of remarks that are not empty."""
    tables = (
        Listing("quarantined", "Set aside", "Left out, each for its reason.", audit.quarantined),
        Listing("noted", "Worth a look", "Used as they are.", audit.noted),
        Listing(
            "passed_over", "Passed over", "Not taken for pictures of this set.", audit.passed_over
        ),
    )
    return [table for table in tables if table.remarks]


def examples(audit: Audit) -> list[tuple[str, Sequence[Sequence[str]]]]:
    """Groups of pictures that are the same or look alike, under their headings."""
    groups = (
        ("The same picture", audit.duplicates.examples),
        ("Look alike", audit.near_duplicates.examples),
    )
    return [(heading, some) for heading, some in groups if some]


def size_range(audit: Audit) -> str:
    """The sizes pictures came in: `8 × 8`, or `320–4000 × 240–3000, 57 different`."""
    sizes = audit.sizes
    width, height = (
        f"{side.min:g}" if side.min == side.max else f"{side.min:g}–{side.max:g}"
        for side in (sizes.width, sizes.height)
    )
    several = f", {numbers.count(sizes.distinct)} different" if sizes.distinct > 1 else ""
    return f"{width} × {height}{several}"


def brightness(one: ClassAudit) -> str:
    """Mean and deviation of a class, as `98 ± 21`."""
    return f"{one.brightness_mean:.0f} ± {one.brightness_sd:.0f}"


def sheets_shown(audit: Audit, sheets: int) -> str:
    """Which classes the contact sheets show."""
    total = len(audit.classes)
    if sheets >= total:
        return f"All {numbers.count(total)} classes."
    return (
        f"The {numbers.count(sheets)} classes with the fewest training pictures, of "
        f"{numbers.count(total)}; the others are not drawn."
    )
