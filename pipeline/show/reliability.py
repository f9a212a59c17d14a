"""The reliability diagram: what a model's probabilities are worth, and how often it is how sure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pipeline.show import numbers
from pipeline.show.canvas import (
    BLUE,
    GREY,
    HEAD,
    INK,
    MARGIN,
    MUTED,
    ORANGE,
    SMALL_SIZE,
    TEXT_SIZE,
    WIDTH,
    drawn,
    page,
    panel,
    share_axis,
)
from pipeline.show.names import cut, drawable

Bins = Sequence[Mapping[str, Any]]

_AXIS = 0.5  # inches left of a diagram, for its scale
_EDGE = 0.14  # inches right of it, for half the last figure
_SIDE = (WIDTH - 2 * MARGIN) / 2 - _AXIS - _EDGE
_HISTOGRAM = 0.75
_LABEL, _BETWEEN, _FOOT = 0.5, 0.18, 0.55
_NAME = 30  # characters of a model's name


class Calibrated(NamedTuple):
    """A model by name, its expected calibration error 0..1, and its answers in bins.

    Each bin has `low`, `high`, `count`, `confidence`, `accuracy` and `interval`, as
    `measure.calibration.Bin`; the last three are None of an empty one.
    """

    name: str
    error: float
    bins: Bins


@drawn
def reliability(models: Sequence[Calibrated], several: bool = False) -> Figure:
    """One or two models side by side: accuracy over confidence, under it how many are so sure.

    Of `several` labels a picture an answer is that of one class.
    """
    what, right = ("Classes", "there") if several else ("Answers", "right")
    subtitle = (
        f"{what} by how sure they are. Bars: the share that is {right}, with 95 % intervals; on "
        "the dashed line it is as said. Orange: how far off. Below: how many are so sure."
    )
    height = _LABEL + _SIDE + _BETWEEN + _HISTOGRAM + _FOOT
    figure, sheet = page("What the probabilities are worth", subtitle, height)
    tallest = max(_share(one) for model in models for one in _filled(model.bins))
    for place, model in enumerate(models):
        left = MARGIN + _AXIS + place * (_AXIS + _SIDE + _EDGE)
        name, error = drawable(cut(model.name, _NAME)), f"ECE {numbers.percent(model.error)}"
        sheet.text(left, HEAD + 0.1, name, size=TEXT_SIZE, weight="bold", va="center")
        sheet.text(left, HEAD + 0.29, error, size=TEXT_SIZE, color=MUTED, va="center")
        _draw_diagram(panel(figure, left, HEAD + _LABEL, _SIDE, _SIDE), model.bins)
        top = HEAD + _LABEL + _SIDE + _BETWEEN
        below = panel(figure, left, top, _SIDE, _HISTOGRAM)
        _draw_histogram(below, model.bins, tallest)
        below.set_xlabel("probability" if several else "confidence", size=SMALL_SIZE)
    return figure


def _filled(bins: Bins) -> list[Mapping[str, Any]]:
    """The bins that hold answers, each with the `total` of all."""
    total = sum(one["count"] for one in bins)
    return [{**one, "total": total} for one in bins if one["count"]]


def _share(one: Mapping[str, Any]) -> float:
    return float(one["count"] / one["total"])


def _draw_diagram(axes: Axes, bins: Bins) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1))
    share_axis(axes, 5)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=2)
    for one in _filled(bins):
        width, middle = one["high"] - one["low"], (one["low"] + one["high"]) / 2
        sure, right = one["confidence"], one["accuracy"]
        axes.bar(middle, right, 0.86 * width, color=BLUE, alpha=0.55, linewidth=0, zorder=1)
        axes.plot([sure, sure], [sure, right], color=ORANGE, linewidth=2.4, zorder=4)
        axes.plot([middle, middle], one["interval"], color=INK, linewidth=0.8, zorder=3)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], [])


def _draw_histogram(axes: Axes, bins: Bins, tallest: float) -> None:
    share_axis(axes, 2)
    axes.set(xlim=(0, 1), ylim=(0, tallest), yticks=(0, tallest))
    axes.set_yticklabels(["0 %", numbers.percent(tallest, 1)])
    for one in _filled(bins):
        middle, width = (one["low"] + one["high"]) / 2, one["high"] - one["low"]
        axes.bar(middle, _share(one), 0.86 * width, color=GREY, linewidth=0)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1, 0, symbol=" %"))
