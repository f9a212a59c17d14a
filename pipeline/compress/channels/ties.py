"""Which channels stand and fall together: numbers for channels, and what makes two of them one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
FIXED = 0  # the number of all channels that nobody may remove


class Ties:
    """Every channel is a number, int64; tied ones share a root, and those tied to `FIXED` stay.

    `axes` has the numbers along an axis of a weight by `(id(variable), axis)`, `counts` those that
    say what an argument of a layer becomes by `(id(layer), argument, place)`: the argument is how
    many of them are left; with a place, its item there is.
    """

    def __init__(self) -> None:
        self._parent = [FIXED]
        self.axes: dict[tuple[int, int], Labels] = {}
        self.counts: dict[tuple[int, str, int | None], Labels] = {}
        self._pooled: list[Labels] = []

    def new(self, channels: int) -> Labels:
        """Numbers nobody has."""
        first = len(self._parent)
        self._parent.extend(range(first, first + channels))
        return np.arange(first, first + channels)

    def tie(self, one: Labels, other: Labels) -> None:
        """Let channels of two axes of one length stand and fall together, place by place."""
        if one is other:
            return
        differ = one != other
        for pair in zip(one[differ].tolist(), other[differ].tolist(), strict=True):
            low, high = sorted(map(self._root, pair))
            self._parent[high] = low  # the lower number is the root, so FIXED always is one

    def tie_rows(self, table: Labels) -> Labels:
        """Make one channel of each row `(rows, columns)`; the first column then says them all."""
        for column in range(1, table.shape[1]):
            self.tie(table[:, 0], table[:, column])
        return table[:, 0]

    def fix(self, *several: Labels | None) -> None:
        """Let nobody remove these channels."""
        for labels in several:
            if labels is not None:
                self.tie(labels, np.zeros_like(labels))

    def pool(self, labels: Labels | None) -> None:
        """Note that statistics are taken over these channels, and so change with each removed."""
        if labels is not None:
            self._pooled.append(labels)

    def along(self, weight: Any, axis: int, labels: Labels | None = None) -> Labels:
        """Say which channels lie along an axis of a weight, and return them.

        Without `labels` they are those said before, of a layer called again, or new ones. With
        them both are tied.
        """
        key = id(weight), axis % len(weight.shape)
        if labels is None and key not in self.axes:
            labels = self.new(weight.shape[axis])
        return self._agree(self.axes, key, labels)

    def count(self, layer: Any, argument: str, labels: Labels, place: int | None = None) -> None:
        """Say which channels an argument of a layer counts."""
        self._agree(self.counts, (id(layer), argument, place), labels)

    def _agree(self, known: dict[Any, Labels], key: Any, labels: Labels | None) -> Labels:
        if labels is None:
            return known[key]
        before = known.setdefault(key, labels)
        self.tie(before, labels)
        return before

    def roots(self) -> Labels:
        """The root of every number."""
        return np.array([self._root(number) for number in range(len(self._parent))])

    def pooled(self, roots: Labels) -> set[int]:
        """Roots of the channels over which statistics are taken."""
        return {int(root) for labels in self._pooled for root in roots[labels]}

    def _root(self, number: int) -> int:
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number


def known(labels: Labels | None, size: int) -> Labels:
    """The numbers along an axis; where nobody follows its channels, all are fixed."""
    return np.full(size, FIXED) if labels is None else labels


def met(ties: Ties, parts: Sequence[tuple[Labels | None, int | None]]) -> Labels | None:
    """Tie one axis of several tensors that meet value by value; pairs of numbers and length.

    An axis of length 1 serves all channels of the others, and stays.
    """
    longest = max(size or 0 for _, size in parts)
    wide = [labels for labels, size in parts if size == longest or size is None]
    ties.fix(*(labels for labels, size in parts if size not in (longest, None)))
    first = wide[0]
    if first is None or any(labels is None for labels in wide):
        ties.fix(*wide)
        return None
    for labels in wide[1:]:
        if labels is not None:
            ties.tie(first, labels)
    return first
