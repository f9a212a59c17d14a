"""Groups: channels that can be chosen from, and all that falls with each of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.compress.channels.ties import FIXED, Labels, Ties

Places = NDArray[np.int64]
# Which channels of each group are kept, bool `(channels,)`, in the order of the groups.
Masks = tuple[NDArray[np.bool_], ...]


@dataclass(frozen=True)
class Weight:
    """A weight of a model: `backbone/conv1/kernel`, its layer, and what an element of it costs.

    `macs` are multiply-accumulates a picture for each element, 0 where it is no kernel.
    """

    name: str
    layer: Any
    variable: Any
    macs: int


@dataclass(frozen=True)
class Slice:
    """Where the channels of a group lie along an axis of a weight: `places (channels, width)`."""

    weight: Weight
    axis: int
    places: Places


@dataclass(frozen=True)
class Group:
    """Channels that touch the same weights, named after the first; each can be removed alone.

    `numbers (channels,)` are what the ties call them. `pooled`: some layer takes statistics over
    them, so that removing even a channel that nothing reads changes what the others become.
    """

    name: str
    numbers: Labels
    slices: tuple[Slice, ...]
    pooled: bool

    @property
    def channels(self) -> int:
        """How many there are to choose from."""
        return len(self.numbers)

    @property
    def width(self) -> int:
        """The largest number by which the axes they lie on are sure to shrink at each removed."""
        return int(np.gcd.reduce([one.places.shape[1] for one in self.slices]))


def grouped(ties: Ties, weights: Sequence[Weight], roots: Labels) -> tuple[Group, ...]:
    """Put channels that lie as often on the same axes of the same weights in one group.

    So whatever axis a group touches keeps a channel as long as the group does, and has multiples
    of something wherever all its groups do.
    """
    axes = [
        (weight, axis, roots[ties.axes[id(weight.variable), axis]])
        for weight in weights
        for axis in range(len(weight.variable.shape))
        if (id(weight.variable), axis) in ties.axes
    ]
    touched: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for k, (_, _, labels) in enumerate(axes):
        found, times = np.unique(labels, return_counts=True)
        for root, often in zip(found.tolist(), times.tolist(), strict=True):
            touched[root].append((k, often))
    alike: dict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
    for root in sorted(touched.keys() - {FIXED}):
        alike[tuple(touched[root])].append(root)
    pooled = ties.pooled(roots)
    slices = _slices(axes, list(alike.values()), len(roots))
    return tuple(
        Group(_name(own), np.array(members), own, not pooled.isdisjoint(members))
        for own, members in zip(slices, alike.values(), strict=True)
    )


def _slices(
    axes: Sequence[tuple[Weight, int, Labels]], members: Sequence[list[int]], numbers: int
) -> list[tuple[Slice, ...]]:
    """For each list of roots, where on each axis they lie."""
    owner, rank = np.full(numbers, -1), np.zeros(numbers, np.int64)
    for group, roots in enumerate(members):
        owner[roots], rank[roots] = group, np.arange(len(roots))
    found: list[list[Slice]] = [[] for _ in members]
    for weight, axis, labels in axes:
        owners = owner[labels]
        order = np.lexsort((rank[labels], owners))
        starts = np.searchsorted(owners[order], np.unique(owners))
        for places in np.split(order, starts[1:]):
            group = int(owners[places[0]])
            if group >= 0:
                table = places.reshape(len(members[group]), -1)
                found[group].append(Slice(weight, axis, table))
    return [tuple(own) for own in found]


def _name(slices: Sequence[Slice]) -> str:
    """The layer whose kernel makes the channels: the first weight they touch."""
    return slices[0].weight.name.rpartition("/")[0]
