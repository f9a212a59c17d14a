"""Look: what a set of pictures is like, told by its whole listing and a sample that is opened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.data import source
from pipeline.data.intake import named_otherwise
from pipeline.data.recognise import instead
from pipeline.data.sampling import Sample, sample
from pipeline.data.several import numbers
from pipeline.data.sources import SPLITS, Catalog, Found, Remark
from pipeline.data.splits import TRAIN, UNSAID
from pipeline.errors import DataError
from pipeline.settings import Ingest


@dataclass(frozen=True)
class Look:
    """What is known of a set of pictures before it is taken in.

    `counts` is `(classes, 4)`: pictures listed in train, in validation, in test, and in no split
    that the source gives; `listed` `(4,)` counts each picture once, be its labels none or several,
    which `multi_label` says they may be. `pixels` tells that they are pixels already. `aside` is
    what the listing itself sets aside, `passed_over` what is taken for no picture.
    """

    name: str
    classes: list[str]
    counts: NDArray[np.int64]
    listed: NDArray[np.int64]
    multi_label: bool
    pixels: bool
    aside: list[Remark]
    passed_over: list[Remark]
    noted: list[Remark]
    sample: Sample

    @property
    def pictures(self) -> int:
        """How many are listed."""
        return int(self.listed.sum())

    @property
    def totals(self) -> NDArray[np.int64]:
        """Pictures of each class, `(classes,)`."""
        totals: NDArray[np.int64] = self.counts.sum(axis=1)
        return totals

    @property
    def by_split(self) -> dict[str, NDArray[np.int64]]:
        """Pictures of each class in each split there is, and in "no split"."""
        columns = zip((*SPLITS, "no split"), self.counts.T, strict=True)
        return {split: counts for split, counts in columns if counts.any()}

    @property
    def given(self) -> list[str]:
        """The splits that the source gives."""
        return [split for split in self.by_split if split in SPLITS]

    @property
    def pool(self) -> NDArray[np.int64]:
        """Pictures of each class to train on, those for splits still to be drawn among them."""
        return self.counts[:, TRAIN] + self.counts[:, UNSAID]

    @property
    def to_train(self) -> int:
        """How many there are to train on, those for splits still to be drawn among them."""
        return int(self.listed[TRAIN] + self.listed[UNSAID])

    @property
    def bad_fraction(self) -> float:
        """Share that ingest will set aside, as far as listing and sample tell."""
        unreadable = len(self.sample.unreadable) / self.sample.opened * self.pictures
        return (unreadable + len(self.aside)) / (self.pictures + len(self.aside))


def look(settings: Ingest) -> Look:
    """List all pictures of a source and open a part of them, whatever is wrong with any.

    Raises:
        DataError: the source cannot be listed, or holds nothing to tell apart.
    """
    where = str(settings.path or settings.dataset)
    try:
        catalog = source(settings).catalog()
    except DataError as error:
        raise DataError(f"{error}{instead(settings)}") from error
    counts, totals, aside = _listed(catalog)
    _require_classes(f"{where}: ", instead(settings), catalog.classes, counts, aside)
    seen = sample(
        _pictures(source(settings).catalog()),
        int(totals.sum()),
        pixels=catalog.pixels,
        max_pixels=settings.max_pixels,
    )
    if not seen.read:
        first = seen.unreadable[0]
        raise DataError(
            f"{where}: none of {seen.opened} pictures that were opened can be read; the first: "
            f"{first.where}: {first.reason}"
        )
    return Look(
        catalog.name,
        catalog.classes,
        counts,
        totals,
        catalog.multi_label,
        catalog.pixels,
        aside,
        catalog.passed_over,
        catalog.noted + seen.noted,
        seen,
    )


def _pictures(catalog: Catalog) -> Iterator[Found]:
    return (
        found
        for found in catalog.pictures
        if isinstance(found, Found) and not named_otherwise(found)
    )


def _listed(
    catalog: Catalog,
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Remark]]:
    """Count pictures by class and split, and by split; gather those set aside unopened."""
    counts = np.zeros((len(catalog.classes), len(SPLITS) + 1), np.int64)
    totals = np.zeros(len(SPLITS) + 1, np.int64)
    aside: list[Remark] = []
    for found in catalog.pictures:
        if isinstance(found, Remark):
            aside.append(found)
        elif named_otherwise(found):
            catalog.passed_over.append(Remark(found.where, "not named as a picture"))
        else:
            split = UNSAID if found.split is None else SPLITS.index(found.split)
            totals[split] += 1
            counts[list(numbers(found.label)), split] += 1
    return counts, totals, aside


def _require_classes(
    where: str,
    hint: str,
    classes: Sequence[str],
    counts: NDArray[np.int64],
    aside: Sequence[Remark],
) -> None:
    filled = [name for name, row in zip(classes, counts, strict=True) if row.any()]
    if not filled:
        why = f"; the first set aside: {aside[0].where}: {aside[0].reason}" if aside else hint
        raise DataError(f"{where}no picture in it{why}")
    if len(filled) < 2:
        raise DataError(
            f"{where}pictures of one class only ({filled[0]}); two are needed to tell apart{hint}"
        )
