"""How members answer together: weights of their probabilities, or a regression on their scores.

Members' answers are `(M, N, K)`: of M members, to N validation pictures, over K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from pipeline.data.several import several
from pipeline.data.sources import Labels
from pipeline.errors import ConfigError

Answers = NDArray[np.floating]
Weights = NDArray[np.float64]

SMALLEST = 1e-12  # a probability below counts as this in a logarithm
STEPS, STILL = 10_000, 1e-10  # of the fit of weights: at most so many, and the end of change
PARTS = 5  # of the validation pictures, for figures on those a fit did not see
STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)  # of stacking: inverse of the penalty


@dataclass(frozen=True)
class Stacked:
    """A dense layer with softmax on the scores of all members: `(M K, K)` and `(K,)`."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]

    def __call__(self, scores: Answers) -> Answers:
        """Answer to scores `(M, N, K)` by probabilities `(N, K)`."""
        sums = _side_by_side(scores) @ self.kernel.astype(np.float64) + self.bias
        raised = np.exp(sums - sums.max(-1, keepdims=True))
        shares: Answers = raised / raised.sum(-1, keepdims=True)
        return shares


def cross_entropy(probabilities: Answers, labels: Labels) -> float:
    """Mean negative logarithm of the probability of what is right, of `(N, K)`, in nats.

    Where a picture may show several classes, `labels` `(N, K)`, the mean over them too.
    """
    if several(labels):
        right = np.where(labels > 0, probabilities, 1 - probabilities)
    else:
        right = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, SMALLEST)).mean())


def least_cross_entropy(probabilities: Answers, labels: Labels) -> Weights:
    """Weights `(M,)`, none negative and 1 in sum, of the mean that has the least cross-entropy.

    A convex problem, whose optimum expectation maximization climbs to: the weights of a mixture
    of fixed parts (Dempster, Laird and Rubin, 1977). It may leave a member without any.
    """
    right = np.maximum(probabilities[:, np.arange(len(labels)), labels], SMALLEST).astype(float)
    weights = np.full(len(right), 1 / len(right))
    for _ in range(STEPS):
        shares = weights[:, None] * right
        found: Weights = (shares / shares.sum(0)).mean(1)
        if np.abs(found - weights).max() < STILL:
            return found
        weights = found
    return weights


def stacked(scores: Answers, labels: Labels, seed: int) -> tuple[Stacked, Answers]:
    """Fit a multinomial logistic regression on the scores of all members.

    Its penalty is the one of `STRENGTHS` with the least cross-entropy on parts it did not see; the
    answers to those parts, `(N, K)`, come with it.

    Raises:
        ConfigError: a class has fewer than two validation pictures.

    Source: Wolpert, 1992, "Stacked generalization"; Ting and Witten, 1999, for probabilities.
    """
    unseen = {
        strength: out_of_part(partial(_regression, strength), scores, labels, seed)
        for strength in STRENGTHS
    }
    best = min(STRENGTHS, key=lambda strength: cross_entropy(unseen[strength], labels))
    return _regression(best, scores, labels), unseen[best]


def out_of_part(
    fit: Callable[[Answers, Labels], Callable[[Answers], Answers]],
    answers: Answers,
    labels: Labels,
    seed: int,
) -> Answers:
    """Probabilities `(N, K)` of each picture by what `fit` makes of the other parts."""
    most = int(np.bincount(labels, minlength=answers.shape[-1]).min())
    if most < 2:
        raise ConfigError(
            "ensemble.combine: weighted and stacking are fitted on validation, which has fewer "
            "than two pictures of a class: give it more by ingest.validation, or set soft_voting"
        )
    parts = StratifiedKFold(min(PARTS, most), shuffle=True, random_state=seed)
    found = np.zeros(answers.shape[1:])
    for seen, kept in parts.split(labels, labels):
        found[kept] = fit(answers[:, seen], labels[seen])(answers[:, kept])
    return found


def weighted(probabilities: Answers, labels: Labels) -> Callable[[Answers], Answers]:
    """The mean with the weights that suit these pictures best."""
    weights = least_cross_entropy(probabilities, labels)
    return lambda others: np.tensordot(weights, others, 1)


def _regression(strength: float, scores: Answers, labels: Labels) -> Stacked:
    features = _side_by_side(scores)
    scale = float(features.std()) or 1.0  # one for all: the penalty then means the same everywhere
    model = LogisticRegression(C=strength, max_iter=2000).fit(features / scale, labels)
    kernel, bias = model.coef_.T / scale, model.intercept_
    if len(model.classes_) == 2:  # sklearn has one column, of the second class
        kernel, bias = np.hstack([0 * kernel, kernel]), np.array([0.0, float(bias[0])])
    return Stacked(kernel.astype(np.float32), bias.astype(np.float32))


def _side_by_side(scores: Answers) -> Answers:
    rows: Answers = np.moveaxis(scores, 0, 1).reshape(scores.shape[1], -1)
    return rows
