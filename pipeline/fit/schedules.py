"""Schedules of the learning rate as plain data: pieces, each a line or half a cosine."""

from itertools import pairwise
from typing import Literal, NamedTuple

from pipeline.choices import Constant, Cosine, Linear, OneCycle, Plateau, Step
from pipeline.settings import Fit


class Piece(NamedTuple):
    """From one step (0 is the first) to another the factor on the rate goes from one to another."""

    from_step: int
    to_step: int
    from_factor: float
    to_factor: float
    shape: Literal["line", "cosine"] = "line"


def pieces(settings: Fit, steps_per_epoch: int) -> tuple[Piece, ...]:
    """Cut a fit into pieces that follow each other; a step lies in the last that has begun.

    In front stands a linear warm-up, shorter than the fit (Goyal et al., 2017, sect. 2.2).

    Source: Loshchilov and Hutter, 2017, "SGDR", without its restarts, for `cosine`; Smith and
    Topin, 2018, "Super-Convergence", for `one_cycle`. They climb and fall along lines, and fall
    further in a third piece: half cosines come to both ends without one. Momentum is not cycled.
    """
    total = settings.epochs * steps_per_epoch
    warmup = min(round(settings.warmup * steps_per_epoch), total - 1)
    rise = Piece(0, warmup, 0.0, 1.0)
    rest: tuple[Piece, ...]
    match settings.schedule:
        case Constant() | Plateau():
            rest = (Piece(warmup, total, 1.0, 1.0),)
        case Cosine():
            rest = (Piece(warmup, total, 1.0, 0.0, "cosine"),)
        case Linear():
            rest = (Piece(warmup, total, 1.0, 0.0),)
        case Step(at=at, factor=factor):
            rest = _falls(
                [warmup, *(round(epoch * steps_per_epoch) for epoch in at), total], factor
            )
        case OneCycle(peak=peak, start=start, end=end):
            top = min(round(peak * total), total - 1)
            rise = Piece(0, top, start, 1.0, "cosine")
            rest = (Piece(top, total, 1.0, end, "cosine"),)
    return tuple(piece for piece in (rise, *rest) if piece.from_step < piece.to_step)


def _falls(steps: list[int], factor: float) -> tuple[Piece, ...]:
    """Pieces between steps, each lower than the one before it by a factor."""
    return tuple(
        Piece(begin, end, factor**number, factor**number)
        for number, (begin, end) in enumerate(pairwise(steps))
    )
