"""Feature maps: what layers spread over the depth of a network make of pictures."""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources import Images
from pipeline.fit.tracing import Step, Trace, has_kernel


@dataclass(frozen=True)
class LayerMaps:
    """The channels of a layer that are the most active, of each picture its own.

    `maps` `(N, h, w, k)` float32 are the `k` channels with the highest mean, in falling order, and
    `channels` `(N, k)` their numbers; `shape` is `(h, w, C)`.
    """

    name: str
    shape: tuple[int, int, int]
    maps: NDArray[np.float32]
    channels: NDArray[np.integer]


def feature_maps(
    model: keras.Model, images: Images, depth: int = 4, channels: int = 6
) -> list[LayerMaps]:
    """The strongest `channels` of up to `depth` layers, from the first with a kernel to the last.

    `images` `(N, H, W, C)`, pixels 0..255, are few: all that the network makes of them is held at
    once. A layer's maps are what the next one takes: after its normalization and activation. A
    network that has none gives an empty list.
    """
    trace = Trace(model, images)
    steps = [step for step in trace.steps if step.feature_map and has_kernel(step.layer)]
    chosen = np.unique(np.linspace(0, len(steps) - 1, min(depth, len(steps))).round().astype(int))
    return [_strongest(trace, steps[number], channels) for number in chosen]


def _strongest(trace: Trace, step: Step, channels: int) -> LayerMaps:
    given = np.asarray(trace.tensors[_activated(trace, step)], np.float32)
    order = np.argsort(-given.mean(axis=(1, 2)), axis=1, kind="stable")[:, :channels]
    height, width, count = given.shape[1:]
    return LayerMaps(
        str(step.layer.name),
        (height, width, count),
        np.take_along_axis(given, order[:, None, None, :], axis=3),
        order,
    )


def _activated(trace: Trace, step: Step) -> int:
    """The number of what a layer gives after all that only scales or bends it, place by place."""
    while True:
        takers = [one for one in trace.steps if step.given in one.taken]
        if len(takers) != 1 or has_kernel(takers[0].layer):
            return step.given
        (taker,) = takers
        if taker.taken != (step.given,) or taker.shape != step.shape:
            return step.given
        step = taker
