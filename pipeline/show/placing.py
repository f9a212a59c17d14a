"""Labels beside discs that do not cover each other: plain geometry, in inches, y down."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_ANGLES = tuple(math.radians(degrees) for degrees in (0, 180, 45, 135, -45, -135, 90, -90))
_STEP, _AIR, _FARTHEST = 0.08, 0.03, 3.0
_CROSSING, _COVERING = 0.2, 100.0


class Disc(NamedTuple):
    """A round mark to be labelled."""

    x: float
    y: float
    radius: float


class Box(NamedTuple):
    """The rectangle a label fills."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """The area both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0) * max(height, 0)

    def touches(self, disc: Disc) -> bool:
        """Whether the disc reaches into this box, or nearly so."""
        x = min(max(disc.x, self.left), self.right)
        y = min(max(disc.y, self.top), self.bottom)
        return math.hypot(x - disc.x, y - disc.y) < disc.radius + _AIR

    def inside(self, field: "Box") -> bool:
        """Whether nothing of this box sticks out of `field`."""
        return (
            self.left >= field.left
            and self.top >= field.top
            and self.right <= field.right
            and self.bottom <= field.bottom
        )


def side_by_side(xs: Sequence[float], pitch: float = 0.2, limit: float = 0.6) -> list[float]:
    """The same places, but those closer than `pitch` spread around their middle to stand apart.

    No group grows wider than `limit`: what lies apart must still look apart.
    """
    order = sorted(range(len(xs)), key=lambda i: xs[i])
    groups: list[list[int]] = []
    for i in order:
        if groups and xs[i] - xs[groups[-1][-1]] < pitch:
            groups[-1].append(i)
        else:
            groups.append([i])
    spread = list(xs)
    for group in groups:
        step = min(pitch, limit / max(len(group) - 1, 1))
        step = max(step, (xs[group[-1]] - xs[group[0]]) / max(len(group) - 1, 1))
        middle = sum(xs[i] for i in group) / len(group)
        for place, i in enumerate(group):
            spread[i] = middle + (place - (len(group) - 1) / 2) * step
    return spread


def place_labels(
    discs: Sequence[Disc],
    sizes: Sequence[tuple[float, float]],
    field: Box,
    lines: Sequence[Box] = (),
) -> list[Box]:
    """For each disc a box of its `(width, height)` inside `field`, free of discs and other boxes.

    The nearest free place wins, one across `lines` only where the next is much farther. Who
    stands first chooses first. Only where the field is full may a label cover another.
    """
    placed: list[Box] = []

    def cost(place: tuple[float, Box]) -> float:
        distance, box = place
        covered = sum(map(box.touches, discs)) + sum(box.overlap(other) > 0 for other in placed)
        crossed = sum(box.overlap(line) > 0 for line in lines)
        return distance + _CROSSING * crossed + _COVERING * covered

    for disc, size in zip(discs, sizes, strict=True):
        candidates = list(_around(disc, size))
        inside = [place for place in candidates if place[1].inside(field)]
        placed.append(min(inside or candidates, key=cost)[1])
    return placed


def _around(disc: Disc, size: tuple[float, float]) -> Iterator[tuple[float, Box]]:
    """Distances and boxes around a disc; at each distance the directions in order of taste."""
    width, height = size
    distance = disc.radius + 0.06
    while distance < _FARTHEST:
        for angle in _ANGLES:
            x, y = math.cos(angle), -math.sin(angle)
            middle_x = disc.x + x * (distance + width / 2)
            middle_y = disc.y + y * (distance + height / 2)
            left, top = middle_x - width / 2, middle_y - height / 2
            yield distance, Box(left, top, left + width, top + height)
        distance += _STEP
