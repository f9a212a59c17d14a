"""IDX files: the format of MNIST and Fashion-MNIST."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources import Pictures
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
        self.folder = settings.path.expanduser() if settings.path else DEBIAN
        self.classes = list(settings.classes or (FASHION if self.fashion else ()))

    def files(self) -> list[Path]:
        """List the four files; none where tensorflow-datasets will fetch them."""
        if self.downloads():
            return []
        if not self.folder.is_dir():
            raise DataError(f"{self.folder}: no such folder; ingest.path names one of IDX files")
        return [self._find(part, kind) for part in PARTS for kind in ("images", "labels")]

    def downloads(self) -> bool:
        """Tell whether the pictures have to come through tensorflow-datasets."""
        return self.fashion and not self.folder.is_dir()

    def load(self) -> Pictures:
        """Read train and test as the files give them."""
        name = "fashion_mnist" if self.fashion else self.folder.resolve().name
        parts = _download(name) if self.downloads() else {part: self._read(part) for part in PARTS}
        highest = max(int(labels.max(initial=0)) for _, labels in parts.values())
        classes = self.classes or [str(number) for number in range(highest + 1)]
        if highest >= len(classes):
            raise DataError(
                f"{self.folder}: label {highest}, but ingest.classes names {len(classes)} classes"
            )
        return Pictures(name, classes, parts)

    def _find(self, part: str, kind: str) -> Path:
        stem = f"{PARTS[part]}-{kind}-idx{3 if kind == 'images' else 1}-ubyte"
        for path in (self.folder / f"{stem}.gz", self.folder / stem):
            if path.is_file():
                return path
        raise DataError(f"{self.folder / stem}[.gz]: no such file")

    def _read(self, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        images_file, labels_file = self._find(part, "images"), self._find(part, "labels")
        images, labels = read_idx(images_file, 3), read_idx(labels_file, 1)
        if len(images) != len(labels):
            raise DataError(
                f"{labels_file}: {len(labels)} labels, {len(images)} pictures in {images_file.name}"
            )
        return images[..., None], labels.astype(np.int64)


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes with so many dimensions.

    Raises:
        DataError: naming the file, for a wrong magic number or a length its header denies.
    """
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    head = 4 + 4 * dimensions
    if len(content) < head:
        raise DataError(f"{path}: {len(content)} bytes are too few for an IDX header")
    magic, *shape = struct.unpack(f">{dimensions + 1}I", content[:head])
    expected = UNSIGNED_BYTE << 8 | dimensions
    if magic != expected:
        raise DataError(
            f"{path}: magic number {magic:#010x}, expected {expected:#010x} "
            f"(IDX, unsigned bytes, {dimensions} dimensions)"
        )
    if len(content) - head != math.prod(shape):
        raise DataError(
            f"{path}: header announces {math.prod(shape)} bytes, {len(content) - head} follow"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _download(name: str) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Fetch a data set through tensorflow-datasets, and read it as a stream into whole arrays."""
    import tensorflow_datasets as tfds

    try:
        loaded: Any = tfds.load(name, split=list(PARTS), as_supervised=True)
    except Exception as error:  # tfds raises whatever its transport raises
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{name}: not at {DEBIAN}, and tensorflow-datasets cannot fetch it ({reason}); install "
            f"Debian's dataset-fashion-mnist, or give ingest.path a folder of IDX files"
        ) from error
    parts = {}
    for part, stream in zip(PARTS, loaded, strict=True):
        batches = list(tfds.as_numpy(stream.batch(1024)))
        images, labels = (np.concatenate(column) for column in zip(*batches, strict=True))
        parts[part] = (images, labels.astype(np.int64))
    return parts
