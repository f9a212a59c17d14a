"""Pages of one to three handwritten digits: several labels a picture, without a download."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources import Catalog, Found, Images
from pipeline.data.sources.digits import Digits
from pipeline.errors import ConfigError
from pipeline.settings import Ingest

MOST = 3  # digits on a page, of the four it has room for
CELL, SCAN = 10, 8  # pixels: the side of a quarter of a page, and of a digit somewhere inside


class DigitPages:
    """The scans of `digits` laid out on pages of 20x20 pixels, each scan on one page only.

    A page is labelled with the digits on it, as far as `ingest.classes` names them, so that with
    `[1, 3, 5, 7, 9]` a page may show none. The layout is one and the same in every run; since no
    scan is on two pages, none is in two splits.
    """

    def __init__(self, settings: Ingest) -> None:
        self._digits = Digits(settings.model_copy(update={"classes": None}))
        names = [str(digit) for digit in range(10)]
        self.classes = list(settings.classes or names)
        for name in self.classes:
            if name not in names:
                raise ConfigError(f"ingest.classes: {name!r} is no digit; digit_pages has 0 to 9")

    def files(self) -> Iterator[tuple[str, Path]]:
        """Name the file that scikit-learn reads."""
        return self._digits.files()

    def catalog(self) -> Catalog:
        """Lay all pages out."""
        scans = [found for found in self._digits.catalog().pictures if isinstance(found, Found)]
        chance = np.random.default_rng(0)
        order = iter(chance.permutation(len(scans)).tolist())
        pages: list[Found] = []
        for size in _sizes(len(scans), chance):
            laid = [scans[next(order)] for _ in range(size)]
            digits = {str(scan.label) for scan in laid}
            label = tuple(n for n, name in enumerate(self.classes) if name in digits)
            pixels = [np.asarray(scan.content) for scan in laid]
            pages.append(Found(f"page {len(pages)}", label, _page(pixels, chance)))
        return Catalog(
            "digit_pages", self.classes, pages, len(pages), pixels=True, multi_label=True
        )


def _sizes(scans: int, chance: np.random.Generator) -> list[int]:
    """How many scans are on each page, so that all are used."""
    sizes: list[int] = []
    while scans:
        sizes.append(min(scans, int(chance.integers(1, MOST + 1))))
        scans -= sizes[-1]
    return sizes


def _page(scans: list[NDArray[np.uint8]], chance: np.random.Generator) -> Images:
    """Put scans uint8 `(8, 8)` into quarters of a black page, each somewhere in its quarter."""
    page = np.zeros((2 * CELL, 2 * CELL), np.uint8)
    quarters = chance.permutation(4)[: len(scans)]
    for scan, quarter in zip(scans, quarters.tolist(), strict=True):
        down, right = CELL * np.array(divmod(quarter, 2)) + chance.integers(0, CELL - SCAN + 1, 2)
        page[down : down + SCAN, right : right + SCAN] = scan
    return page
