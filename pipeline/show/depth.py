"""Signal to noise by depth: where on its way through the network a picture loses precision."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipeline.show.canvas import (
    BLUE,
    GREY,
    HEAD,
    INK,
    MARGIN,
    ORANGE,
    SMALL_SIZE,
    WIDTH,
    drawn,
    page,
    panel,
)
from pipeline.show.doctor import Doctor, Examined
from pipeline.show.names import class_labels

MARKED = 4  # operations with their names
_LEFT, _HEIGHT, _FOOT, _TOP = 0.72, 2.6, 0.55, 0.2
_STEP = 0.085  # of the highest value, from one name to the next


@drawn
def error_by_depth(found: Doctor) -> Figure:
    """A point an operation, in the order of computing: signal to noise of what it gives.

    Where the file was mended, orange is the plain int8 file, blue the one that is shipped, and a
    ring marks what stays in float32. Named are the operations that are heard the most.
    """
    subtitle = "Signal to noise of what each operation gives, against float32, in decibels. "
    subtitle += (
        "Orange: all in integers. Blue: as shipped; rings mark what stays in float32."
        if found.ailing
        else "The higher the better; 40 dB are an error of a hundredth."
    )
    figure, _ = page("Error by depth", subtitle, _TOP + _HEIGHT + _FOOT)
    axes = panel(figure, _LEFT, HEAD + _TOP, WIDTH - _LEFT - MARGIN, _HEIGHT)
    numbers = [one.number for one in found.operations]
    after = [one.after_db for one in found.operations]
    before = [one.before_db for one in found.operations]
    look = {"markersize": 3.4, "linewidth": 1.4, "clip_on": False}
    if found.ailing:
        axes.plot(numbers, before, color=ORANGE, marker="s", linestyle=(0, (4, 2)), **look)
    axes.plot(numbers, after, color=BLUE, marker="o", **look)
    rings = [one for one in found.operations if found.ailing and one.form == "float32"]
    if rings:
        places, heights = [one.number for one in rings], [one.after_db for one in rings]
        axes.plot(places, heights, "o", markersize=7, fillstyle="none", color=INK, clip_on=False)
    named = (found.mended or found.left)[:MARKED] if found.ailing else ()
    highest = max([*before, *after, 10.0])
    axes.set_ylim(0, highest * (1.06 + _STEP * len(named)))
    _scales(axes, numbers)
    _name(axes, named, highest)
    return figure


def _scales(axes: Axes, numbers: list[int]) -> None:
    axes.set_xlim(min(numbers, default=0) - 0.5, max(numbers, default=0) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} dB"))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("operation, in the order of computing", size=SMALL_SIZE)


def _name(axes: Axes, worst: Sequence[Examined], highest: float) -> None:
    """Write the layers of the worst operations above all, on lines that rise from their points."""
    labels = class_labels([one.leaf for one in worst], limit=24)
    middle = sum(axes.get_xlim()) / 2
    for step, (one, label) in enumerate(zip(worst, labels, strict=True)):
        height = highest * (1.06 + _STEP * (len(worst) - step - 0.5))
        axes.plot([one.number] * 2, [one.before_db, height], color=GREY, linewidth=0.7, zorder=1)
        right = one.number < middle
        axes.annotate(
            label,
            (one.number, height),
            xytext=(3 if right else -3, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            size=SMALL_SIZE,
            color=INK,
        )
