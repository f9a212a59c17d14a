"""Text that is no wider than the room there is, whatever letters a name is made of."""

from functools import cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from pipeline.show.names import cut, font_families, plain

_SHORTEST = 4  # characters, below which nothing is cut


def fitted(text: str, room: float, size: float) -> str:
    """`text`, which matplotlib takes, cut in the middle until it is no wider than `room` inches.

    Each of its lines by itself; `size` is that of the type, in points.
    """
    return "\n".join(_line(line, room, size) for line in text.split("\n"))


@cache
def _line(text: str, room: float, size: float) -> str:
    bare = text.replace(r"\$", "$")
    limit = len(bare)
    while limit > _SHORTEST and _inches(cut(bare, limit), size) > room:
        limit -= 1
    return plain(cut(bare, limit)) if limit < len(bare) else text


def _inches(text: str, size: float) -> float:
    font = FontProperties(family=list(font_families()), size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72
