"""IDX files: the format of MNIST and Fashion-MNIST."""

import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources import Catalog, Found, Remark
from pipeline.data.sources.labels import numbered
from pipeline.data.sources.places import LARGE, PACKED_AT_MOST, place, printable, require_folder
from pipeline.data.sources.tfds import Tfds
from pipeline.errors import DataError
from pipeline.settings import Ingest

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
           "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")  # fmt: skip
PARTS = {"train": "train", "test": "t10k"}
UNSIGNED_BYTE = 8


class Idx:
    """A folder of `{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]`.

    With no path: Fashion-MNIST, from Debian's package `dataset-fashion-mnist` where it is
    installed, else downloaded through tensorflow-datasets.
    Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST", 2017.
    """

    def __init__(self, settings: Ingest) -> None:
        self.fashion = settings.path is None
        self.folder = place(settings.path) if settings.path else DEBIAN
        self.classes = list(map(printable, settings.classes or (FASHION if self.fashion else ())))
        self.max_pixels = settings.max_pixels
        self.instead: Tfds | None = None
        if self.fashion and not self.folder.is_dir():
            self.instead = Tfds(settings.model_copy(update={"dataset": "tfds:fashion_mnist"}))

    def prepare(self) -> None:
        """Download Fashion-MNIST where it is asked for and not there."""
        if self.instead:
            self.instead.prepare()

    def files(self) -> Iterator[tuple[str, Path]]:
        """Name the four files, or those that tensorflow-datasets has."""
        if self.instead:
            yield from self.instead.files()
            return
        require_folder(self.folder, "ingest.path names one of IDX files")
        for part in PARTS:
            for kind in ("images", "labels"):
                path = self._find(part, kind)
                yield path.name, path

    def catalog(self) -> Catalog:
        """Read all labels, and the headers of the images."""
        if self.instead:
            return self.instead.catalog()
        read = {part: read_labels(self._find(part, "labels")) for part in PARTS}
        classes, labels = numbered(read, self.classes, self.folder)
        name = "fashion_mnist" if self.fashion else printable(self.folder.resolve().name)
        count = sum(map(len, labels.values()))
        return Catalog(name, classes, self._pictures(labels), count, pixels=True)

    def _find(self, part: str, kind: str) -> Path:
        stem = f"{PARTS[part]}-{kind}-idx{3 if kind == 'images' else 1}-ubyte"
        for path in (self.folder / f"{stem}.gz", self.folder / stem):
            if os.path.isfile(path):  # noqa: PTH113  # Path's own raises where it may not look
                return path
        raise DataError(f"{self.folder / stem}[.gz]: no such file")

    def _pictures(self, labels: dict[str, NDArray[np.int64]]) -> Iterator[Found | Remark]:
        for part, found in labels.items():
            path = self._find(part, "images")
            with _content(path, 3) as (stream, (count, height, width)):
                if count != len(found):
                    raise DataError(
                        f"{self._find(part, 'labels')}: {len(found)} labels, "
                        f"{count} pictures in {path.name}"
                    )
                if height * width > self.max_pixels:
                    raise DataError(
                        f"{path}: its header announces pictures of {height} x {width} pixels, more "
                        f"than ingest.max_pixels ({self.max_pixels:,})"
                    )
                for row, label in enumerate(found.tolist()):
                    pixels = np.frombuffer(stream.read(height * width), np.uint8)
                    if pixels.size < height * width:
                        raise DataError(
                            f"{path}: header announces {count} pictures, it ends in number {row}"
                        )
                    yield Found(f"{part}[{row}]", label, pixels.reshape(height, width), part)
                if stream.read(1):
                    raise DataError(f"{path}: goes on after the {count} pictures of its header")


def read_labels(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of one dimension of unsigned bytes.

    Raises:
        DataError: naming the file, for a wrong magic number or a length its header denies.
    """
    with _content(path, 1) as (stream, (count,)):
        content = stream.read(count + 1)
    if len(content) != count:
        follow = f"{len(content)}" if len(content) < count else "more"
        raise DataError(f"{path}: header announces {count} labels, {follow} follow")
    return np.frombuffer(content, np.uint8)


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


@contextmanager
def _content(path: Path, dimensions: int) -> Iterator[tuple[IO[bytes], tuple[int, ...]]]:
    """Open an IDX file behind its header, and give the shape that announces."""
    try:
        with _opened(path) as stream:
            head = stream.read(4 + 4 * dimensions)
            if len(head) < 4 + 4 * dimensions:
                raise DataError(f"{path}: {len(head)} bytes are too few for an IDX header")
            magic, *shape = struct.unpack(f">{dimensions + 1}I", head)
            expected = UNSIGNED_BYTE << 8 | dimensions
            if magic != expected:
                raise DataError(
                    f"{path}: magic number {magic:#010x}, expected {expected:#010x} "
                    f"(IDX, unsigned bytes, {dimensions} dimensions)"
                )
            if math.prod(shape[1:]) == 0:
                raise DataError(f"{path}: its header announces pictures of {shape[1:]} pixels")
            _require_room(path, math.prod(shape))
            yield stream, tuple(shape)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _require_room(path: Path, announced: int) -> None:
    """Refuse a header that announces more than such a file can hold, before it is believed."""
    size = path.stat().st_size
    if announced > max(LARGE, size * (PACKED_AT_MOST if path.suffix == ".gz" else 1)):
        raise DataError(f"{path}: header announces {announced:,} bytes, the file has {size:,}")
