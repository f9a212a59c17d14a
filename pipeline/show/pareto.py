"""The Pareto front: variants that no other beats in both size and accuracy."""

from collections.abc import Sequence
from itertools import pairwise

from pipeline.show.names import class_labels
from pipeline.show.placing import Box, Disc
from pipeline.show.schema import Variant

_NAMED = 3  # of the variants on the front, in the legend
_THIN = 0.005


def pareto_front(rows: Sequence[Variant]) -> list[int]:
    """Places in `rows`, all measured, of those on the front, the smallest first.

    Off it is who has another beside it that is no larger and no less accurate, and one of both.
    """

    def beaten(row: Variant) -> bool:
        size, share = row.bytes or 0, row.accuracy or 0
        others = [(other.bytes or 0, other.accuracy or 0) for other in rows]
        return any(b <= size and a >= share and (b, a) != (size, share) for b, a in others)

    unbeaten = [place for place, row in enumerate(rows) if not beaten(row)]
    return sorted(unbeaten, key=lambda place: (rows[place].bytes or 0, place))


def steps(discs: Sequence[Disc], right: float) -> tuple[list[float], list[float]]:
    """The front through `discs`, the smallest file first: on at one height, then up; to `right`."""
    xs, ys = [discs[0].x], [discs[0].y]
    for disc in discs[1:]:
        xs += [disc.x, disc.x]
        ys += [ys[-1], disc.y]
    return [*xs, right], [*ys, ys[-1]]


def boxes(xs: Sequence[float], ys: Sequence[float]) -> list[Box]:
    """The stretches of a line of steps, as thin boxes that labels had better not cross."""
    ends = list(zip(xs, ys, strict=True))
    return [
        Box(min(a[0], b[0]), min(a[1], b[1]) - _THIN, max(a[0], b[0]), max(a[1], b[1]) + _THIN)
        for a, b in pairwise(ends)
    ]


def legend(front: Sequence[Variant], measure: str) -> str:
    """What the line is, and who stands on it."""
    names = class_labels([row.name for row in front], limit=20)
    listed = ", ".join(names[:_NAMED])
    listed += f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"Pareto front, unbeaten in size and {measure} together: {listed}"
