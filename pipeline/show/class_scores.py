"""Scores of each class, where a picture may show several: in place of a confusion matrix."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pipeline.show import numbers
from pipeline.show.balance import write_names
from pipeline.show.canvas import (
    BLUE,
    GREY,
    HEAD,
    MARGIN,
    MUTED,
    ORANGE,
    RULE,
    SMALL_SIZE,
    WIDTH,
    drawn,
    page,
)
from pipeline.show.names import class_labels

_MOST = 30
_PITCH, _BAR = 0.44, 0.1
_SCORES = (("precision", BLUE), ("recall", ORANGE), ("average_precision", GREY))
_COUNT_ROOM = 0.75
_AXIS = 0.28  # inches under the bars


@drawn
def class_scores(per_class: Sequence[Mapping[str, Any]]) -> Figure:
    """Three bars a class, the lowest F1 first: precision, recall and average precision, 0..1.

    Each of `per_class` is as `evaluate` writes it: `class`, `precision`, `recall`, `f1`, `support`,
    `average_precision` (None where no picture shows the class). Of very many classes the weakest
    are shown.
    """
    order = sorted(range(len(per_class)), key=lambda number: per_class[number]["f1"])[:_MOST]
    subtitle = (
        "Blue: of what was called so, how much was. Orange: of its pictures, how many were found. "
        "Grey: average precision, over all thresholds. The weakest class comes first."
    )
    if len(order) < len(per_class):
        subtitle += f" Shown are {_MOST} of {len(per_class):,}."
    height = len(order) * _PITCH + _AXIS + MARGIN
    figure, sheet = page("Class by class", subtitle, height)
    names = class_labels([str(one["class"]) for one in per_class], limit=20)
    heights = [HEAD + (place + 0.5) * _PITCH for place in range(len(order))]
    left = write_names(sheet, [names[number] for number in order], heights)
    full = WIDTH - MARGIN - _COUNT_ROOM - left
    _scale(sheet, left, full, HEAD + len(order) * _PITCH)
    for number, y in zip(order, heights, strict=True):
        _bars(sheet, per_class[number], left, y, full)
    return figure


def _scale(sheet: Axes, left: float, full: float, bottom: float) -> None:
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = left + share * full
        sheet.plot([x, x], [HEAD, bottom], color=RULE, linewidth=0.8, zorder=0)
        text = f"{100 * share:.0f} %"
        sheet.text(x, bottom + 0.06, text, ha="center", va="top", size=SMALL_SIZE, color=MUTED)


def _bars(sheet: Axes, one: Mapping[str, Any], left: float, y: float, full: float) -> None:
    top = y - len(_SCORES) * _BAR / 2
    for line, (score, color) in enumerate(_SCORES):
        length = full * (one[score] or 0.0)
        place = (left, top + line * _BAR)
        sheet.add_patch(Rectangle(place, length, 0.85 * _BAR, color=color, linewidth=0))
    count = numbers.count(one["support"])
    where = WIDTH - MARGIN - _COUNT_ROOM + 0.12
    sheet.text(where, y, f"{count} pictures", va="center", size=SMALL_SIZE - 1, color=MUTED)
