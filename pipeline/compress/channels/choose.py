"""Which channels go: an order of removal, and how far along it a target is met."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.compress.channels.group import Group, Masks
from pipeline.compress.channels.size import Measure, Size
from pipeline.compress.channels.ties import Labels
from pipeline.compress.channels.trace import Trace
from pipeline.errors import ConfigError

Ranking = Literal["uniform", "global", "cost"]
# What one channel of a group costs, as in microseconds: by the group's name, or asked.
Costs = Mapping[str, float] | Callable[[Group], float]
Scores = Sequence[NDArray[np.floating]]  # of each group's channels, `(channels,)`; inf stays
ROUNDING = 1e-9  # so that a share that was computed from a size comes to that size


@dataclass(frozen=True)
class Chunk:
    """Channels of a group that go together; of chunks of a group the first goes first."""

    group: int
    channels: Labels


@dataclass(frozen=True)
class Order:
    """All chunks that can go, the least missed first, and how many channels each group has."""

    channels: tuple[int, ...]
    chunks: tuple[Chunk, ...]

    def masks(self, gone: Sequence[Chunk]) -> Masks:
        """Masks `(channels,)`, one a group, that keep all but these chunks."""
        masks = tuple(np.ones(channels, bool) for channels in self.channels)
        for chunk in gone:
            masks[chunk.group][chunk.channels] = False
        return masks

    def counts(self, gone: Sequence[Chunk]) -> Labels:
        """How many channels of each group are left without these chunks."""
        kept = np.array(self.channels, np.int64)
        for chunk in gone:
            kept[chunk.group] -= len(chunk.channels)
        return kept


def order(
    traced: Trace,
    scores: Scores,
    ranking: Ranking = "global",
    multiple: int = 8,
    costs: Costs | None = None,
) -> Order:
    """Line up the channels of a model to be removed, so that counts stay multiples of `multiple`.

    A group goes down to the next multiple first and then by whole ones, never to nothing; one
    that has no more than `multiple` stays whole, and so do channels whose score is infinite.
    `uniform` takes the same share of every group, `global` the lowest scores of all, `cost` the
    lowest scores for what a channel costs: multiply-accumulates, or `costs`.

    Source: counts in multiples, as kernels take them: Shen et al., "HALP: hardware-aware latency
    pruning", 2021.

    Raises:
        ConfigError: an unknown ranking or a wrong multiple; nothing can be removed.
    """
    if ranking not in get_args(Ranking):
        known = ", ".join(get_args(Ranking))
        raise ConfigError(f"slim: ranking {ranking!r} is not known; known: {known}")
    if multiple < 1:
        raise ConfigError(f"slim: multiple is {multiple}: at least 1")
    prices = _prices(traced, costs) if ranking == "cost" else np.ones(len(traced.groups))
    keyed: list[tuple[float, float, int, Chunk]] = []
    for place, (group, own) in enumerate(zip(traced.groups, scores, strict=True)):
        gone, worth = 0, -np.inf
        for channels in _chunks(own, multiple // gcd(multiple, group.width)):
            gone += len(channels)
            # Never below the chunk before, which has to go first.
            worth = max(worth, float(np.mean(own[channels])) / prices[place])
            key = gone / group.channels if ranking == "uniform" else worth
            keyed.append((key, worth, len(keyed), Chunk(place, channels)))
    if not keyed:
        raise ConfigError(_nothing(traced, multiple))
    chunks = tuple(chunk for *_, chunk in sorted(keyed, key=lambda one: one[:3]))
    return Order(tuple(group.channels for group in traced.groups), chunks)


def choose(
    traced: Trace,
    scores: Scores,
    target: float | Mapping[Measure, float],
    measure: Measure = "macs",
    *,
    ranking: Ranking = "global",
    multiple: int = 8,
    costs: Costs | None = None,
) -> Masks:
    """Choose channels to keep so that the model comes to `target`, 0..1, of its size, or just less.

    The shortest beginning of the order that is small enough is found by halving; as it overshoots,
    chunks are put back, the most missed first, as long as the target holds. Several targets, each
    by its measure, all hold: what overshoots for one is put back where only others hang on it.

    Raises:
        ConfigError: as `order`; a target out of range, or one that nothing reaches.
    """
    queue = order(traced, scores, ranking, multiple, costs)
    chunks = list(queue.chunks)
    wanted = target if isinstance(target, Mapping) else {measure: target}
    limits = [_limit(traced, share, of, queue) for of, share in wanted.items()]
    few, many = -1, len(chunks)
    while many - few > 1:
        middle = (few + many) // 2
        fits = _fits(queue.counts(chunks[:middle]), limits)
        few, many = (few, middle) if fits else (middle, many)
    return queue.masks(_put_back(chunks[:many], queue, limits))


def _limit(traced: Trace, target: float, measure: Measure, queue: Order) -> tuple[Size, int]:
    """How large a model may be in a measure; raises `ConfigError` for what nothing reaches."""
    if not 0 < target <= 1:
        raise ConfigError(f"slim: target is {target:g}: a share of the {measure}, above 0, up to 1")
    size = Size(traced, measure)
    limit = int(target * size.whole * (1 + ROUNDING))
    least = size.of(queue.counts(queue.chunks))
    if least > limit:
        raise ConfigError(
            f"slim: {measure} of {target:.1%} are out of reach: with all removed that can be, "
            f"{least / size.whole:.1%} remain ({least:,} of {size.whole:,}); raise the target, "
            "lower `multiple` or keep fewer layers"
        )
    return size, limit


def _fits(kept: Labels, limits: Sequence[tuple[Size, int]]) -> bool:
    """Whether a model with so many channels of each group is small enough."""
    return all(size.of(kept) <= limit for size, limit in limits)


def smallest(
    traced: Trace, scores: Scores, measure: Measure = "macs", *, multiple: int = 8
) -> float:
    """The share of a model's size that remains with all removed that can be, 0..1."""
    size, queue = Size(traced, measure), order(traced, scores, multiple=multiple)
    return size.of(queue.counts(queue.chunks)) / size.whole


def _put_back(
    gone: Sequence[Chunk], queue: Order, limits: Sequence[tuple[Size, int]]
) -> list[Chunk]:
    """Put back what the targets have room for; of a group, the chunk that went last comes first."""
    kept, removed, full = queue.counts(gone), [], set()
    for chunk in reversed(gone):
        kept[chunk.group] += len(chunk.channels)
        if chunk.group in full or not _fits(kept, limits):
            kept[chunk.group] -= len(chunk.channels)
            full.add(chunk.group)
            removed.append(chunk)
    return removed


def _chunks(scores: NDArray[np.floating], step: int) -> Iterator[Labels]:
    """Split a group's channels, the lowest score first; those of the last step stay."""
    ranked = np.argsort(scores, kind="stable")
    last = min(len(ranked) - step, int(np.isfinite(scores).sum()))
    start, end = 0, len(ranked) % step or step
    while end <= last:
        yield ranked[start:end]
        start, end = end, end + step


def _prices(traced: Trace, costs: Costs | None) -> NDArray[np.float64]:
    """What a channel of each group costs, `(groups,)`, above 0."""
    if costs is None:
        found = Size(traced, "macs").of_each()
    elif callable(costs):
        found = np.array([costs(group) for group in traced.groups])
    else:
        missing = [group.name for group in traced.groups if group.name not in costs]
        if missing:
            raise ConfigError(f"slim: costs say nothing of {', '.join(missing)}")
        found = np.array([costs[group.name] for group in traced.groups])
    if not (np.isfinite(found) & (found > 0)).all():
        worst = traced.groups[int(np.argmin(found))].name
        raise ConfigError(f"slim: the cost of a channel of '{worst}' is not above 0")
    return found


def _nothing(traced: Trace, multiple: int) -> str:
    name = traced.model.name
    if not traced.groups:
        return (
            f"slim: model '{name}' has no channel that can be removed: every one is tied to what "
            "it takes or gives, or is kept"
        )
    most = max(group.channels * group.width for group in traced.groups)
    return (
        f"slim: model '{name}' has no channel that can be removed in multiples of {multiple}: "
        f"its groups have up to {most}; lower `multiple`"
    )
