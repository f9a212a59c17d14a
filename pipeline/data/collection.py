"""A collection: decoded pictures on disk while it is found out what belongs where."""

import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.data.decoding import THUMBNAIL, Decoded
from pipeline.data.sources import SPLITS, Found, Images, Label, Labels
from pipeline.data.splits import UNSAID
from pipeline.errors import DataError

DIGEST = 32
Digests = NDArray[np.bytes_]


class Collection:
    """Pictures of one shape in a file, and what is known of each in memory, some 100 bytes.

    Rows are numbered as they were added. Pixels are read back with `pread`, not mapped: a mapped
    file would count as memory in use.
    """

    def __init__(self, folder: Path, several: int | None = None) -> None:
        """Begin an empty one; `several` is the number of classes where a picture may show some."""
        self._several = several
        self._flags = bytearray()
        self._pixels = _Rows(folder / "pixels.tmp")
        self._thumbnails = _Rows(folder / "thumbnails.tmp")
        self._digests = bytearray()
        self._labels, self._given = array("q"), array("b")
        self._widths, self._heights = array("i"), array("i")
        self._brightness = array("f")
        self.where: list[str] = []
        self.shape: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pixels.remove()
        self._thumbnails.remove()

    def __len__(self) -> int:
        return len(self.where)

    def add(self, found: Found, decoded: Decoded) -> None:
        """Take a picture in; `DataError` where it has not the shape of the first."""
        self.shape = self.shape or decoded.pixels.shape
        if decoded.pixels.shape != self.shape:
            raise DataError(
                f"{found.where} is {decoded.pixels.shape}, {self.where[0]} is {self.shape}; "
                f"ingest.size and ingest.color bring all to one shape"
            )
        self._pixels.append(decoded.pixels.tobytes())
        self._thumbnails.append(decoded.thumbnail.tobytes())
        self._digests += decoded.digest
        self._add_label(found.label)
        self._given.append(UNSAID if found.split is None else SPLITS.index(found.split))
        self._widths.append(decoded.width)
        self._heights.append(decoded.height)
        self._brightness.append(float(decoded.thumbnail.mean()))
        self.where.append(found.where)

    def _add_label(self, label: Label) -> None:
        if isinstance(label, int):
            self._labels.append(label)
        else:
            row = bytearray(self._several or 0)
            for number in label:
                row[number] = 1
            self._flags += row

    @property
    def digests(self) -> Digests:
        """Digest of each picture's pixels before resizing, `(N,)` of 32 bytes."""
        return np.frombuffer(self._digests, f"S{DIGEST}")

    @property
    def labels(self) -> Labels:
        """Class numbers int64 `(N,)`, or uint8 `(N, classes)`: 1 for each class a picture shows."""
        if self._several is not None:
            return np.frombuffer(bytes(self._flags), np.uint8).reshape(-1, self._several)
        return np.array(self._labels, np.int64)

    @property
    def given(self) -> NDArray[np.int8]:
        """Numbers of the splits that the source gave, `(N,)`; `UNSAID` for none."""
        return np.array(self._given, np.int8)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Width and height before resizing, `(N, 2)`."""
        return np.stack([self._widths, self._heights], axis=1).astype(np.int64)

    @property
    def brightness(self) -> NDArray[np.float32]:
        """Mean gray level of each, 0..255, `(N,)`."""
        return np.array(self._brightness, np.float32)

    def pixels(self, rows: Sequence[int]) -> Iterator[bytes]:
        """Read pictures back, in any order: the bytes of uint8 `(H, W, C)`."""
        return self._pixels.read(rows)

    def thumbnails(self, rows: Sequence[int]) -> Images:
        """Read gray thumbnails back, `(n, 16, 16)` uint8."""
        content = b"".join(self._thumbnails.read(rows))
        return np.frombuffer(content, np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL)


class _Rows:
    """A file of rows of equal length: written one after the other, read at any place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = path.open("w+b", buffering=1 << 20)
        self._length = 0

    def append(self, row: bytes) -> None:
        self._length = len(row)
        self._stream.write(row)

    def read(self, rows: Sequence[int]) -> Iterator[bytes]:
        self._stream.flush()
        descriptor = self._stream.fileno()
        for row in rows:
            yield os.pread(descriptor, self._length, int(row) * self._length)

    def remove(self) -> None:
        self._stream.close()
        self.path.unlink(missing_ok=True)
