"""Splits: train, validation and test by what a picture shows, so that it keeps its own.

Which split a picture falls into is decided by a hash of the seed and its pixels, and of nothing
else: more pictures, other file names or another `ingest.size` move none of them. A class's share
in a split is therefore the one asked for on average; of 100 pictures at 0.2, between 12 and 28 are
taken in 19 of 20 classes. Pictures with several labels are split by `stratified`.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources import SPLITS, Labels
from pipeline.errors import ConfigError, DataError
from pipeline.settings import Ingest

TRAIN, VALIDATION, TEST = range(3)  # as in SPLITS
UNSAID = -1  # no split given by the source
LEFT_OUT = -2
Parts = NDArray[np.int8]


def draws(digests: Sequence[bytes] | NDArray[np.bytes_], seed: int) -> NDArray[np.float64]:
    """Three numbers in [0, 1) for each picture, `(N, 3)`: for test, validation and limit."""
    packed = np.asarray(digests, np.bytes_)
    key, size = seed.to_bytes(8, "little"), packed.itemsize
    content = memoryview(packed.tobytes())
    hashed = b"".join(
        hashlib.blake2b(content[start : start + size], digest_size=24, key=key).digest()
        for start in range(0, len(content), size)
    )
    whole = np.frombuffer(hashed, "<u8").reshape(-1, 3) >> np.uint64(11)
    return whole.astype(np.float64) * 2.0**-53


def assign(
    drawn: NDArray[np.float64],
    labels: Labels,
    given: Parts,
    classes: Sequence[str],
    settings: Ingest,
) -> tuple[Parts, list[str]]:
    """Say of each picture which split it is in, and which classes a picture was moved in.

    A split the source has given is taken as it is; the others are drawn from its training pictures.
    A class that would be missing from a split, as a small one may, gets the picture nearest to it.

    Raises:
        DataError: a class has too few pictures to be in every split.
    """
    parts, wanted = wanted_splits(given, settings)
    moved = []
    for number, name in enumerate(classes):
        rows = np.flatnonzero(labels == number)
        if not len(rows):
            raise DataError(f"class {name!r} has no picture that can be read")
        for part in (TRAIN, VALIDATION, TEST):
            if part not in wanted and not (parts[rows] == part).any():
                raise DataError(f"no picture of class {name!r} in the {SPLITS[part]} split")
        ours = rows[parts[rows] == TRAIN]
        pictures, copies = np.unique(drawn[ours], axis=0, return_inverse=True)
        drawn_parts, changed = _of_class(pictures, name, wanted, settings)
        parts[ours] = drawn_parts[copies]
        if changed:
            moved.append(name)
    return parts, moved


def wanted_splits(given: Parts, settings: Ingest) -> tuple[Parts, list[int]]:
    """Begin with the splits given, train for the others, and say which are still to be drawn."""
    wanted = [part for part in (TEST, VALIDATION) if not (given == part).any()]
    if settings.folds and VALIDATION not in wanted:
        raise ConfigError("ingest.folds: the source has a validation split of its own")
    return np.where(given == UNSAID, TRAIN, given).astype(np.int8), wanted


def _of_class(
    pictures: NDArray[np.float64], name: str, wanted: list[int], settings: Ingest
) -> tuple[Parts, bool]:
    """Draw splits for the different pictures of a class, `(n, 3)`; tell whether any was moved."""
    parts = np.full(len(pictures), TRAIN, np.int8)
    moved = False
    outside_test = (settings.folds or 2) if VALIDATION in wanted else 1
    if len(pictures) < outside_test + (TEST in wanted):
        folds = f" and in {settings.folds} folds" if settings.folds else ""
        raise DataError(
            f"class {name!r} has {len(pictures)} different pictures to draw splits from, too few "
            f"to be in train, validation and test{folds}; add some{_or_without(settings)}"
        )
    if TEST in wanted:
        below = np.count_nonzero(pictures[:, 0] < settings.test)
        count = min(max(below, 1), len(pictures) - outside_test)
        parts[np.argsort(pictures[:, 0])[:count]] = TEST
        moved = count != below
    if VALIDATION in wanted:
        rest = np.flatnonzero(parts == TRAIN)
        chosen, changed = _validation(pictures[rest, 1], settings)
        parts[rest[chosen]] = VALIDATION
        moved = moved or changed
    return parts, moved


def _or_without(settings: Ingest) -> str:
    """Where `ingest.classes` chooses among folders, it can do without some."""
    return ", or leave it out of ingest.classes" if settings.dataset == "folder" else ""


def _validation(drawn: NDArray[np.float64], settings: Ingest) -> tuple[NDArray[np.int64], bool]:
    """Choose pictures of a class: those below a share, or one of the folds, none of them empty."""
    order = np.argsort(drawn)
    if not settings.folds:
        below = np.count_nonzero(drawn < settings.validation)
        count = min(max(below, 1), len(drawn) - 1)
        return order[:count], count != below
    folds = np.floor(drawn * settings.folds).astype(np.int64)
    empty = np.flatnonzero(np.bincount(folds, minlength=settings.folds) == 0)
    for fold in empty:
        giving = np.bincount(folds, minlength=settings.folds).argmax()
        folds[order[folds[order] == giving][-1]] = fold
    return np.flatnonzero(folds == settings.fold - 1), len(empty) > 0


def limited(
    parts: Parts,
    drawn: NDArray[np.float64],
    labels: Labels,
    limit: int,
    folds: int | None = None,
) -> Parts:
    """Keep `limit` training pictures, and the same stratified share of the other splits.

    The pictures of a larger limit hold those of a smaller one, but for a few at the edge. Of
    `folds` one has a few more pictures than another: the test split is the same for all.

    Raises:
        DataError: there are more classes than that.
    """
    classes = int(labels.max()) + 1
    if limit < classes:
        raise DataError(f"ingest.limit {limit} is less than the number of classes, {classes}")
    kept = np.full_like(parts, LEFT_OUT)
    for part, share in shares_of(parts, limit, folds).items():
        rows = np.flatnonzero(parts == part)
        counts = np.bincount(labels[rows], minlength=classes)
        for label, quota in enumerate(_quotas(counts, round(min(1.0, share) * len(rows)))):
            members = rows[labels[rows] == label]
            chosen = members[np.argsort(drawn[members, 2], kind="stable")[:quota]]
            kept[chosen] = part
    return kept


def shares_of(parts: Parts, limit: int, folds: int | None) -> dict[int, float]:
    """What share of each split is kept under a limit; of test the same whichever fold it is."""
    shares = dict.fromkeys(range(len(SPLITS)), limit / int(np.count_nonzero(parts == TRAIN)))
    if folds:
        folded = int(np.count_nonzero((parts == TRAIN) | (parts == VALIDATION)))
        shares[TEST] = limit / (folded * (1 - 1 / folds))
    return shares


def _quotas(counts: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Share `total` out in proportion to `counts`, one at least to each; largest remainders win."""
    exact = counts * (total / counts.sum())
    quotas = np.maximum(1, np.floor(exact)).astype(np.int64)
    remainders = np.where(quotas < counts, exact - quotas, -np.inf)
    for label in np.argsort(-remainders, kind="stable")[: max(0, total - quotas.sum())]:
        quotas[label] += 1
    while quotas.sum() > max(total, len(counts)):
        quotas[quotas.argmax()] -= 1
    fitting: NDArray[np.int64] = np.minimum(quotas, counts)
    return fitting
