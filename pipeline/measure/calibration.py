"""Calibration: whether a model that says 80 % is right on 80 of a hundred pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.measure.statistics import wilson

BINS = 15


@dataclass(frozen=True)
class Bin:
    """Answers whose confidence lies above `low` and at most at `high`; shares are 0..1.

    `confidence` and `accuracy` are means over the `count` answers, `interval` is the 95 % Wilson
    interval of the accuracy. An empty bin has none of them. An answer of probability 0 is in the
    first bin.
    """

    low: float
    high: float
    count: int
    confidence: float | None = None
    accuracy: float | None = None
    interval: tuple[float, float] | None = None


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> tuple[Bin, ...]:
    """Sort answers into `BINS` equally wide bins by how sure they are; return all bins, in order.

    `probabilities` is float `(N, classes)`, `labels` int64 `(N,)`. An answer is a picture's top
    class, its confidence that class's probability. Where a picture may show several classes,
    `labels` are 0 and 1 `(N, classes)`, and each class of each picture is an answer: its confidence
    is the probability of the class, and its accuracy the share of pictures that do show it.

    Source: Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks".
    """
    if labels.ndim == 2:
        sure, hit = probabilities.ravel(), labels.ravel() > 0
    else:
        top = probabilities.argmax(axis=1)
        sure, hit = probabilities[np.arange(len(top)), top], top == labels
    sure = sure.astype(np.float64)  # the edges are: in float32 some would lie on the other side
    edges = np.linspace(0, 1, BINS + 1)
    places = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, BINS - 1)
    return tuple(
        _bin(float(edges[place]), float(edges[place + 1]), sure[inside], hit[inside])
        for place in range(BINS)
        for inside in [places == place]
    )


def _bin(low: float, high: float, sure: np.ndarray, hit: np.ndarray) -> Bin:
    count, hits = len(hit), int(np.count_nonzero(hit))
    if not count:
        return Bin(low, high, 0)
    return Bin(low, high, count, float(sure.mean()), hits / count, wilson(hits, count))


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error (ECE), 0..1, of answers in bins as `reliability` gives them.

    The difference of accuracy and confidence in each bin, without its sign, in the mean over all
    answers. Where there are few answers chance alone makes it larger than it is.

    Source: Naeini, Cooper and Hauskrecht 2015, "Obtaining Well Calibrated Probabilities Using
    Bayesian Binning"; with bins as in Guo et al. 2017.
    """
    gaps = [
        one.count * abs(one.accuracy - one.confidence)
        for one in bins
        if one.accuracy is not None and one.confidence is not None
    ]
    return sum(gaps) / sum(one.count for one in bins)
