"""Text that is no wider than the room there is, whatever letters a name is made of."""

import re
from functools import cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from pipeline.show.names import cut, font_families, plain

_WHOLE = re.compile(r"[,:]? \d+ %( \+\d+)?$| →$")
_SHORTEST = 4  # characters, below which nothing is cut


def fitted(text: str, room: float, size: float) -> str:
    """`text`, which matplotlib takes, cut in the middle until it is no wider than `room` inches.

    Each of its lines by itself; a share or an arrow at the end, as in `cat, 97 %`, stays whole.
    `size` is that of the type, in points.
    """
    return "\n".join(_line(line, room, size) for line in text.split("\n"))


@cache
def _line(text: str, room: float, size: float) -> str:
    bare = text.replace(r"\$", "$")
    found = _WHOLE.search(bare)
    name, end = (bare[: found.start()], found[0]) if found else (bare, "")
    limit = len(name)
    while limit > _SHORTEST and _inches(cut(name, limit) + end, size) > room:
        limit -= 1
    return plain(cut(name, limit) + end) if limit < len(name) else text


def _inches(text: str, size: float) -> float:
    font = FontProperties(family=list(font_families()), size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72
