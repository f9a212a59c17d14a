"""Sources: one kind of picture set a file, each a row of `DATASETS`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Pictures:
    """What a source yields.

    `parts` maps "train", "validation" and "test", as far as the source has such a split, or "all",
    to images `(N, H, W, C)` uint8 and labels `(N,)` int64, indices into `classes`.
    """

    name: str
    classes: list[str]
    parts: dict[str, tuple[Images, Labels]]


class Source(Protocol):
    """A row of `DATASETS`, made from the settings of `ingest`."""

    def files(self) -> list[Path]:
        """List what it would read; raises `DataError` where that is missing."""

    def load(self) -> Pictures:
        """Read it; raises `DataError` naming the file that is wrong."""
