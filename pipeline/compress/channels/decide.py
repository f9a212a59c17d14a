"""What a round of slimming keeps: channels are scored, and the target of some settings is met."""

from collections.abc import Callable, Sequence
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
from pipeline.settings import Slim

BATCH = 32  # pictures whose gradients are taken together
UNSEEN = 1e-3  # of a latency: less is not seen
# What the int8 files of some choices have of that of the whole network: bytes, or time.
Measured = Callable[[Trace, Sequence[Masks]], Sequence[float]]


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

    def within(self, traced: Trace, wished: float) -> Found:
        """Choose the largest that has no more than the share `wished` of the whole network.

        Raises:
            ConfigError: the target, which is to be met in the end, is out of reach.
        """
        (measure, share), multiple = self.settings.target, self.settings.multiple
        scores = self.scores(traced)
        ranking = self.settings.ranking
        timed = measure == "latency" and ranking == "cost"
        costs = self._times(traced, scores) if timed else None

        def chosen(part: float, of: Measure) -> Masks:
            how: Any = {"ranking": ranking, "multiple": multiple, "costs": costs}
            return choose(traced, scores, part, of, **how)

        if measure == "macs":
            size, whole = Size(traced, "macs"), Size(self.whole, "macs").whole
            chosen(share * whole / size.whole, "macs")  # nothing is tuned for what is out of reach
            masks = chosen(wished * whole / size.whole, "macs")
            return Found(masks, size.of_masks(masks) / whole)
        near: Measure = "bytes" if measure == "bytes" else "macs"
        try:
            return largest_within(
                wished,
                lambda part: chosen(part, near),
                smallest(traced, scores, near, multiple=multiple),
                lambda tried: self.measured(traced, tried),
                share,
            )
        except ConfigError as error:
            raise ConfigError(f"slim.{measure}: {error}") from error

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
        base, *others = self.measured(traced, [queue.masks(chunks) for chunks in ([], *gone)])
        table = {
            id(group): max(base - share, UNSEEN) / max(1, sum(len(one.channels) for one in chunks))
            for group, share, chunks in zip(traced.groups, others, gone, strict=True)
        }
        return lambda group: table[id(group)]
