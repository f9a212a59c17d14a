"""Grad-CAM: wrong pictures, and where in them the network found what it said."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from pipeline.show.canvas import BLUE, HEAD, MARGIN, ORANGE, WIDTH, drawn, page
from pipeline.show.choosing import NONE
from pipeline.show.fitting import fitted
from pipeline.show.names import class_labels
from pipeline.show.pictures import Images, Probabilities, put_picture

Maps = NDArray[np.floating]

_GROUPS, _GAP, _BETWEEN, _UNDER = 2, 0.07, 0.3, 0.42
_LINE, _SIZE = 0.145, 7.5
_FINE = (
    128  # pixels to which the smaller side of a small picture is enlarged before it is laid over
)
_DEEPEST = 0.85  # of colour where a map is 1
# Of words, of what is laid over (brighter, to be seen on black), and what they say.
_SIDES = ((ORANGE, "#ff8330", "said", "spurious"), (BLUE, "#3f9bff", "true", "missed"))


@drawn
def grad_cam(
    images: Images,
    maps: Sequence[Maps],
    mistakes: NDArray[np.integer],
    probabilities: Probabilities,
    classes: Sequence[str],
    several: bool = False,
) -> Figure:
    """Wrong pictures, each beside where it speaks for what was said and for what is true.

    `images` uint8 `(N, H, W, C)`; `maps` two of `(N, h, w)`, 0..1, of the classes `mistakes`
    `(N, 2)`, of which one that is `NONE` is left out; `probabilities` `(N, K)`. Of `several` labels
    a picture, those are a class that is not there and one that was missed.
    """
    names = class_labels(classes, limit=13)
    orange, blue = ("is not there", "was missed") if several else ("was said", "is true")
    side = (WIDTH - 2 * MARGIN - _BETWEEN * (_GROUPS - 1)) / _GROUPS
    side = (side - 2 * _GAP) / 3
    pitch = side + _UNDER
    rows = -(-len(images) // _GROUPS)
    height, width = maps[0].shape[1:]
    subtitle = (
        f"Grad-CAM: orange where the picture speaks for what {orange}, blue for what {blue}; "
        f"each in its own scale, of {height}×{width} places."
    )
    figure, sheet = page("Where it looked when it was wrong", subtitle, rows * pitch + 0.05)
    for number, picture in enumerate(images):
        row, group = divmod(number, _GROUPS)
        left, top = MARGIN + group * (3 * side + 2 * _GAP + _BETWEEN), HEAD + row * pitch
        put_picture(sheet, picture, left, top, side)
        left += side + _GAP
        for found, k, look in zip(maps, mistakes[number], _SIDES, strict=True):
            if k == NONE:
                continue
            color, bright, word = look[0], look[1], look[3 if several else 2]
            put_picture(sheet, laid_over(picture, found[number], bright), left, top, side)
            share = f"{word}, {100 * probabilities[number, k]:.0f} %"
            nothing = "" if found[number].any() else "nothing for it"
            lines = (names[k], share, nothing)
            for line, text in enumerate(lines):
                y = top + side + 0.05 + line * _LINE
                said = fitted(text, side + 0.8 * _GAP, _SIZE)
                sheet.text(left + side / 2, y, said, ha="center", va="top", size=_SIZE, color=color)
            left += side + _GAP
    return figure


def laid_over(picture: NDArray[np.uint8], found: Maps, color: str) -> NDArray[np.uint8]:
    """A map `(h, w)` 0..1 in `color` over a picture `(H, W, C)` in gray, `(H', W', 3)` uint8.

    The map is scaled bilinearly to the picture, a small picture enlarged before, without blur.
    """
    times = max(1, -(-_FINE // min(picture.shape[:2])))
    large = picture.repeat(times, axis=0).repeat(times, axis=1)
    gray = large[:, :, :3].mean(axis=2, keepdims=True)
    size = (large.shape[1], large.shape[0])
    heat = Image.fromarray(found.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    share = _DEEPEST * np.clip(np.asarray(heat), 0, 1)[:, :, None]
    mixed = (1 - share) * gray + share * 255 * np.array(to_rgb(color))
    return np.asarray(np.round(mixed), np.uint8)
