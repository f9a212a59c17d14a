"""Histograms before and after: values of activations and of weights, in float32 and as stored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from pipeline.show.canvas import (
    BLUE,
    HEAD,
    MARGIN,
    ORANGE,
    SMALL_SIZE,
    TEXT_SIZE,
    WIDTH,
    drawn,
    page,
    panel,
)
from pipeline.show.doctor import Doctor
from pipeline.show.names import class_labels

COLUMNS, MOST = 2, 6
_GAP, _HEIGHT, _TITLE, _FOOT = 0.62, 1.05, 0.26, 0.4


@dataclass(frozen=True)
class Histogram:
    """Counts in equal bins from `lowest` to `highest`, before and after, and whose they are."""

    title: str
    lowest: float
    highest: float
    before: Sequence[int]
    after: Sequence[int]


@drawn
def activations(found: Doctor) -> Figure:
    """What the worst operations of a plain int8 file give: orange in float32, blue as stored.

    The worst are those heard the most alone or, where the file keeps its budget, the noisiest.
    """
    layers = {one.number: one for one in found.operations}
    panels = [
        Histogram(
            f"#{one.number} {layers[one.number].leaf}",
            one.lowest,
            one.highest,
            one.float32,
            one.stored,
        )
        for one in found.spreads
    ]
    subtitle = (
        f"Of {found.name}, for training pictures: the share of values in each bin, on a scale of "
        "powers of ten. Orange line: float32. Blue: the integers."
    )
    return _panels("Activations before and after", subtitle, panels)


@drawn
def weights(name: str, found: Sequence[Histogram]) -> Figure:
    """The largest kernels of a variant: orange in the float32 file, blue as stored."""
    subtitle = (
        f"Of {name}, its {len(found)} largest kernels: the share of weights in each bin, on a "
        "scale of powers of ten. Orange line: the float32 file. Blue: as stored."
    )
    return _panels("Weights before and after", subtitle, found)


def _panels(title: str, subtitle: str, found: Sequence[Histogram]) -> Figure:
    rows = -(-len(found) // COLUMNS)
    pitch = _TITLE + _HEIGHT + _FOOT
    figure, sheet = page(title, subtitle, max(rows, 1) * pitch + 0.15)
    width = (WIDTH - 2 * MARGIN - COLUMNS * _GAP + 0.2) / COLUMNS
    labels = class_labels([one.title for one in found], limit=28)
    for number, (one, label) in enumerate(zip(found, labels, strict=True)):
        row, column = divmod(number, COLUMNS)
        left = MARGIN + 0.42 + column * (width + _GAP)
        top = HEAD + 0.1 + row * pitch + _TITLE
        sheet.text(left, top - 0.08, label, size=TEXT_SIZE, weight="bold", va="bottom")
        _draw(panel(figure, left, top, width, _HEIGHT), one)
    if not found:
        sheet.text(MARGIN, HEAD + 0.4, "There is nothing to compare.", size=TEXT_SIZE)
    return figure


def _draw(axes: Axes, one: Histogram) -> None:
    edges = np.linspace(one.lowest, one.highest, len(one.before) + 1)
    before, after = (np.asarray(counts) / max(sum(counts), 1) for counts in (one.before, one.after))
    axes.stairs(after, edges, fill=True, color=BLUE, alpha=0.75, baseline=1e-9)
    axes.stairs(before, edges, color=ORANGE, linewidth=1.3, baseline=1e-9)
    axes.set_yscale("log")
    least = min([*before[before > 0], *after[after > 0], 0.1])
    axes.set_ylim(max(least / 2, 1e-7), 1.6)
    axes.set_xlim(edges[0], edges[-1])
    axes.yaxis.set_major_locator(LogLocator(10, numticks=4))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y")
    axes.tick_params(labelsize=SMALL_SIZE - 0.5)
