"""Splits of pictures with several labels each: every class in proportion, as far as one picture
stands for all of its classes at once.

Which split a picture falls into depends on the others here: more pictures, or other labels, may
move some. Names and the order of files do not matter; equal pixels stay together.

Source: Sechidis, Tsoumakas and Vlahavas, 2011, "On the Stratification of Multi-Label Data",
algorithm 1. There chance breaks ties, here a hash of seed and pixels, so that equal pictures give
equal splits.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources import SPLITS, Labels
from pipeline.data.splits import LEFT_OUT, TEST, TRAIN, VALIDATION, Parts, shares_of, wanted_splits
from pipeline.errors import DataError
from pipeline.settings import Ingest

Dealt = NDArray[np.int64]


def assign(
    drawn: NDArray[np.float64],
    labels: Labels,
    given: Parts,
    classes: Sequence[str],
    settings: Ingest,
) -> tuple[Parts, list[str]]:
    """Say of each picture which split it is in, and for which classes a picture was moved.

    As `splits.assign`, for labels `(N, classes)`; `drawn` `(N, 3)` is of `splits.draws`. The test
    split is dealt first, then folds, or validation, from the rest.

    Raises:
        DataError: a class has too few pictures to be in every split.
    """
    parts, wanted = wanted_splits(given, settings)
    _require_given(parts, labels, classes, wanted)
    ours = np.flatnonzero(parts == TRAIN)
    _, first, copies = np.unique(drawn[ours], axis=0, return_index=True, return_inverse=True)
    shown = labels[ours][first].astype(np.int64)
    chance = drawn[ours][first]
    folds = (settings.folds or 2) if VALIDATION in wanted else 1
    needed = folds + (TEST in wanted)
    _require_enough(shown.sum(axis=0), classes, needed, settings)
    places = np.zeros(len(shown), np.int64)  # folds first, the test split behind them
    if TEST in wanted:
        places[deal(shown, chance[:, 0], _cut(len(shown), settings.test)) == 0] = folds
    rest = np.flatnonzero(places == 0)
    places[rest] = deal(shown[rest], chance[rest, 1], _fold_sizes(len(rest), folds, settings))
    moved = fill(places, shown, needed, classes)
    splits = np.full(needed, TRAIN, np.int8)
    if VALIDATION in wanted:
        splits[settings.fold - 1] = VALIDATION
    if TEST in wanted:
        splits[folds] = TEST
    parts[ours] = splits[places][copies]
    return parts, [classes[number] for number in sorted(moved)]


def _cut(count: int, share: float) -> list[int]:
    """Sizes of a part and of the rest."""
    size = round(count * share)
    return [size, count - size]


def _fold_sizes(count: int, folds: int, settings: Ingest) -> list[int]:
    """Sizes of folds that differ by one picture at most; without folds, of validation and train."""
    if folds > 1 and not settings.folds:
        return _cut(count, settings.validation)
    return [count // folds + (fold < count % folds) for fold in range(folds)]


def _require_given(
    parts: Parts, labels: Labels, classes: Sequence[str], wanted: Sequence[int]
) -> None:
    for number, name in enumerate(classes):
        inside = parts[labels[:, number] > 0]
        if not len(inside):
            raise DataError(f"class {name!r} has no picture that can be read")
        for part in (TRAIN, VALIDATION, TEST):
            if part not in wanted and not (inside == part).any():
                raise DataError(f"no picture of class {name!r} in the {SPLITS[part]} split")


def _require_enough(
    counts: NDArray[np.int64], classes: Sequence[str], needed: int, settings: Ingest
) -> None:
    for name, count in zip(classes, counts.tolist(), strict=True):
        if count < needed:
            folds = f" and in {settings.folds} folds" if settings.folds else ""
            raise DataError(
                f"class {name!r} has {count} different pictures to draw splits from, too few to be "
                f"in train, validation and test{folds}; add some"
            )


def deal(shown: NDArray[np.int64], chance: NDArray[np.float64], sizes: Sequence[int]) -> Dealt:
    """Deal pictures out to parts of about these sizes, each class in proportion to them: `(N,)`.

    `shown` `(N, classes)` is 0 and 1, `chance` `(N,)` numbers in [0, 1) that order pictures and
    break ties. The class with the fewest pictures left comes first, since later ones could not make
    up for it; each of its pictures goes where that class is wanted most, among equals where there
    is most room. Pictures that show no class fill what room is left. Proportions of classes come
    before sizes: a part whose pictures happen to show more classes each has a few pictures less.
    """
    room = list(sizes)
    left = shown.sum(axis=0)
    share = np.array(sizes) / max(1, len(shown))
    wanted = np.outer(left, share).tolist()  # of each class, what each part still lacks
    dealt = np.full(len(shown), -1, np.int64)
    order = np.argsort(chance, kind="stable")
    while left.any():
        rarest = int(np.argmin(np.where(left > 0, left, np.iinfo(np.int64).max)))
        rows = order[(dealt[order] < 0) & (shown[order, rarest] > 0)]
        for row in rows.tolist():
            part = _neediest(wanted[rarest], room, float(chance[row]))
            dealt[row] = part
            room[part] -= 1
            for number in np.flatnonzero(shown[row]).tolist():
                wanted[number][part] -= 1
        left = left - shown[rows].sum(axis=0)
    for row in order[dealt[order] < 0].tolist():
        dealt[row] = part = _neediest(room, room, float(chance[row]))
        room[part] -= 1
    return dealt


def _neediest(wanted: Sequence[float], room: Sequence[int], chance: float) -> int:
    """The part that lacks most; among equals the one with most room, then by chance."""
    ranks = list(zip(wanted, room, strict=True))
    best = max(ranks)
    equal = [part for part, rank in enumerate(ranks) if rank == best]
    return equal[int(chance * len(equal))]


def fill(dealt: Dealt, shown: NDArray[np.int64], needed: int, classes: Sequence[str]) -> set[int]:
    """Move pictures in place, so that each of the first `needed` parts has one of every class.

    A picture moves only where those parts keep all they have. Returns the classes it was done for.

    Raises:
        DataError: there is no such picture.
    """
    held = np.stack([shown[dealt == part].sum(axis=0) for part in range(needed)])
    moved: set[int] = set()
    for number in np.argsort(shown.sum(axis=0), kind="stable").tolist():
        for part in np.flatnonzero(held[:, number] == 0).tolist():
            rows = np.flatnonzero(shown[:, number]).tolist()
            free = [row for row in rows if _can_leave(int(dealt[row]), shown[row], held)]
            if not free:
                raise DataError(
                    f"class {classes[number]!r}: its pictures show other classes too, so that they "
                    f"cannot be shared out with every class in every split; add some"
                )
            row = min(free, key=lambda one: int(shown[one].sum()))
            if dealt[row] < needed:
                held[dealt[row]] -= shown[row]
            held[part] += shown[row]
            dealt[row] = part
            moved.add(number)
    return moved


def _can_leave(part: int, row: NDArray[np.int64], held: NDArray[np.int64]) -> bool:
    return part >= len(held) or bool((held[part][row > 0] >= 2).all())


def limited(
    parts: Parts,
    drawn: NDArray[np.float64],
    labels: Labels,
    classes: Sequence[str],
    limit: int,
    folds: int | None = None,
) -> Parts:
    """Keep at most `limit` training pictures, and the same stratified share of the other splits.

    Unlike with one label a picture, a larger limit need not hold all the pictures of a smaller one.

    Raises:
        DataError: there are more classes than that.
    """
    if limit < len(classes):
        raise DataError(f"ingest.limit {limit} is less than the number of classes, {len(classes)}")
    kept = np.full_like(parts, LEFT_OUT)
    for part, share in shares_of(parts, limit, folds).items():
        rows = np.flatnonzero(parts == part)
        rows = rows[np.argsort(drawn[rows, 2], kind="stable")]  # whatever order they came in
        shown, sizes = labels[rows].astype(np.int64), _cut(len(rows), min(1.0, share))
        dealt = deal(shown, drawn[rows, 2], sizes)
        fill(dealt, shown, 1, classes)
        _trim(dealt, shown, sizes[0])
        kept[rows[dealt == 0]] = part
    return kept


def _trim(dealt: Dealt, shown: NDArray[np.int64], size: int) -> None:
    """Take pictures out of part 0, in place, down to a size, or as far as its classes allow.

    With each of its pictures the only one of some class, it has no more of them than classes.
    """
    while np.count_nonzero(dealt == 0) > size:
        held = shown[dealt == 0].sum(axis=0)
        spare = np.flatnonzero((dealt == 0) & ((held >= 2) | (shown == 0)).all(axis=1))
        if not len(spare):
            return
        dealt[spare[-1]] = 1
