"""Class names as a figure can show them: one line, cut, drawable, never a formula."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache

from matplotlib import font_manager, ft2font

# Tried after matplotlib's own font, where the machine has them, for names it cannot write.
WIDE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Arial Unicode MS",
)

# Control characters, line ends, marks that turn the direction of text, and halves of pairs, which
# stand for the bytes of a file name that is no text.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@cache
def font_families() -> tuple[str, ...]:
    """DejaVu Sans, which matplotlib brings, and the wide fonts found on this machine."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in WIDE_FONTS if name in installed))


@cache
def _glyphs() -> frozenset[int]:
    paths = (font_manager.findfont(family) for family in font_families())
    return frozenset(code for path in paths for code in ft2font.FT2Font(path).get_charmap())


def _one_line(name: str) -> str:
    """Without line ends, control characters and invisible marks."""
    visible = (character for character in name if unicodedata.category(character) != "Cf")
    spaced = (" " if unicodedata.category(c)[0] == "C" else c for c in visible)
    return " ".join("".join(spaced).split())


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` characters; the middle goes, since names differ at their ends."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 3
    return text[: limit - 1 - tail].rstrip() + "…" + text[len(text) - tail :].lstrip()


def visible(text: str) -> str:
    r"""`text` with what would hide or turn it written out, as `\n` or `\u202e`."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def plain(text: str) -> str:
    """`text` with its dollar signs escaped: matplotlib would read `$x_1$` as a formula."""
    return text.replace("$", r"\$")


def drawable(text: str) -> str:
    """`text` on one line without the characters no font here can draw, safe for matplotlib."""
    return plain("".join(c for c in _one_line(text) if ord(c) in _glyphs())) or "?"


def class_labels(classes: Sequence[str], limit: int = 14) -> list[str]:
    """What to write on a figure for each class, safe to hand to matplotlib.

    A name with characters no font here can draw, or one that is no longer unique once cut, is
    led by its number (`#3`, as in the report's table of classes): a reader can always look it up.
    """
    glyphs = _glyphs()
    lines = [_one_line(name) for name in classes]
    readable = ["".join(c for c in line if ord(c) in glyphs).strip() for line in lines]
    short = [cut(text, limit) for text in readable]
    seen = Counter(short)
    labels = []
    for number, (line, text) in enumerate(zip(lines, short, strict=True)):
        told_apart = seen[text] == 1 and text and readable[number] == line
        numbered = cut(f"#{number} {readable[number]}".strip(), limit)
        labels.append(plain(text if told_apart else numbered))
    return labels
