"""The confusion matrix of a file less that of float32: which mix-ups came and which went."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.show.canvas import BLUE, INK, ORANGE, drawn
from pipeline.show.confusion import LEGIBLE_CELL, grid
from pipeline.show.names import class_labels, cut, drawable

_BETTER_OR_WORSE = LinearSegmentedColormap.from_list(
    "change", [ORANGE, "#f0a56a", "#fdf1e8", "#ffffff", "#eaf2f9", "#85b3dd", BLUE]
)
_ALL = 4  # classes: up to so many are shown whether they changed or not
_MOST = 24  # of more, so many of those that changed
_NAME = 30  # characters of the file's name


@drawn
def confusion_change(
    difference: NDArray[np.integer], classes: Sequence[str], name: str = "int8"
) -> Figure:
    """Counts `difference[true, said]` `(K, K)` of the file `name`, less those of float32.

    Blue is better, a hit more or a mix-up less, and orange is worse; the diagonal is included.
    Cells where nothing changed stay empty. Of more than a few classes those are shown among which
    something changed, and of very many of them the ones that changed most.
    """
    shown = _classes_that_changed(difference)
    part = difference[np.ix_(shown, shown)]
    labels = class_labels(classes, limit=14)
    subtitle = (
        f"{drawable(cut(name, _NAME))} less float32, in test pictures. Rows: what it is. Columns: "
        "what was said. Blue is better, orange worse."
    )
    if len(shown) < len(classes):
        left = "where most changed" if len(shown) == _MOST else "nothing changed in the others"
        subtitle += f" {len(shown)} of {len(classes):,} classes, {left}."
    gain = np.where(np.eye(len(part), dtype=bool), part, -part)
    depth = np.sqrt(np.abs(gain) / max(np.abs(part).max(), 1))  # the root lifts what is rare
    colours = np.asarray(_BETTER_OR_WORSE(0.5 + np.sign(gain) * depth / 2))
    figure, axes, cell = grid(
        "What changed in what is taken for what", subtitle, [labels[k] for k in shown], colours
    )
    if cell >= LEGIBLE_CELL:
        _write_changes(axes, part, cell)
    return figure


def _classes_that_changed(difference: NDArray[np.integer]) -> NDArray[np.integer]:
    """The numbers of the classes to show, in their order."""
    if len(difference) <= _ALL:
        return np.arange(len(difference))
    moved = np.abs(difference).sum(axis=0) + np.abs(difference).sum(axis=1)
    most = np.argsort(-moved, kind="stable")[:_MOST]
    return np.sort(most[moved[most] > 0])


def _write_changes(axes: Axes, part: NDArray[np.integer], cell: float) -> None:
    largest = int(np.abs(part).max())
    size = min(10.0, 72 * cell * 0.5, 72 * cell / (0.68 * (len(str(largest)) + 1)))
    for true, said in zip(*np.nonzero(part), strict=True):
        change = int(part[true, said])
        color = "white" if abs(change) > 0.75 * largest else INK
        text = f"{change:+d}".replace("-", "−")
        axes.text(said, true, text, ha="center", va="center", size=size, color=color)
