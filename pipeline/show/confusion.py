"""The confusion matrix: what each class was taken for."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.show.canvas import (
    BLUE,
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
    panel,
)
from pipeline.show.fitting import fitted
from pipeline.show.names import class_labels

_RIGHT = LinearSegmentedColormap.from_list("right", ["#f3f7fb", "#bcd5ec", "#5b97cd", BLUE])
_WRONG = LinearSegmentedColormap.from_list("wrong", ["#fdf1e8", "#f6c49a", "#e8853b", ORANGE])
_SMALLEST_CELL, LEGIBLE_CELL = 0.11, 0.17


@drawn
def confusion_matrix(matrix: NDArray[np.integer], classes: Sequence[str]) -> Figure:
    """Counts `matrix[true, said]` `(K, K)`, coloured by their share of the row.

    Hits are blue and misses orange on a scale of their own: on one scale a model that is 98 %
    right would show a diagonal and nothing else. Large K makes a larger page, not smaller cells.
    """
    subtitle = (
        "Rows: what it is. Columns: what the model said. Blue is right, orange is wrong; "
        "the deeper, the larger the share of its row."
    )
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    colours = _colours(matrix, shares)
    labels = class_labels(classes, limit=14)
    figure, axes, cell = grid("What is taken for what", subtitle, labels, colours)
    if cell >= LEGIBLE_CELL:
        _write_counts(axes, matrix, shares, cell)
    return figure


def grid(
    title: str, subtitle: str, labels: Sequence[str], colours: NDArray[np.floating]
) -> tuple[Figure, Axes, float]:
    """A page with a square of coloured cells RGBA `(K, K, 4)`, named on both sides.

    Returns the page, the axes of the square and the side of a cell in inches.
    """
    longest = 0.065 * max(map(len, labels))
    room = 0.28 + longest
    fitting = (WIDTH - 2 * MARGIN - room) / len(labels)
    cell = min(max(fitting, _SMALLEST_CELL), 1.25)
    side = cell * len(labels)
    width = max(WIDTH, MARGIN + room + side + MARGIN)
    size = min(SMALL_SIZE, 72 * cell * 0.72)
    labels = [fitted(label, longest, size) for label in labels]
    upright = max(map(len, labels)) * size / 72 * 0.62 > cell
    foot = (room if upright else 0.45) + MARGIN
    figure, _ = page(title, subtitle, side + foot, width)
    axes = panel(figure, MARGIN + room, HEAD, side, side)
    axes.imshow(colours, interpolation="nearest", aspect="auto")
    _name_cells(axes, labels, size, upright)
    return figure, axes, cell


def _colours(matrix: NDArray[np.integer], shares: NDArray[np.floating]) -> NDArray[np.floating]:
    """RGBA `(K, K, 4)`: the root lifts rare mistakes off the paper; empty cells stay white."""
    colours = np.asarray(_WRONG(np.sqrt(shares)))
    hits = np.eye(len(matrix), dtype=bool)
    colours[hits] = _RIGHT(shares[hits])
    colours[matrix == 0] = (1, 1, 1, 1)
    return colours


def _name_cells(axes: Axes, labels: Sequence[str], size: float, upright: bool) -> None:
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, size=size, rotation=90 if upright else 0, color=INK)
    axes.set_yticks(ticks, labels, size=size, color=INK)
    axes.tick_params(length=0, pad=3)
    axes.set_xlabel("the model said", color=MUTED, size=SMALL_SIZE)
    axes.set_ylabel("it is", color=MUTED, size=SMALL_SIZE)
    axes.set_xticks(np.arange(-0.5, len(labels)), minor=True)
    axes.set_yticks(np.arange(-0.5, len(labels)), minor=True)
    axes.grid(which="minor", color=RULE, linewidth=0.7 if size == SMALL_SIZE else 0.35)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)


def _write_counts(
    axes: Axes, matrix: NDArray[np.integer], shares: NDArray[np.floating], cell: float
) -> None:
    digits = len(str(matrix.max()))
    size = min(10.0, 72 * cell * 0.5, 72 * cell / (0.68 * digits))
    if size < 4.5:
        return
    for true, said in zip(*np.nonzero(matrix), strict=True):
        dark = shares[true, said] > (0.6 if true == said else 0.3)
        count = str(matrix[true, said])
        color = "white" if dark else INK
        axes.text(said, true, count, ha="center", va="center", size=size, color=color)
