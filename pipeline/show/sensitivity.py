"""Sensitivity: accuracy against sparsity, a line a layer."""

from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pipeline.show import numbers
from pipeline.show.canvas import (
    BLUE,
    GREY,
    HEAD,
    INK,
    MUTED,
    ORANGE,
    SMALL_SIZE,
    WIDTH,
    drawn,
    page,
    panel,
    share_axis,
)
from pipeline.show.names import class_labels
from pipeline.show.pruning import Sensitivity

NAMED = 10  # lines with a name and a colour; more could not be told apart
_LEFT, _RIGHT, _HEIGHT, _FOOT = 0.72, 1.55, 3.3, 0.55
_PITCH = 0.2  # inches from one label to the next, at least
_MARKS = "osD^v"


@drawn
def sensitivity(found: Sensitivity, measure: str = "accuracy") -> Figure:
    """Each layer's accuracy over the share of zeros in it, the others being whole.

    Named, from orange to blue, are the layers that mind zeros most; where there are more than
    `NAMED`, the others are grey. The dotted line is the model as trained. `measure` is what
    accuracy is called.
    """
    ranked = found.by_harm
    named, others = ranked[:NAMED], ranked[NAMED:]
    subtitle = (
        f"A line is a layer: {measure} on {numbers.count(found.pictures)} validation pictures with "
        "it alone pruned at once, and nothing trained after. Dotted: as trained."
    )
    if others:
        subtitle += f" Grey: {len(others)} layers that mind zeros less."
    figure, sheet = page("How much each layer minds zeros", subtitle, _HEIGHT + _FOOT + 0.15)
    top = HEAD + 0.15
    axes = panel(figure, _LEFT, top, WIDTH - _LEFT - _RIGHT, _HEIGHT)
    begin = [(0.0, found.accuracy)] if len(found.levels) == 1 else []
    for layer in others:
        _line(axes, [*begin, *zip(found.levels, layer.accuracy, strict=True)], GREY, "", 0.8)
    axes.axhline(found.accuracy, color=INK, linewidth=1, linestyle=":")
    colors = _colors(len(named))
    for number, (layer, color) in reversed(list(enumerate(zip(named, colors, strict=True)))):
        points = [*begin, *zip(found.levels, layer.accuracy, strict=True)]
        _line(axes, points, color, _MARKS[number % len(_MARKS)], 1.6)
    _scales(axes, found, measure)
    labels = class_labels([layer.name for layer in named], limit=20)
    _write(axes, sheet, [layer.accuracy[-1] for layer in named], labels, colors)
    return figure


def _line(
    axes: Axes, points: Sequence[tuple[float, float]], color: str, mark: str, width: float
) -> None:
    look = {"color": color, "marker": mark, "markersize": 3.6, "linewidth": width}
    axes.plot(*zip(*points, strict=True), clip_on=False, **look)


def _colors(count: int) -> list[str]:
    """From orange to blue, by way of grey: the two that every kind of colour vision keeps apart."""
    ends, middle = (to_rgb(ORANGE), to_rgb(BLUE)), to_rgb("#77808a")
    mixed = []
    for number in range(count):
        share = number / max(count - 1, 1)
        end, part = ends[share > 0.5], abs(2 * share - 1)
        rgb = [part * a + (1 - part) * b for a, b in zip(end, middle, strict=True)]
        mixed.append("#" + "".join(f"{round(255 * value):02x}" for value in rgb))
    return mixed


def _scales(axes: Axes, found: Sensitivity, measure: str) -> None:
    values = [found.accuracy, *(value for layer in found.layers for value in layer.accuracy)]
    slack = max(0.05 * (max(values) - min(values)), 0.004)
    axes.set_ylim(max(min(values) - slack, -0.02), max(values) + slack)
    share_axis(axes, 6)
    levels = [0.0, *found.levels] if len(found.levels) == 1 else list(found.levels)
    axes.set_xlim(levels[0] - 0.01, levels[-1])
    axes.set_xticks(levels, [f"{100 * level:.3g} %" for level in levels])
    axes.set_xlabel("zeros in the layer's kernel", size=SMALL_SIZE)
    axes.set_ylabel(measure, size=SMALL_SIZE)


def _write(
    axes: Axes,
    sheet: Axes,
    values: Sequence[float],
    labels: Sequence[str],
    colors: Sequence[str],
) -> None:
    """Put each name beside the end of its line, moved apart where lines end together."""
    ends = [_inches(axes, value) for value in values]
    edge = WIDTH - _RIGHT
    for place, end, label, color in zip(_apart(ends), ends, labels, colors, strict=True):
        sheet.plot([edge + 0.03, edge + 0.2], [end, place], color=color, linewidth=0.7)
        sheet.text(edge + 0.23, place, label, size=SMALL_SIZE, color=color, va="center_baseline")
    if not labels:
        sheet.text(_LEFT, HEAD + 0.4, "No layer has a kernel.", size=10, color=MUTED)


def _inches(axes: Axes, value: float) -> float:
    """Where an accuracy lies on the page, from its top edge."""
    figure = axes.figure
    shown = axes.transData.transform((0, value))
    return float(
        figure.get_size_inches()[1] - figure.dpi_scale_trans.inverted().transform(shown)[1]
    )


def _apart(ends: Sequence[float]) -> list[float]:
    """Places in the order of `ends`, at least `_PITCH` from each other, as near as may be.

    From the top down each gives way to the one above it, and then from the bottom up, so that
    none leaves the page.
    """
    order = sorted(range(len(ends)), key=lambda n: ends[n])
    bottom = HEAD + 0.15 + _HEIGHT + 0.1
    places = list(ends)
    for above, n in pairwise(order):
        places[n] = max(places[n], places[above] + _PITCH)
    limit = bottom
    for n in reversed(order):
        places[n] = min(places[n], limit)
        limit = places[n] - _PITCH
    return places
