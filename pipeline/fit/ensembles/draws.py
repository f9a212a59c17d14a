"""Which training pictures a member of an ensemble sees: drawn anew, with replacement."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-9  # share of wrong pictures that none is taken for: the logarithm wants a number

Numbers = NDArray[np.int64]
Shares = NDArray[np.float64]
Marks = NDArray[np.bool_]


def bootstrap(count: int, seed: int) -> Numbers:
    """Draw `count` of so many pictures with replacement, each as likely as any: `(count,)`.

    Source: Breiman, 1996, "Bagging predictors".
    """
    return np.random.default_rng(seed).integers(0, count, count)


def boosted(weights: Shares, seed: int) -> Numbers:
    """Draw as many pictures as there are `weights` `(N,)`, which sum to 1, each as likely as its.

    Boosting by resampling, as Freund and Schapire (1996) propose where a learner takes no weights.
    """
    return np.random.default_rng(seed).choice(len(weights), len(weights), p=weights)


@dataclass(frozen=True)
class Boosting:
    """What members come to so far: the `weights` `(N,)` of pictures, which sum to 1, and the
    `votes` `(M,)` of members.

    A member that is no better than guessing has no vote and changes no weights.
    """

    weights: Shares
    votes: Shares


def samme(wrong: Marks, classes: int, shrinkage: float) -> Boosting:
    """Weigh pictures and members by where members `(M, N)` are wrong, one after the other.

    A member's vote is `shrinkage` (log((1 - e) / e) + log(K - 1)), where e is the weight of the
    pictures it is wrong about and K the number of classes; the weights of those pictures grow by
    a factor of exp(vote), and all are brought to sum to 1 again.

    Source: Zhu, Zou, Rosset, Hastie, 2009, "Multi-class AdaBoost", algorithm 2 (SAMME); the
    shrinkage is Friedman's (2001). Without it a network that is wrong about a handful of pictures
    would leave the next one with hardly any others: together they come to weigh (K - 1) / K.
    """
    count = wrong.shape[1]
    weights = np.full(count, 1 / count)
    votes = []
    for one in wrong:
        error = float(np.clip(weights[one].sum(), LEAST, 1 - LEAST))
        vote = max(0.0, shrinkage * (np.log((1 - error) / error) + np.log(classes - 1)))
        weights = weights * np.where(one, np.exp(vote), 1.0)
        weights /= weights.sum()
        votes.append(vote)
    return Boosting(weights, np.array(votes))
