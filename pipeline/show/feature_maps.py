"""Feature maps: what layers from the first to the last make of a few pictures."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.show.canvas import HEAD, INK, MARGIN, MUTED, ORANGE, drawn, page
from pipeline.show.choosing import THRESHOLD
from pipeline.show.fitting import fitted
from pipeline.show.names import class_labels, cut, drawable
from pipeline.show.pictures import Images, Labels, Probabilities, put_picture

_PICTURE, _SIDE, _GAP, _LINE = 1.15, 0.65, 0.06, 0.16
_TITLE, _BETWEEN, _BLOCK = 0.2, 0.08, 0.2
_SIZE = 7.5


class Row(NamedTuple):
    """A layer by its name and shape `(h, w, C)`, and its strongest channels `(N, h, w, k)`."""

    name: str
    shape: tuple[int, int, int]
    maps: NDArray[np.floating]


@drawn
def feature_maps(
    images: Images,
    rows: Sequence[Row],
    labels: Labels,
    probabilities: Probabilities,
    classes: Sequence[str],
) -> Figure:
    """Pictures `(N, H, W, C)`, each beside the most active channels of some layers.

    `labels` `(N,)` or, of several a picture, `(N, K)`; `probabilities` `(N, K)`. A channel is
    drawn from its lowest value in black to its highest in white.
    """
    tall = max(len(rows) * (_TITLE + _SIDE + _BETWEEN), _TITLE + _PICTURE + 5 * _LINE)
    subtitle = (
        "Channels that are the most active, the strongest first, from the first layer to the last; "
        "black is a channel's lowest value, white its highest."
    )
    height = len(images) * (tall + _BLOCK) - _BLOCK + 0.05
    figure, sheet = page("What the layers see", subtitle, height)
    for number, picture in enumerate(images):
        top = HEAD + number * (tall + _BLOCK)
        put_picture(sheet, picture, MARGIN, top + _TITLE, _PICTURE)
        _caption(sheet, top + _TITLE + _PICTURE, labels[number], probabilities[number], classes)
        for row in rows:
            _layer(sheet, row, number, top)
            top += _TITLE + _SIDE + _BETWEEN
    return figure


def _layer(sheet: Axes, row: Row, number: int, top: float) -> None:
    left = MARGIN + _PICTURE + 0.2
    shown = row.maps.shape[-1]
    shape = "×".join(map(str, row.shape))
    title = f"{drawable(cut(row.name, 30))} · {shape} · {shown} of {row.shape[2]} channels"
    sheet.text(left, top + _TITLE - 0.05, title, size=_SIZE, color=INK, va="bottom")
    for channel in range(shown):
        gray = scaled(row.maps[number, :, :, channel])
        put_picture(sheet, gray, left + channel * (_SIDE + _GAP), top + _TITLE, _SIDE)


def scaled(channel: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A channel `(h, w)` as gray `(h, w, 1)`, from its lowest value to its highest; else black."""
    low, high = float(channel.min()), float(channel.max())
    if high <= low:
        return np.zeros((*channel.shape, 1), np.uint8)
    return np.asarray(np.round((channel - low) / (high - low) * 255), np.uint8)[:, :, None]


def _caption(
    sheet: Axes, top: float, label: Labels, shares: Probabilities, classes: Sequence[str]
) -> None:
    """What the picture shows and what was said of it, in orange where that is wrong."""
    names = class_labels(classes, limit=16)
    if label.ndim:
        true, said = np.flatnonzero(label), np.flatnonzero(shares >= THRESHOLD)
        wrong = set(true.tolist()) != set(said.tolist())
        lines = [("shows", true), ("said", said)]
        told = [(f"{word}:", cut(", ".join(names[k] for k in some) or "none", 20))
                for word, some in lines]  # fmt: skip
    else:
        best = int(shares.argmax())
        wrong = best != int(label)
        told = [("is:", names[int(label)]), (f"said, {100 * shares[best]:.0f} %:", names[best])]
    y = top + 0.07
    for (word, name), color in zip(told, (INK, ORANGE if wrong else INK), strict=True):
        sheet.text(MARGIN, y, word, size=_SIZE, color=MUTED, va="top")
        shown = fitted(name, _PICTURE + 0.1, _SIZE)
        sheet.text(MARGIN, y + _LINE, shown, size=_SIZE, color=color, va="top")
        y += 2 * _LINE + 0.04
