"""Slimming: channels of each layer before and after, each round, and what the files gained."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from pipeline.show import numbers
from pipeline.show.records import Count, Record, Share
from pipeline.show.variant import Variant

Pair = tuple[Count, Count]  # before and after
Measure = Literal["macs", "latency", "bytes"]
MEASURES: Mapping[Measure, str] = {
    "macs": "the multiply-accumulates",
    "latency": "the int8 file's latency",
    "bytes": "the int8 file's bytes",
}
CONTROL = "scratch"  # the word of a variant that has the shape alone
EXPLAINED = (
    "Each file beside the one that went the same way without slimming, on test pictures; time is "
    "that of both in the same rounds. In brackets: shares of its size and time, points lost."
)


class SlimmedLayer(Record):
    """A layer with a kernel: channels it gives, multiply-accumulates a picture, parameters."""

    name: str
    kind: str
    channels: Pair
    macs: Pair
    params: Pair


class SlimmingRound(Record):
    """What a round came to: sizes, `shares` of what had a target, accuracies on validation.

    `settled` is before tuning, with the statistics of batch normalization taken anew.
    """

    macs: Count
    params: Count
    shares: Mapping[Measure, Share]
    settled: Share
    tuned: Share


class Target(Record):
    """A share of a measure that was `asked` for, and what was `reached`; 0..1."""

    measure: Measure
    asked: Share
    reached: Share


class Slimming(Record):
    """Channels taken out of a model, by the part of a variant's path that ends with it.

    `val_accuracy` is the whole model's.
    """

    name: str
    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    importance: str
    ranking: str
    pictures: Count
    val_accuracy: Share
    macs: Pair
    params: Pair
    layers: tuple[SlimmedLayer, ...]
    rounds: Annotated[tuple[SlimmingRound, ...], Field(min_length=1)]


class Beside(NamedTuple):
    """A slimmed variant, and the one that went the same way without slimming, if there is one."""

    variant: Variant
    whole: Variant | None

    @property
    def size_ratio(self) -> float | None:
        """Bytes of both."""
        if self.whole is None or not self.whole.bytes or self.variant.bytes is None:
            return None
        return self.variant.bytes / self.whole.bytes

    @property
    def time_ratio(self) -> float | None:
        """Latency of both: each was taken against the reference in the same rounds."""
        if self.whole is None or not self.whole.latency_ratio or not self.variant.latency_ratio:
            return None
        return self.variant.latency_ratio / self.whole.latency_ratio

    @property
    def drop_pp(self) -> float | None:
        """Points of test accuracy lost by slimming."""
        if self.whole is None or self.whole.accuracy is None or self.variant.accuracy is None:
            return None
        return 100 * (self.whole.accuracy - self.variant.accuracy)


def told(found: Slimming, measure: str = "accuracy") -> list[str]:
    """What was asked, and what came of it, in sentences; `measure` is what accuracy is called."""
    last = found.rounds[-1]
    asked = " and ".join(
        f"{numbers.percent(one.asked, 0)} of {MEASURES[one.measure]}" for one in found.targets
    )
    reached = " and ".join(numbers.percent(one.reached, 1) for one in found.targets)
    rounds = "one round" if len(found.rounds) == 1 else f"{len(found.rounds)} rounds"
    drop = round(100 * (found.val_accuracy - last.tuned), 2)
    side = (
        "level with" if not drop else f"{abs(drop):.2f} points {'below' if drop > 0 else 'above'}"
    )
    return [
        f"Asked for {asked}, it came to {reached} in {rounds}: {_left(found.macs)} "
        f"multiply-accumulates and {_left(found.params)} parameters stay.",
        f"On {numbers.count(found.pictures)} validation pictures its {measure} is "
        f"{numbers.percent(last.tuned)}, {side} the whole network, and was "
        f"{numbers.percent(last.settled)} before it was tuned.",
    ]


def _left(pair: Pair) -> str:
    return f"{numbers.amount(pair[1])} of {numbers.amount(pair[0])}"


def beside(found: Slimming, variants: Sequence[Variant]) -> list[Beside]:
    """The variants with a file that went through a slimming, each with its unslimmed sibling.

    Controls, which have the shape but none of the weights, are not among them.
    """
    ok = {variant.name: variant for variant in variants if variant.status == "ok"}
    before = found.name.rpartition("+")[0]
    pairs = []
    for name, variant in ok.items():
        rest = name.removeprefix(f"{found.name}+")
        if rest != name and rest.partition("+")[0].partition(".")[0] != CONTROL:
            pairs.append(Beside(variant, ok.get(f"{before}+{rest}" if before else rest)))
    return pairs


def unasked(pairs: Sequence[Beside]) -> str | None:
    """What a run without a control leaves open, and how to ask; None where one was trained."""
    if not pairs or any(pair.variant.controls for pair in pairs):
        return None
    *path, ending = pairs[0].variant.name.split("+")
    control = "+".join([*path, CONTROL, ending])
    return (
        "Whether the same narrow network, trained from fresh weights for as long, would read as "
        f"well was not asked: {control} among the variants would tell."
    )
