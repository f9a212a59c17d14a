"""Class balance: how many pictures each class has in each split."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pipeline.show import numbers
from pipeline.show.audit import ClassAudit
from pipeline.show.canvas import (
    BLUE,
    GREY,
    HEAD,
    INK,
    MARGIN,
    MUTED,
    ORANGE,
    SMALL_SIZE,
    WIDTH,
    drawn,
    page,
)
from pipeline.show.intake import pictures
from pipeline.show.names import class_labels

_SPLITS = (("train", BLUE), ("validation", GREY), ("test", ORANGE))
_ENDS = 15
_PITCH, _BAR = 0.2, 0.13
_COUNT_ROOM = 0.55


@drawn
def class_balance(classes: Sequence[ClassAudit]) -> Figure:
    """A bar a class, the largest first: its pictures in train, validation and test.

    Of very many classes the largest and the smallest are shown, with a gap between them.
    """
    order = sorted(range(len(classes)), key=lambda number: -pictures(classes[number]))
    hidden = max(len(order) - 2 * _ENDS, 0)
    shown = order[:_ENDS] + order[-_ENDS:] if hidden else order
    subtitle = "Blue: train. Grey: validation. Orange: test. The largest class comes first."
    if hidden:
        subtitle += f" Shown are the {_ENDS} largest and the {_ENDS} smallest of {len(order):,}."
    lines = len(shown) + (1 if hidden else 0)
    figure, sheet = page("Pictures in each class", subtitle, lines * _PITCH + MARGIN)
    names = class_labels([one.name for one in classes], limit=20)
    heights = [
        HEAD + (place + 0.5 + (1 if hidden and place >= _ENDS else 0)) * _PITCH
        for place in range(len(shown))
    ]
    left = write_names(sheet, [names[number] for number in shown], heights)
    inch = (WIDTH - MARGIN - _COUNT_ROOM - left) / max(pictures(classes[order[0]]), 1)
    for number, y in zip(shown, heights, strict=True):
        _bar(sheet, classes[number], left, y, inch)
    if hidden:
        text = f"{hidden:,} more classes lie between these"
        y = HEAD + (_ENDS + 0.5) * _PITCH
        sheet.text(left, y, text, va="center", size=SMALL_SIZE, color=MUTED)
    return figure


def write_names(sheet: Axes, names: Sequence[str], heights: Sequence[float]) -> float:
    """Write a name at each height, flush right; return where the bars may start, in inches."""
    look = {"ha": "right", "va": "center", "size": SMALL_SIZE, "color": INK}
    texts = [sheet.text(0, y, name, **look) for name, y in zip(names, heights, strict=True)]
    renderer, dpi = sheet.figure.canvas.get_renderer(), float(sheet.figure.dpi)
    widest = float(max(text.get_window_extent(renderer).width for text in texts)) / dpi
    for text in texts:
        text.set_x(MARGIN + widest)
    return MARGIN + widest + 0.08


def _bar(sheet: Axes, one: ClassAudit, left: float, y: float, inch: float) -> None:
    for split, color in _SPLITS:
        length = getattr(one, split) * inch
        sheet.add_patch(Rectangle((left, y - _BAR / 2), length, _BAR, color=color, linewidth=0))
        left += length
    count = numbers.count(pictures(one))
    sheet.text(left + 0.06, y, count, va="center", size=SMALL_SIZE, color=MUTED)
