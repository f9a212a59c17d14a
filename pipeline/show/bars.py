"""Probability bars: a picture beside the answers the model weighed."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from pipeline.show.canvas import (
    BLUE,
    GREY,
    HEAD,
    INK,
    MARGIN,
    MUTED,
    ORANGE,
    RULE,
    SMALL_SIZE,
    WIDTH,
    drawn,
    page,
)
from pipeline.show.choosing import THRESHOLD
from pipeline.show.names import class_labels
from pipeline.show.pictures import Images, Labels, Probabilities, put_picture

_COLUMNS, _TOP = 2, 5
_SIDE, _PITCH, _BAR = 0.94, 1.18, 0.12


@drawn
def probability_bars(
    images: Images,
    labels: Labels,
    probabilities: Probabilities,
    classes: Sequence[str],
    count: int = 8,
) -> Figure:
    """The pictures the model was most torn about, each beside its top five probabilities.

    Torn: the first two answers lie closest. Arrays as in `wrong_pictures`. The true class is
    blue and ticked, even where it takes the place of the fifth; a wrong answer is orange. Where a
    picture may show several classes, `labels` `(N, K)`, torn is who has one nearest to `THRESHOLD`,
    from which on a class is an answer.
    """
    several = labels.ndim == 2
    ranked = np.sort(probabilities, axis=1)
    margins = (
        np.abs(probabilities - THRESHOLD).min(axis=1) if several else ranked[:, -1] - ranked[:, -2]
    )
    chosen = np.argsort(margins, kind="stable")[:count]
    names = class_labels(classes, limit=11)
    rows = -(-len(chosen) // _COLUMNS)
    torn = "a class lies nearest to 50 %" if several else "the first two answers lie closest"
    subtitle = f"Where {torn}. Blue, ticked: what it {'shows' if several else 'is'}. "
    subtitle += "Orange: a wrong answer."
    title = "Torn between yes and no" if several else "Torn between two"
    figure, sheet = page(title, subtitle, rows * _PITCH + 0.02)
    cell = (WIDTH - 2 * MARGIN) / _COLUMNS
    for place, i in enumerate(chosen):
        row, column = divmod(place, _COLUMNS)
        left, top = MARGIN + column * (cell + 0.14), HEAD + row * _PITCH
        put_picture(sheet, images[i], left, top, _SIDE)
        corner, right = (left + _SIDE, top), left + cell - 0.14
        _bars(sheet, probabilities[i], _answer(labels[i], probabilities[i]), names, corner, right)
    return figure


def _answer(label: Labels, shares: NDArray[np.floating]) -> tuple[set[int], set[int]]:
    """The classes a picture shows, and those the model says it does."""
    if label.ndim:
        return set(np.flatnonzero(label).tolist()), set(
            np.flatnonzero(shares >= THRESHOLD).tolist()
        )
    return {int(label)}, {int(shares.argmax())}


def _bars(
    sheet: Axes,
    shares: NDArray[np.floating],
    answer: tuple[set[int], set[int]],
    names: Sequence[str],
    corner: tuple[float, float],
    right: float,
) -> None:
    true, said = answer
    left, top = corner
    share_room = 0.36
    start = left + 0.16 + 0.057 * (max(map(len, names)) + 2)
    full = right - share_room - start
    for line, k in enumerate(_shown(shares, true)):
        y = top + (line + 0.5) * _SIDE / _TOP
        told = k in said
        color = BLUE if k in true else ORANGE if told else GREY
        name = f"{names[k]} ✓" if k in true else names[k]
        ink = INK if k in true or told else MUTED
        sheet.text(start - 0.06, y, name, ha="right", va="center", size=7.5, color=ink)
        sheet.add_patch(Rectangle((start, y - _BAR / 2), full, _BAR, color=RULE, linewidth=0))
        filled = full * float(shares[k])
        sheet.add_patch(Rectangle((start, y - _BAR / 2), filled, _BAR, color=color, linewidth=0))
        share = f"{100 * shares[k]:.0f} %"
        sheet.text(right, y, share, ha="right", va="center", size=SMALL_SIZE - 0.5, color=ink)


def _shown(shares: NDArray[np.floating], true: set[int]) -> list[int]:
    """The five likeliest classes, the likeliest first; true ones are among them, up to five."""
    order = [int(k) for k in np.argsort(-shares, kind="stable")]
    shown = set(sorted(order, key=lambda k: k not in true)[:_TOP])
    return [k for k in order if k in shown]
