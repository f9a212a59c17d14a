"""Sampling: open a part of a set's pictures, the same one each time, to tell what all are like."""

import io
import os
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.data.decoding import Decoded, Rules
from pipeline.data.likeness import groups
from pipeline.data.opening import FORMATS
from pipeline.data.several import numbers
from pipeline.data.sources import Found, Images, Remark
from pipeline.data.workers import Outcome, decode_chunk, decoded
from pipeline.progress import bar

MOST = 1_000  # pictures, about
BYTES = 500_000_000  # of their files, about: a few hundred from a camera
SIDE = 32  # to which they are shrunk, to tell gray from colour
TINT = 2  # levels of 255 by which the channels of a gray picture may differ
SEE_THROUGH = "is transparent in parts"


@dataclass(frozen=True)
class Sample:
    """What was seen of the pictures that were opened.

    `sizes` is `(n, 2)`, upright width and height of those that can be read; `gray` and
    `see_through` count them, `across` those that stand in two given splits, `conflicts` those
    under two labels. `unreadable` are the others; `noted` says what is odd about a picture.
    """

    sizes: NDArray[np.int64]
    gray: int
    see_through: int
    across: int
    conflicts: int
    unreadable: list[Remark]
    noted: list[Remark]

    @property
    def read(self) -> int:
        """How many can be read."""
        return len(self.sizes)

    @property
    def opened(self) -> int:
        """How many there are, readable or not."""
        return len(self.sizes) + len(self.unreadable)


def sample(pictures: Iterable[Found], count: int, *, pixels: bool, max_pixels: int) -> Sample:
    """Open some of `count` pictures, about in proportion to their classes, and all classes.

    Which ones is decided by where they are, so that a second look is the same. None stops it,
    whatever is wrong with it.
    """
    share = min(1.0, MOST / count)
    chosen = list(_drawn(pictures, share))
    size = sum(map(_bytes, chosen))
    if size > BYTES:
        chosen = list(_drawn(chosen, share * BYTES / size))
    rules = Rules((SIDE, SIDE), "stretch", "box", None, "white", max_pixels)
    seen = list(_opened(chosen, rules, pixels))
    sound = [(found, outcome) for found, outcome in seen if isinstance(outcome, Decoded)]
    remarks = [Remark(found.where, note) for found, outcome in sound for note in outcome.notes]
    return Sample(
        np.array([(out.width, out.height) for _, out in sound], np.int64).reshape(-1, 2),
        sum(_is_gray(out.pixels) for _, out in sound),
        sum(SEE_THROUGH in out.notes for _, out in sound),
        *_copies(sound),
        [Remark(found.where, out) for found, out in seen if isinstance(out, str)],
        [remark for remark in remarks if remark.reason != SEE_THROUGH],
    )


def _drawn(pictures: Iterable[Found], share: float) -> Iterator[Found]:
    """Draw a share of them by a hash of where they are, and the first one of each class."""
    met: set[int] = set()
    for found in pictures:
        shown = set(numbers(found.label))
        if not shown <= met or zlib.crc32(os.fsencode(found.where)) < share * 2**32:
            met |= shown
            yield found


def _bytes(found: Found) -> int:
    if not isinstance(found.content, str):
        return len(found.content) if isinstance(found.content, bytes) else found.content.nbytes
    try:
        return os.stat(found.content).st_size  # noqa: PTH116  # it is a string
    except OSError:
        return 0


def _opened(chosen: Sequence[Found], rules: Rules, pixels: bool) -> Iterator[tuple[Found, Outcome]]:
    here = ((found, inspect_chunk([found], rules)[0]) for found in chosen)
    with bar() as shown:
        task = shown.add_task("looking at pictures", total=len(chosen), note="")
        for pair in here if pixels else decoded(chosen, rules, inspect_chunk):
            yield pair
            shown.advance(task)


def inspect_chunk(pictures: Sequence[Found], rules: Rules) -> list[Outcome]:
    """Decode some pictures, and note of each whether what is behind it shows through."""
    outcomes = decode_chunk(pictures, rules)
    for number, (picture, outcome) in enumerate(zip(pictures, outcomes, strict=True)):
        if isinstance(outcome, Decoded) and _has_opacity(picture.content):
            [other] = decode_chunk([picture], replace(rules, background="black"))
            if isinstance(other, Decoded) and other.digest != outcome.digest:
                outcomes[number] = replace(outcome, notes=(*outcome.notes, SEE_THROUGH))
    return outcomes


def _has_opacity(content: str | bytes | Images) -> bool:
    """Tell whether a picture says how opaque it is, be it everywhere."""
    if isinstance(content, np.ndarray):
        return content.shape[2:] == (4,)
    stream = content if isinstance(content, str) else io.BytesIO(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(stream, formats=FORMATS) as image:
            return image.has_transparency_data


def _is_gray(pixels: Images) -> bool:
    return bool(np.ptp(pixels.astype(np.int16), axis=-1).max() <= TINT)


def _copies(sound: Sequence[tuple[Found, Decoded]]) -> tuple[int, int]:
    """Count the pictures that stand in two given splits, and those under two labels."""
    across = conflicts = 0
    for group in groups([outcome.digest for _, outcome in sound]):
        members = [sound[row][0] for row in group]
        if len({found.label for found in members}) > 1:
            conflicts += len(members)
        elif len({found.split for found in members} - {None}) > 1:
            across += 1
    return across, conflicts
