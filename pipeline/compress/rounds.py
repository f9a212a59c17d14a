"""Sparsity by a budget: prune in rounds, each from the one before, until accuracy says stop.

Source: Han, Pool, Tran, Dally, "Learning both weights and connections for efficient neural
networks", 2015, sect. 3.3, iterative pruning; the rise and the allocation by layer are ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.errors import ConfigError
from pipeline.progress import say

# Each round keeps two thirds of the weights that the one before kept; the last takes what the
# sensitivity scan has looked at. The lower ones are tried where the first costs too much.
RISING = (0.5, 0.67, 0.78, 0.85, 0.9, 0.93, 0.95)
LOWER = (0.35, 0.2, 0.1)
ROUNDING = 1e-9  # points

Sparsities = Mapping[str, float]


Made = TypeVar("Made")


@dataclass(frozen=True)
class Attempt(Generic[Made]):
    """A round's outcome: what came of it (`made`), its zeros over all, and its accuracy, 0..1."""

    made: Made
    sparsity: float
    val_accuracy: float


@dataclass(frozen=True)
class Round:
    """One round: what was wished over all layers, what each was given, and how that went."""

    wished: float
    layers: Sparsities
    sparsity: float
    val_accuracy: float
    drop_pp: float
    within: bool


# From what a round goes on (None: the model as it came), its sparsities, and those of that one.
Tune = Callable[[Made | None, Sparsities, Sparsities], Attempt[Made]]


def spend(
    max_drop_pp: float, reference: float, allot: Callable[[float], Sparsities], tune: Tune[Made]
) -> tuple[Made, tuple[Round, ...]]:
    """Return what came of the last round within the budget, and all rounds in their order.

    Args:
        max_drop_pp: points of accuracy that may be lost.
        reference: the accuracy of the model as it came, 0..1.
        allot: gives each layer its sparsity, for one that is wished over all.
        tune: prunes and trains.

    Raises:
        ConfigError: not even the lowest sparsity is within the budget; names the figures.
    """
    rounds: list[Round] = []

    def one(wished: float, start: Made | None, before: Sparsities) -> tuple[Made, Sparsities, bool]:
        layers = allot(wished)
        found = tune(start, layers, before)
        drop = 100 * (reference - found.val_accuracy)
        within = drop <= max_drop_pp + ROUNDING
        rounds.append(Round(wished, layers, found.sparsity, found.val_accuracy, drop, within))
        say(f"  round {len(rounds)}: {_told(rounds[-1])}, {'within' if within else 'over'} budget")
        return found.made, layers, within

    kept: Made | None = None
    given: Sparsities = {}
    for wished in RISING:
        made, layers, within = one(wished, kept, given)
        if not within:
            break
        kept, given = made, layers
    for wished in LOWER if kept is None else ():
        made, _, within = one(wished, None, {})
        if within:
            kept = made
            break
    if kept is None:
        raise ConfigError(
            f"prune.sparsity: auto finds nothing within prune.max_drop_pp={max_drop_pp:g}: "
            f"{_told(rounds[-1])}; allow more, tune for more epochs, or exclude layers"
        )
    return kept, tuple(rounds)


def _told(one: Round) -> str:
    return (
        f"{100 * one.sparsity:.1f} % zeros, validation {100 * one.val_accuracy:.2f} % "
        f"({-one.drop_pp:+.2f} points)"
    )
