"""Contact sheets: training pictures of one class, many at a glance."""

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from pipeline.show.canvas import HEAD, MARGIN, RULE, WIDTH, drawn, page
from pipeline.show.names import class_labels
from pipeline.show.pictures import Images, Labels

_COLUMNS = 8
_GAP = 0.08  # of a picture's longer side
_LARGEST = 160  # pixels; on the sheet a picture has 125
_LIFT = 0.15  # inches: the heading is one line, so pictures may stand nearer to it


def sheet_classes(counts: Sequence[int], limit: int = 30) -> list[int]:
    """Numbers of the classes to draw, given how many training pictures each has.

    Where there are more than `limit`, the smallest are drawn: in them one bad picture weighs most.
    """
    filled = [number for number, count in enumerate(counts) if count]
    return sorted(sorted(filled, key=lambda number: counts[number])[:limit])


@drawn
def contact_sheet(
    images: Images, labels: Labels, classes: Sequence[str], number: int, count: int = 24
) -> Figure:
    """Up to `count` pictures of class `number`, evenly spread through its rows.

    `images` uint8 `(N, H, W, C)`, `labels` `(N,)`, or `(N, K)` of several a picture; both may be
    memory-mapped, and only the pictures shown are read. The class has one picture at least.
    """
    known = np.asarray(labels)
    rows = np.flatnonzero(known[:, number] if known.ndim == 2 else known == number)
    chosen = rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)]
    mosaic, corners = _mosaic([_thumbnail(images[row]) for row in chosen])
    inch = (WIDTH - 2 * MARGIN) / mosaic.shape[1]
    down = mosaic.shape[0] * inch
    some = f"{len(chosen)} of {len(rows):,} training pictures of this class, evenly picked."
    every = f"All {len(rows):,} training pictures of this class."
    title = class_labels(classes, limit=30)[number]
    subtitle = every if len(chosen) == len(rows) else some
    figure, sheet = page(title, subtitle, down + MARGIN - _LIFT)
    top = HEAD - _LIFT
    limits = sheet.get_xlim(), sheet.get_ylim()
    box = (MARGIN, WIDTH - MARGIN, top + down, top)
    smooth = "nearest" if max(images.shape[1:3]) < _LARGEST else "auto"
    sheet.imshow(mosaic, extent=box, interpolation=smooth, aspect="auto")
    sheet.set(xlim=limits[0], ylim=limits[1])
    frames = [
        Rectangle((MARGIN + x * inch, top + y * inch), width * inch, height * inch)
        for y, x, height, width in corners
    ]
    look = {"facecolor": "none", "edgecolor": RULE, "linewidth": 0.8}
    sheet.add_collection(PatchCollection(frames, **look), autolim=False)
    return figure


def _mosaic(pictures: Sequence[Images]) -> tuple[Images, list[tuple[int, int, int, int]]]:
    """Pictures of one size on one white sheet, and each one's top, left, height and width.

    One picture of all of them is drawn ten times as fast as each by itself.
    """
    height, width = pictures[0].shape[:2]
    gap = max(1, round(_GAP * max(height, width)))
    lines = -(-len(pictures) // _COLUMNS)
    shape = (lines * (height + gap) - gap, _COLUMNS * (width + gap) - gap, 3)
    mosaic = np.full(shape, 255, np.uint8)
    corners = []
    for place, picture in enumerate(pictures):
        line, column = divmod(place, _COLUMNS)
        top, left = line * (height + gap), column * (width + gap)
        mosaic[top : top + height, left : left + width] = picture
        corners.append((top, left, height, width))
    return mosaic, corners


def _thumbnail(picture: Images) -> Images:
    """A picture `(H, W, C)` as RGB of at most `_LARGEST` pixels a side."""
    gray = picture.shape[2] == 1
    image = Image.fromarray(np.asarray(picture[:, :, 0] if gray else picture[:, :, :3]))
    image.thumbnail((_LARGEST, _LARGEST), Image.Resampling.BOX)
    return np.asarray(image.convert("RGB"))
