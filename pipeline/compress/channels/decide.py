"""What a round of slimming keeps: channels are scored, and the targets of some settings are met."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from pipeline.compress.channels.choose import Costs, choose, order, smallest
from pipeline.compress.channels.group import Masks
from pipeline.compress.channels.importance import Importances, by_scale, by_taylor, by_weights
from pipeline.compress.channels.search import Found, largest_within
from pipeline.compress.channels.size import Measure, Size
from pipeline.compress.channels.trace import Trace
from pipeline.data.batches import plain_batches
from pipeline.data.sources import Images, Labels
from pipeline.errors import ConfigError
from pipeline.fit.losses import loss
from pipeline.settings import Slim, Target

Shares = Mapping[Target, float]  # of the whole network's, 0..1
# What has to be measured, by what is counted instead while it is looked for.
LOOKED_FOR: Mapping[Target, Measure] = {"bytes": "bytes", "latency": "macs"}
# How often files are looked at: of time, a third look would see noise.
LOOKS: Mapping[Target, int] = {"bytes": 3, "latency": 2}
BATCH = 32  # pictures whose gradients are taken together
UNSEEN = 1e-3  # of a latency: less is not seen
# What the int8 files of some choices have of that of the whole network: of bytes, or of time.
Measured = Callable[[Target, Trace, Sequence[Masks]], Sequence[float]]


@dataclass(frozen=True)
class Chosen:
    """Channels to keep, and what they come to in everything that has a target."""

    masks: Masks
    shares: Shares


@dataclass(frozen=True)
class Decision:
    """How to choose, by settings: the `whole` network, a `sample` of training pictures.

    Of `several` labels a picture, the loss is another. `measured` looks at files.
    """

    settings: Slim
    whole: Trace
    sample: tuple[Images, Labels]
    several: bool
    measured: Measured

    def within(self, traced: Trace, wished: Shares) -> Chosen:
        """Choose the largest that has no more than the shares `wished` of the whole network.

        Multiply-accumulates are counted. Bytes and latency are looked for one after the other, each
        within what the targets before it allow.

        Raises:
            ConfigError: a target, which is to be met in the end, is out of reach.
        """
        targets, multiple = self.settings.targets, self.settings.multiple
        scores = self.scores(traced)
        timed = "latency" in targets and self.settings.ranking == "cost"
        costs = self._times(traced, scores) if timed else None

        def chosen(limits: Mapping[Measure, float]) -> Masks:
            how: Any = {"ranking": self.settings.ranking, "multiple": multiple, "costs": costs}
            return choose(traced, scores, limits, **how)

        def looked_for(measure: Target, near: Measure, limits: Mapping[Measure, float]) -> Found:
            most = limits.get(near, 1.0)
            try:
                return largest_within(
                    wished[measure],
                    lambda part: chosen({**limits, near: min(part, most)}),
                    smallest(traced, scores, near, multiple=multiple),
                    lambda tried: self.measured(measure, traced, tried),
                    targets[measure],
                    LOOKS[measure],
                )
            except ConfigError as error:
                raise ConfigError(f"slim.{measure}: {error}") from error

        masks = traced.whole()
        limits: dict[Measure, float] = {}
        shares: dict[Target, float] = {}
        if "macs" in targets:
            had = Size(traced, "macs").whole / Size(self.whole, "macs").whole
            chosen({"macs": targets["macs"] / had})  # nothing is tuned for what is out of reach
            limits["macs"] = min(1.0, wished["macs"] / had)
            masks = chosen(limits)
        for measure, near in LOOKED_FOR.items():
            if measure in targets:
                found = looked_for(measure, near, limits)
                limits[near] = min(found.size, limits.get(near, 1.0))
                masks, shares[measure] = found.masks, found.share
        if shares.keys() == {"bytes", "latency"}:  # fewer than when they were looked at
            (shares["bytes"],) = self.measured("bytes", traced, [masks])
        if "macs" in targets:
            left = Size(traced, "macs").of_masks(masks)
            shares["macs"] = left / Size(self.whole, "macs").whole
        return Chosen(masks, {measure: shares[measure] for measure in targets})

    def scores(self, traced: Trace) -> Importances:
        """What each channel is worth."""
        match self.settings.importance:
            case "taylor":
                classes = self.whole.model.output_shape[-1]
                batches = plain_batches(self.sample, BATCH, classes=classes)
                judge = loss(self.settings, keras, self.several)
                return by_taylor(traced, batches, judge, even=self.settings.ranking != "cost")
            case "scale":
                return by_scale(traced)
            case "l1":
                return by_weights(traced, 1)
            case "l2":
                return by_weights(traced, 2)

    def _times(self, traced: Trace, scores: Importances) -> Costs:
        """What a channel of each group takes of the latency: files are timed, each without most.

        Where that is too little to be seen, it is the least that would be.
        """
        queue = order(traced, scores, multiple=self.settings.multiple)
        gone = [
            [chunk for chunk in queue.chunks if chunk.group == place]
            for place in range(len(traced.groups))
        ]
        base, *others = self.measured(
            "latency", traced, [queue.masks(chunks) for chunks in ([], *gone)]
        )
        table = {
            id(group): max(base - share, UNSEEN) / max(1, sum(len(one.channels) for one in chunks))
            for group, share, chunks in zip(traced.groups, others, gone, strict=True)
        }
        return lambda group: table[id(group)]
