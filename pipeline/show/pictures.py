"""Sheets of pictures: what the model got wrong, what it was unsure of, what augmentation does."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from pipeline.show.canvas import (
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
from pipeline.show.choosing import surest_wrong
from pipeline.show.fitting import fitted
from pipeline.show.names import class_labels

Images = NDArray[np.uint8]
Labels = NDArray[np.integer]
Probabilities = NDArray[np.floating]

_GAP = 0.16
_CRISP_BELOW = 128
_LINE = 0.155
_WHOLE = 0.995  # share of a class above which a picture shows it alone


class Caption(NamedTuple):
    """The lines under a picture: one in `color`, or two, of which the second is in `color`."""

    first: str
    second: str
    color: str


def put_picture(sheet: Axes, picture: Images, left: float, top: float, side: float) -> None:
    """Draw `picture` `(H, W, C)` into a square of `side` inches, its proportions kept.

    Small pictures are enlarged without blur, so that the pixels seen are those the model saw.
    """
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    x, y = left + (side - width * scale) / 2, top + (side - height * scale) / 2
    box = (x, x + width * scale, y + height * scale, y)
    colours = np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture[:, :, :3]
    smooth = "nearest" if max(height, width) < _CRISP_BELOW else "auto"
    limits = sheet.get_xlim(), sheet.get_ylim()
    sheet.imshow(colours, extent=box, interpolation=smooth, aspect="auto")
    sheet.set(xlim=limits[0], ylim=limits[1])
    frame = Rectangle(
        (x, y), width * scale, height * scale, fill=False, edgecolor=RULE, linewidth=0.8
    )
    sheet.add_patch(frame)


@drawn
def wrong_pictures(
    images: Images,
    labels: Labels,
    probabilities: Probabilities,
    classes: Sequence[str],
    count: int = 24,
) -> Figure:
    """Misclassified pictures, the most confident mistake first, as `true → said, 97 %`.

    `images` uint8 `(N, H, W, C)`, `labels` `(N,)`, `probabilities` `(N, K)`.
    """
    said = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1)
    wrong = surest_wrong(labels, probabilities)
    chosen = wrong[:count]
    title = "Wrong, the surest first"
    if not len(chosen):
        return nothing_to_show(title, f"Not one of {len(labels):,} pictures was misread.")
    names = class_labels(classes, limit=17)
    pairs = [(names[labels[i]], f"{names[said[i]]}, {100 * sure[i]:.0f} %") for i in chosen]
    brief = max(len(true) + len(answer) for true, answer in pairs) <= 12
    captions = [
        Caption(f"{true} → {answer}", "", ORANGE) if brief else Caption(f"{true} →", answer, ORANGE)
        for true, answer in pairs
    ]
    subtitle = f"{of(len(chosen), len(wrong))} misread pictures: what it is → what the model said."
    return contact_sheet_of(title, subtitle, images[chosen], captions)


@drawn
def least_sure(
    images: Images,
    labels: Labels,
    probabilities: Probabilities,
    classes: Sequence[str],
    count: int = 24,
) -> Figure:
    """Pictures that were read right with the least confidence; arrays as in `wrong_pictures`."""
    right = np.flatnonzero(probabilities.argmax(axis=1) == labels)
    sure = probabilities.max(axis=1)
    chosen = right[np.argsort(sure[right], kind="stable")][:count]
    title = "Right, but only just"
    if not len(chosen):
        return nothing_to_show(title, "Not one picture was read right.")
    names = class_labels(classes, limit=12)
    captions = []
    for i in chosen:
        first, second = np.argsort(-probabilities[i], kind="stable")[:2]
        shares = [f"{100 * probabilities[i, k]:.0f} %" for k in (first, second)]
        captions.append(
            Caption(f"{names[first]}, {shares[0]}", f"or {names[second]}, {shares[1]}", MUTED)
        )
    subtitle = "Read right with the least confidence: the answer, and the one that came second."
    return contact_sheet_of(title, subtitle, images[chosen], captions)


@drawn
def augmentation_preview(
    originals: Images,
    augmented: Images,
    shares: Probabilities | None = None,
    classes: Sequence[str] = (),
    columns: int = 6,
) -> Figure:
    """Originals `(N, H, W, C)` in the top row, under each its copies `(rounds, N, H, W, C)`.

    `shares` `(rounds, N, K)` says how much of each class a copy shows; where some are mixed of two
    classes, it stands under each copy.
    """
    shown = min(len(originals), columns)
    rows = [originals[:shown], *(copies[:shown] for copies in augmented)]
    captions = _mixtures(shares, classes, shown)
    left, gap = 0.72, 0.08
    side = min((WIDTH - left - MARGIN - gap * (shown - 1)) / shown, 1.2)
    under = 2 * _LINE + 0.08 if captions else 0.0
    height = len(rows) * (side + gap + under) - under + 0.12 + MARGIN
    subtitle = "The top row is as it came; every epoch the model sees other copies like these."
    figure, sheet = page("What augmentation does", subtitle, height)
    top = HEAD
    for row, pictures in enumerate(rows):
        name = "original" if row == 0 else f"copy {row}"
        sheet.text(MARGIN, top + side / 2, name, size=SMALL_SIZE, color=MUTED, va="center")
        for column, picture in enumerate(pictures):
            x = left + column * (side + gap)
            put_picture(sheet, picture, x, top, side)
            if captions and row:
                said, y = fitted(captions[row - 1][column], side, SMALL_SIZE), top + side + 0.05
                sheet.text(x + side / 2, y, said, ha="center", va="top", size=SMALL_SIZE, color=INK)
        top += side + gap + (0.12 if row == 0 else under)
    return figure


def _mixtures(shares: Probabilities | None, classes: Sequence[str], shown: int) -> list[list[str]]:
    """Say of each copy what it shows, a line a class; nothing where no copy is mixed."""
    if shares is None:
        return []
    part = shares[:, :shown]
    if not ((part > 1 - _WHOLE) & (part < _WHOLE)).any():
        return []
    names = class_labels(classes, limit=8)
    return [[_mixture(one, names) for one in row[:shown]] for row in shares]


def _mixture(shares: Probabilities, names: Sequence[str]) -> str:
    there = [k for k in np.argsort(-shares, kind="stable")[:2] if shares[k] > 1 - _WHOLE]
    if len(there) == 1 and shares[there[0]] > _WHOLE:
        return str(names[there[0]])
    more = int((shares > 1 - _WHOLE).sum()) - len(there)
    lines = [f"{names[k]} {100 * shares[k]:.0f} %" for k in there]
    if more and lines:
        lines[-1] += f" +{more}"
    return "\n".join(lines) or "none"


def of(shown: int, total: int) -> str:
    """How many of all are shown, as a sentence begins."""
    return f"All {total:,}" if shown == total else f"{shown} of {total:,}"


def contact_sheet_of(
    title: str, subtitle: str, images: Images, captions: Sequence[Caption]
) -> Figure:
    """Pictures in rows, each over its caption: six a row where captions are short, else four."""
    longest = max(len(text) for caption in captions for text in caption[:2])
    columns = 6 if longest <= 13 else 4
    side = (WIDTH - 2 * MARGIN - _GAP * (columns - 1)) / columns
    lines = 2 if any(caption.second for caption in captions) else 1
    pitch = side + lines * _LINE + 0.22
    rows = -(-len(images) // columns)
    figure, sheet = page(title, subtitle, rows * pitch + 0.05)
    for place, (picture, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(place, columns)
        left, top = MARGIN + column * (side + _GAP), HEAD + row * pitch
        put_picture(sheet, picture, left, top, side)
        first = INK if caption.second else caption.color
        middle, under = left + side / 2, top + side + 0.06
        for line, text, color in ((0, caption.first, first), (1, caption.second, caption.color)):
            y = under + line * _LINE
            said = fitted(text, side + 0.8 * _GAP, SMALL_SIZE)
            sheet.text(middle, y, said, ha="center", va="top", size=SMALL_SIZE, color=color)
    return figure


def nothing_to_show(title: str, message: str) -> Figure:
    """A sheet that says why there is no picture on it."""
    figure, sheet = page(title, "", 0.35)
    sheet.text(MARGIN, HEAD - 0.22, message, size=10, color=MUTED, va="center")
    return figure
