"""Sources: one kind of picture set a file, each a row of `DATASETS`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Labels = NDArray[np.integer[Any]]  # int64 `(N,)`, or of several a picture uint8 `(N, classes)`
Label = int | tuple[int, ...]  # the number of a class, or rising numbers of those it shows
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Found:
    """A picture as a source has it, not decoded yet.

    `where` is how a person finds it: a path below the source's folder, a row, an index. `content`
    is a file's path, the bytes of a file, or pixels uint8 `(H, W)` or `(H, W, C)`. `split` is the
    one the source gives it; None leaves it to us. `label` is a class's number, or those of all it
    shows where the catalog is `multi_label`.
    """

    where: str
    label: Label
    content: str | bytes | Images
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """Something said of one picture, file or row: why it was set aside, passed over, or noted."""

    where: str
    reason: str


@dataclass
class Catalog:
    """What a source holds: its pictures in turn, read once, and remarks on what is none.

    Where `pictures` yields a `Remark`, that picture is set aside for the reason it gives. `pixels`
    tells that all are pixels already, which may stay in their size and colour; `shape`, height,
    width and channels of all, where that is known; `listed`, that each was named as a picture, so
    that none is passed over for what it is. `passed_over` lists what was not taken for a picture,
    which counts as no harm; `noted`, what was taken as it is but is worth a look. Both are complete
    once `pictures` has ended. `multi_label` tells that a picture may show none of the classes, one
    or several.
    """

    name: str
    classes: list[str]
    pictures: Iterable[Found | Remark]
    count: int | None = None
    pixels: bool = False
    shape: tuple[int, int, int] | None = None
    listed: bool = False
    multi_label: bool = False
    passed_over: list[Remark] = field(default_factory=list)
    noted: list[Remark] = field(default_factory=list)


class Source(Protocol):
    """A row of `DATASETS`, made from the settings of `ingest`."""

    def files(self) -> Iterator[tuple[str, Path]]:
        """Name each file it would read, relative to the source; `DataError` where it is missing."""

    def catalog(self) -> Catalog:
        """List its pictures without decoding any; `DataError` names the file that is wrong."""
