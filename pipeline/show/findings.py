"""What ingest found out about the pictures, in plain sentences."""

from collections.abc import Iterable, Sequence

from pipeline.show import numbers
from pipeline.show.audit import Audit, Duplicates, NearDuplicates
from pipeline.show.intake import pictures
from pipeline.show.names import cut, visible

_LOPSIDED = 3.0  # largest class by smallest, from which the page says so
_VERY_LOPSIDED = 10.0  # from which the top of the page does


def notes(audit: Audit, balanced: bool = False) -> tuple[str, ...]:
    """What nobody who trusts the numbers should miss: it goes to the top of the report.

    `balanced` tells that training weighed its classes already.
    """
    near = audit.near_duplicates
    said = (
        _set_aside(audit),
        _left_out(audit.duplicates),
        _look_alikes_across(near) if near.across_splits else None,
        _conflicts(audit),
        _imbalance(audit, balanced) if audit.imbalance >= _VERY_LOPSIDED else None,
    )
    return tuple(line for line in said if line)


def findings(audit: Audit, balanced: bool = False) -> list[str]:
    """All there is to say of the pictures as a whole; one line where nothing was wrong."""
    said = (
        _set_aside(audit),
        _twice(audit.duplicates),
        _left_out(audit.duplicates),
        _look_alikes(audit.near_duplicates),
        _look_alikes_across(audit.near_duplicates) if audit.near_duplicates.across_splits else None,
        _conflicts(audit),
        _moved(audit),
        _imbalance(audit, balanced) if audit.imbalance > _LOPSIDED else None,
    )
    lines = [line for line in said if line]
    shown = [_labels(audit.labels_per_picture)] if audit.labels_per_picture else []
    if not lines:
        twice = "is labelled in two ways" if shown else "has two labels"
        return [
            *shown,
            "Nothing was set aside: every picture could be read, none stands twice or looks like "
            f"another, and none {twice}.",
        ]
    all_read = not audit.quarantined and not audit.conflicts
    return [*shown, *(["Every picture could be read."] if all_read else []), *lines]


def _labels(counts: Sequence[int]) -> str:
    """How many pictures show how many classes: `Of 892 pictures 237 show no class, 446 one`."""
    words = ("no class", "one", "two", "three")
    said = [
        f"{numbers.count(count)} {words[number] if number < len(words) else number}"
        for number, count in enumerate(counts)
        if count
    ]
    mean = sum(number * count for number, count in enumerate(counts)) / sum(counts)
    return (
        f"A picture may show several classes: of {numbers.count(sum(counts))} pictures "
        f"{', '.join(said)}; {mean:.2f} in the mean."
    )


def _set_aside(audit: Audit) -> str | None:
    if not audit.quarantined:
        return None
    share = numbers.percent(audit.bad_fraction)
    return f"{_many(len(audit.quarantined), 'picture')} set aside ({share} of those found)."


def _twice(duplicates: Duplicates) -> str | None:
    if not duplicates.groups:
        return None
    one = duplicates.groups == 1
    return (
        f"{numbers.count(duplicates.groups)} picture{' stands' if one else 's stand'} more than "
        f"once, pixel by pixel: {numbers.count(duplicates.extra)} beyond the first."
    )


def _left_out(duplicates: Duplicates) -> str | None:
    dropped = f"{_many(duplicates.dropped, 'copy', 'copies')} left out"
    if duplicates.across_splits:
        return (
            f"Of the pictures that are there more than once, "
            f"{numbers.count(duplicates.across_splits)} stood in two splits at once; "
            f"{dropped if duplicates.dropped else 'none was left out'}."
        )
    return f"{dropped}." if duplicates.dropped else None


def _look_alikes(near: NearDuplicates) -> str | None:
    if not near.pairs:
        return None
    least = "" if near.complete else "At least "
    return (
        f"{least}{numbers.count(near.pairs)} pair{' looks' if near.pairs == 1 else 's look'} "
        f"alike: thumbnails in gray that differ by {near.rms:.3g} of 255 levels or less."
    )


def _look_alikes_across(near: NearDuplicates) -> str:
    one = near.across_splits == 1
    least = "" if near.complete else "at least "
    return (
        f"Of the pairs that look alike, {least}{numbers.count(near.across_splits)} "
        f"{'stands' if one else 'stand'} in two splits: the accuracy may be too kind."
    )


def _conflicts(audit: Audit) -> str | None:
    if not audit.conflicts:
        return None
    one = len(audit.conflicts) == 1
    if audit.labels_per_picture:
        return (
            f"{numbers.count(len(audit.conflicts))} picture{' is' if one else 's are'} labelled in "
            f"two ways or more; all copies of {'it' if one else 'them'} were set aside."
        )
    return (
        f"{numbers.count(len(audit.conflicts))} picture{' has' if one else 's have'} two labels "
        f"or more; all copies of {'it' if one else 'them'} were set aside."
    )


def _moved(audit: Audit) -> str | None:
    if not audit.moved:
        return None
    return (
        "One picture each was moved to fill a split, since these classes are so small: "
        f"{_some(audit.moved)}."
    )


def _imbalance(audit: Audit, balanced: bool) -> str:
    largest = max(audit.classes, key=pictures)
    smallest = min(audit.classes, key=pictures)
    return (
        f"The largest class, {_brief(largest.name)}, has {audit.imbalance:.3g} times the pictures "
        f"of the smallest, {_brief(smallest.name)}"
        + (
            "; training let each class count the same (class_weights: balanced)."
            if balanced
            else ": with train.class_weights=balanced each class counts the same."
        )
    )


def _many(count: int, word: str, plural: str | None = None) -> str:
    noun = word if count == 1 else plural or f"{word}s"
    return f"{numbers.count(count)} {noun} {'was' if count == 1 else 'were'}"


def _brief(name: str) -> str:
    return cut(visible(name), 40)


def _some(names: Iterable[str], limit: int = 10) -> str:
    listed = [_brief(name) for name in names]
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more
