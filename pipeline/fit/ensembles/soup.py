"""Model soup: one network with the mean of several networks' weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from pipeline.fit.history import standing
from pipeline.fit.normalization import settle

Score = tuple[float, float]  # accuracy and loss on validation


@dataclass(frozen=True)
class Soup:
    """Who is in it, in the order in which they were tried, and how it stands on validation."""

    members: tuple[int, ...]
    score: Score


def stir(
    model: keras.Model,
    members: Sequence[list[Any]],
    scores: Sequence[Score],
    batches: Callable[[], Any],
    judge: Callable[[keras.Model], Score],
) -> Soup:
    """Leave in `model` the mean of the weights of those members that are better together.

    The best begins. Each other, from better to worse, stays in if the mean with it stands no lower
    on validation than the mean without. So it never ends below the best member.

    Args:
        members: weights of each, in the order of `model.get_weights()`.
        scores: accuracy and loss of each on validation.
        batches: makes training batches, for statistics of batch normalization (they are not the
            mean of members': what a layer sees depends on the weights before it).
        judge: accuracy and loss of a model on validation.

    Source: Wortsman et al., 2022, "Model soups", the greedy recipe.
    """
    order = sorted(range(len(members)), key=lambda one: standing(*scores[one]), reverse=True)
    chosen, best = [order[0]], scores[order[0]]
    kept = members[order[0]]
    for one in order[1:]:
        model.set_weights(mean([members[number] for number in (*chosen, one)]))
        settle(model, batches)
        score = judge(model)
        if standing(*score) >= standing(*best):
            chosen, best, kept = [*chosen, one], score, model.get_weights()
    model.set_weights(kept)
    return Soup(tuple(chosen), best)


def mean(members: Sequence[list[Any]]) -> list[Any]:
    """The mean of each weight; whole numbers, as the state of what is random, stay the first's."""
    return [
        np.mean(same, axis=0, dtype=np.float64).astype(same[0].dtype)
        if np.issubdtype(same[0].dtype, np.floating)
        else same[0]
        for same in zip(*members, strict=True)
    ]
