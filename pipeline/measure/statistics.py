"""What a test set can and cannot tell: accuracy, its interval, and whether two models differ."""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist, fmean, stdev

import numpy as np

TOP = 5  # likeliest classes, as papers count them; of no more classes than that all would be
THRESHOLD = 0.5  # from which an output counts as yes, where a picture may show several classes


def right(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which pictures are classified rightly, bool `(N,)`.

    `probabilities` is float `(N, classes)`, `labels` int64 `(N,)`; of equal tops the first counts.
    Where a picture may show several classes, `labels` are 0 and 1 `(N, classes)`, and right is
    exact match: each class of the picture on its side of `THRESHOLD`.

    Raises:
        ValueError: they do not describe the same, at least one, pictures.
    """
    fits = labels.shape in (probabilities.shape, probabilities.shape[:1])
    if len(probabilities) == 0 or not fits:
        raise ValueError(f"labels {labels.shape} do not fit probabilities {probabilities.shape}")
    said = answers(probabilities, several=labels.ndim == 2)
    return np.asarray(said == labels) if labels.ndim == 1 else (said == labels).all(axis=1)


def answers(probabilities: np.ndarray, several: bool = False) -> np.ndarray:
    """What a model says: the top class int64 `(N,)`, or of several, each, uint8 `(N, classes)`."""
    if several:
        return (probabilities >= THRESHOLD).astype(np.uint8)
    return np.asarray(probabilities.argmax(axis=1))


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Share of pictures classified rightly, 0..1; arguments as for `right`."""
    return float(right(probabilities, labels).mean())


def top_k(probabilities: np.ndarray, labels: np.ndarray, k: int = TOP) -> float | None:
    """Share of pictures, 0..1, whose class is among the `k` likeliest; arguments as for `right`.

    Of equal probabilities the first counts more, as for `right`: an int8 file gives many classes
    exactly 0. None where there are no more than `k` classes, or where a picture may show several.
    """
    if labels.ndim == 2 or probabilities.shape[1] <= k:
        return None
    own = probabilities[np.arange(len(labels)), labels][:, np.newaxis]
    before = np.arange(probabilities.shape[1]) < labels[:, np.newaxis]
    ahead = (probabilities > own) | ((probabilities == own) & before)
    return float((ahead.sum(axis=1) < k).mean())


def drop_pp(accuracy: float, reference: float) -> float:
    """Accuracy lost against the reference, in percentage points; negative if it is better."""
    return 100 * (reference - accuracy)


def agreement(probabilities: np.ndarray, reference: np.ndarray, several: bool = False) -> float:
    """Share of pictures, 0..1, that two models `(N, classes)` give the same answer.

    The answer is the top class or, where a picture may show several, all of those it is said to.
    """
    return accuracy(probabilities, answers(reference, several))


def mean_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (over n - 1); of one value there is no deviation."""
    return fmean(values), stdev(values) if len(values) > 1 else None


def wilson(correct: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval (low, high) of the accuracy behind `correct` right answers of `n`, 0..1.

    Raises:
        ValueError: unless 0 <= correct <= n and n > 0.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference",
    without continuity correction.
    """
    if not 0 <= correct <= n or n == 0:
        raise ValueError(f"{correct} right of {n} is no share")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = correct / n, z * z / n
    centre = (share + weight / 2) / (1 + weight)
    half = z * sqrt(share * (1 - share) / n + weight / (4 * n)) / (1 + weight)
    low = 0.0 if correct == 0 else centre - half
    high = 1.0 if correct == n else centre + half
    return low, high


def mcnemar(a_right: np.ndarray, b_right: np.ndarray) -> float:
    """Chance, 0..1, of a split at least this uneven if both models were equally good.

    Takes which of the same pictures each classified rightly, bool `(N,)`. Only pictures where
    exactly one was right tell them apart; without any the answer is 1.

    Raises:
        ValueError: the arrays differ in shape.

    Source: McNemar 1947, "Note on the sampling error of the difference between correlated
    proportions or percentages"; here the exact two-sided binomial test, in whole numbers.
    """
    if a_right.shape != b_right.shape:
        raise ValueError(f"{a_right.shape} and {b_right.shape} are not the same pictures")
    only_a = int(np.count_nonzero(a_right & ~b_right))
    only_b = int(np.count_nonzero(b_right & ~a_right))
    n = only_a + only_b
    ways = tail = 1
    for k in range(min(only_a, only_b)):
        ways = ways * (n - k) // (k + 1)
        tail += ways
    return min(1.0, 2 * tail / (1 << n))
