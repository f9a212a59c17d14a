"""Selection: which of the pictures read go into which split, and which into none."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.data import splits, stratified
from pipeline.data.collection import Collection, Digests
from pipeline.data.likeness import groups
from pipeline.data.several import contradict, counted, named, several
from pipeline.data.sources import SPLITS, Labels, Remark
from pipeline.data.splits import LEFT_OUT, TEST, TRAIN, VALIDATION, Parts
from pipeline.errors import DataError
from pipeline.settings import Ingest

KEPT_FIRST = {TEST: 0, VALIDATION: 1, TRAIN: 2, LEFT_OUT: 3}  # of copies in several splits


@dataclass
class Selection:
    """The split of each row of a collection, and what was found on the way.

    `conflicts` are groups of rows of equal pixels under several labels, `copies` those under one.
    """

    parts: Parts
    digests: Digests
    conflicts: list[list[int]]
    copies: list[list[int]]
    moved: list[str] = field(default_factory=list)
    across: int = 0
    dropped: int = 0

    def rows(self, part: int) -> NDArray[np.int64]:
        """Rows of a split, in the order of their digests: the same for the same pictures."""
        inside = np.flatnonzero(self.parts == part)
        ordered: NDArray[np.int64] = inside[np.argsort(self.digests[inside], kind="stable")]
        return ordered

    @property
    def kept(self) -> NDArray[np.int64]:
        """Rows that are in any split."""
        return np.flatnonzero(self.parts >= 0)


def contradictions(
    collection: Collection, selection: Selection, classes: Sequence[str]
) -> list[Remark]:
    """Say of each picture that stands under several labels what its copies are called."""
    labels = collection.labels
    found = []
    for group in selection.conflicts:
        for row in group:
            other = next(one for one in group if contradict(labels, [row, one]))
            found.append(
                Remark(
                    collection.where[row],
                    f"labelled {named(labels[row], classes)!r}, and "
                    f"{named(labels[other], classes)!r} as "
                    f"{collection.where[other]}, the same picture",
                )
            )
    return found


def compare(collection: Collection) -> Selection:
    """Find pictures that are there more than once; those under several labels are left out."""
    digests, labels = collection.digests, collection.labels
    parts = np.zeros(len(collection), np.int8)
    conflicts, copies = [], []
    for group in groups(digests):
        if contradict(labels, group):
            conflicts.append(group)
            parts[group] = LEFT_OUT
        else:
            copies.append(group)
    return Selection(parts, digests, conflicts, copies)


def select(
    collection: Collection, selection: Selection, classes: Sequence[str], settings: Ingest
) -> None:
    """Fill in the splits: those given, those drawn, copies dropped, and the limit kept.

    Raises:
        DataError: a picture stands in two given splits and `duplicates` is "error"; or as
            `splits.assign`.
    """
    drawn, labels = splits.draws(selection.digests, settings.seed), collection.labels
    sound = np.flatnonzero(selection.parts != LEFT_OUT)
    assign = stratified.assign if several(labels) else splits.assign
    selection.parts[sound], selection.moved = assign(
        drawn[sound], labels[sound], collection.given[sound], classes, settings
    )
    _drop_copies(collection, selection, settings)
    _require_every_class(selection, labels, classes)
    if settings.limit is not None:
        kept = selection.kept
        parts, limit, folds = selection.parts[kept], settings.limit, settings.folds
        selection.parts[kept] = (
            stratified.limited(parts, drawn[kept], labels[kept], classes, limit, folds)
            if several(labels)
            else splits.limited(parts, drawn[kept], labels[kept], limit, folds)
        )


def _drop_copies(collection: Collection, selection: Selection, settings: Ingest) -> None:
    parts = selection.parts
    across = [group for group in selection.copies if len(set(parts[group].tolist())) > 1]
    selection.across = len(across)
    if across and settings.duplicates == "error":
        one = across[0][0]
        other = next(row for row in across[0] if parts[row] != parts[one])
        where = " and ".join(
            f"{collection.where[row]} ({SPLITS[parts[row]]})" for row in (one, other)
        )
        raise DataError(
            f"{len(across)} pictures stand in two splits, such as {where}; remove one of each, "
            f"or set ingest.duplicates=drop"
        )
    if settings.duplicates == "drop":
        for group in selection.copies:
            first = min(group, key=lambda row: (KEPT_FIRST[int(parts[row])], row))
            others = [row for row in group if row != first]
            parts[others] = LEFT_OUT
            selection.dropped += len(others)


def _require_every_class(selection: Selection, labels: Labels, classes: Sequence[str]) -> None:
    for part, split in enumerate(SPLITS):
        counts = counted(labels[selection.parts == part], len(classes))
        if counts.min() == 0:
            name = classes[int(counts.argmin())]
            copies = f", for ingest.duplicates=drop left out {selection.dropped} copies"
            raise DataError(
                f"no picture of class {name!r} in the {split} split"
                f"{copies if selection.dropped else ''}; add some"
            )
