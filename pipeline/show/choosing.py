"""Which pictures a figure shows: those read wrong or right, the surest answers first.

`labels` are `(N,)` and `probabilities` `(N, K)`; where a picture may show several classes, labels
are `(N, K)`, 0 and 1.
"""

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer]
Probabilities = NDArray[np.floating]
Numbers = NDArray[np.intp]

THRESHOLD = 0.5  # from which an output counts as yes, where a picture may show several classes
NONE = -1  # in place of a class, where there is none


def surest_wrong(labels: Labels, probabilities: Probabilities) -> Numbers:
    """Numbers of the pictures with a mistake, the most confident mistake first."""
    if labels.ndim == 2:
        wrong = (probabilities >= THRESHOLD) != (labels > 0)
        sure = (wrong * np.abs(probabilities - THRESHOLD)).max(axis=1)
        return _falling(np.flatnonzero(wrong.any(axis=1)), sure)
    said = probabilities.argmax(axis=1)
    return _falling(np.flatnonzero(said != labels), probabilities.max(axis=1))


def surest_right(labels: Labels, probabilities: Probabilities) -> Numbers:
    """Numbers of the pictures read right, the surest first."""
    if labels.ndim == 2:
        right = ((probabilities >= THRESHOLD) == (labels > 0)).all(axis=1)
        return _falling(np.flatnonzero(right), np.abs(probabilities - THRESHOLD).min(axis=1))
    right = probabilities.argmax(axis=1) == labels
    return _falling(np.flatnonzero(right), probabilities.max(axis=1))


def in_turn(first: Numbers, second: Numbers, count: int) -> list[int]:
    """One of `first`, one of `second` and so on, `count` in all; of one alone where the other ends.

    Each is taken from its beginning.
    """
    wanted = min(len(first), max(count - count // 2, count - len(second)))
    chosen = [first[:wanted].tolist(), second[: count - wanted].tolist()]
    longest = max(map(len, chosen))
    return [some[place] for place in range(longest) for some in chosen if place < len(some)]


def mistakes(labels: Labels, probabilities: Probabilities) -> NDArray[np.intp]:
    """Of pictures with a mistake, the class that was said and is not there, and the one missed.

    `(N, 2)`; of several that which the network was surest of. `NONE` where a picture that may show
    several classes has only a mistake of the other kind.
    """
    if labels.ndim == 1:
        return np.stack([probabilities.argmax(axis=1), labels.astype(np.intp)], axis=1)
    yes, there = probabilities >= THRESHOLD, labels > 0
    spurious = np.where(yes & ~there, probabilities, -1)
    missed = np.where(~yes & there, 1 - probabilities, -1)
    each = [np.where(one.max(axis=1) < 0, NONE, one.argmax(axis=1)) for one in (spurious, missed)]
    return np.stack(each, axis=1)


def _falling(rows: Numbers, sure: Probabilities) -> Numbers:
    return rows[np.argsort(-sure[rows], kind="stable")]
