"""A graph of boxes as blocks one after the other, branches side by side, repetitions once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from pipeline.show.boxes import Box

LONGEST_PERIOD = 8
WORTH = 2, 3  # boxes a repetition must spare to be drawn once: of the whole network, of a branch


@dataclass(frozen=True)
class Fork:
    """Branches between two points; `skips` lines run past them, `join` is where they meet.

    Where they meet further down, `join` is None.
    """

    branches: tuple["Series", ...]
    skips: int
    join: Box | None


@dataclass(frozen=True)
class Repeat:
    """The same items `times` over; costs are summed, sizes are those of the last time."""

    items: "Series"
    times: int


Item: TypeAlias = Box | Fork | Repeat
Series: TypeAlias = tuple[Item, ...]
Arrows: TypeAlias = Sequence[tuple[int, int]]


def weave(boxes: Sequence[Box], arrows: Arrows) -> Series:
    """Order the boxes of a network into a series; `arrows` run from lower to higher places.

    What is no nesting of forks and joins becomes one box that says how many it stands for.
    """
    return _series(boxes, list(range(len(boxes))), arrows, WORTH[0])


def _series(boxes: Sequence[Box], places: list[int], arrows: Arrows, worth: int) -> Series:
    """The boxes at `places`, with arrows into and out of them that stand for the ends."""
    low, high = places[0], places[-1]
    start, end, inside = low - 1, high + 1, set(places)
    # Arrows that touch the places, those from and to elsewhere bent to the two ends.
    local = {
        (a if a in inside else start, b if b in inside else end)
        for a, b in arrows
        if a in inside or b in inside
    }
    entered, left = {b for _, b in local}, {a for a, _ in local}
    local |= {(start, place) for place in places if place not in entered}
    local |= {(place, end) for place in places if place not in left}
    spine = [p for p in places if not any(a < p < b for a, b in local)]
    if not spine and len(_islands(places, local)) == 1:
        return (_bundle([boxes[place] for place in places]),)
    items: list[Item] = []
    for before, after in zip([start, *spine], [*spine, end], strict=True):
        join = boxes[after] if after != end else None
        between = [place for place in places if before < place < after]
        if between:
            islands = _islands(between, local)
            branches = [_series(boxes, some, arrows, WORTH[1]) for some in islands]
            skips = int((before, after) in local)
            items.append(Fork(tuple(branches), skips, join))
        elif join is not None:
            items.append(join)
    return _repeats(items, worth)


def _islands(places: Sequence[int], arrows: set[tuple[int, int]]) -> list[list[int]]:
    """Parts that no arrow connects."""
    part = {place: place for place in places}

    def root(place: int) -> int:
        while part[place] != place:
            place = part[place]
        return place

    for a, b in arrows:
        if a in part and b in part:
            part[max(root(a), root(b))] = min(root(a), root(b))
    islands: dict[int, list[int]] = {}
    for place in places:
        islands.setdefault(root(place), []).append(place)
    return list(islands.values())


def _bundle(boxes: Sequence[Box]) -> Box:
    macs, params = sum(box.macs for box in boxes), sum(box.params for box in boxes)
    label = f"{len(boxes)} boxes, interwoven"
    return Box("other", label, f"{len(boxes)} boxes", (), (), boxes[-1].output, macs, params)


def _repeats(items: Sequence[Item], worth: int) -> Series:
    """Write the same items one after the other once, where that spares boxes `worth` it."""
    looks = [_look(item) for item in items]
    sizes = [_boxes(item) for item in items]
    found: list[Item] = []
    at = 0
    while at < len(items):
        period, times = _run(looks, at)
        if sum(sizes[at : at + period]) * (times - 1) < worth:
            period, times = 1, 1
        if times == 1:
            found.append(items[at])
        else:
            rounds = [items[at + n * period : at + (n + 1) * period] for n in range(times)]
            once = tuple(_merged([one[i] for one in rounds]) for i in range(period))
            found.append(Repeat(once, times))
        at += period * times
    return tuple(found)


def _run(looks: Sequence[object], at: int) -> tuple[int, int]:
    """Period and times of the repetition from `at` on that spares most; (1, 1) if none does."""
    best, spared = (1, 1), 0
    for period in range(1, min(LONGEST_PERIOD, (len(looks) - at) // 2) + 1):
        times = 1
        while looks[at : at + period] == looks[at + times * period : at + (times + 1) * period]:
            times += 1
        if period * (times - 1) > spared:
            best, spared = (period, times), period * (times - 1)
    return best


def _boxes(item: Item) -> int:
    match item:
        case Box():
            return 1
        case Repeat(items, _):
            return sum(map(_boxes, items))
        case Fork(branches, _, _):
            return 1 + sum(_boxes(one) for branch in branches for one in branch)


def _look(item: Item) -> object:
    """What two items must share to be the same: form and side lengths, not costs."""
    match item:
        case Box():
            return item.kind, item.full, item.output[:-1]
        case Fork(branches, skips, join):
            return tuple(tuple(map(_look, b)) for b in branches), skips, join and _look(join)
        case Repeat(items, times):
            return times, tuple(map(_look, items))


def _merged(same: Sequence[Item]) -> Item:
    """One item for several of the same look."""
    last = same[-1]
    match last:
        case Box():
            boxes = [box for box in same if isinstance(box, Box)]
            return replace(
                last, macs=sum(b.macs for b in boxes), params=sum(b.params for b in boxes)
            )
        case Repeat(_, times):
            repeats = [one.items for one in same if isinstance(one, Repeat)]
            return Repeat(_columns(repeats), times)
        case Fork(branches, skips, join):
            forks = [one for one in same if isinstance(one, Fork)]
            parts = tuple(_columns([f.branches[i] for f in forks]) for i in range(len(branches)))
            joins = [fork.join for fork in forks if fork.join is not None]
            met = _merged(joins) if join is not None else None
            return Fork(parts, skips, met if isinstance(met, Box) else None)


def _columns(series: Sequence[Series]) -> Series:
    return tuple(_merged(column) for column in zip(*series, strict=True))
