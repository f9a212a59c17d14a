"""Arrays: pictures that are numbers already, in one .npz file or a folder of .npy files."""

import math
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pipeline.data.sources import Catalog, Found, Label, Remark
from pipeline.data.sources.labels import flagged, numbered
from pipeline.data.sources.places import (
    LARGE,
    PACKED_AT_MOST,
    place,
    printable,
    require_file,
    shown,
)
from pipeline.errors import ConfigError, DataError
from pipeline.settings import Ingest

NAMES = {
    "all": (("images", "labels"), ("x", "y")),
    "train": (("train_images", "train_labels"), ("x_train", "y_train")),
    "validation": (
        ("validation_images", "validation_labels"),
        ("x_val", "y_val"),
        ("x_valid", "y_valid"),
    ),
    "test": (("test_images", "test_labels"), ("x_test", "y_test")),
}
KNOWN = {name for choices in NAMES.values() for pair in choices for name in pair} | {"classes"}


class Arrays:
    """`images` and `labels`, or `x_train`, `y_train`, `x_test`, `y_test`: .npz, or .npy files.

    Images are uint8 `(N, H, W)` or `(N, H, W, C)` with 1, 3 or 4 channels, the fourth of them
    opacity. Labels are whole numbers or words, `(N,)`, or 0 and 1, `(N, classes)`, where a picture
    may show several classes or none; the classes are those seen, sorted, unless
    `ingest.classes` or an array `classes` lists them. Images are read a picture at a time.
    """

    def __init__(self, settings: Ingest) -> None:
        if settings.path is None:
            raise ConfigError("ingest.path: arrays needs the path of an .npz file or .npy folder")
        self.path = place(settings.path)
        self.wanted = list(settings.classes or ())
        self.max_pixels = settings.max_pixels

    def files(self) -> Iterator[tuple[str, Path]]:
        """Name the .npz file, or the .npy files."""
        if not self._is_folder():
            yield self.path.name, self.path
            return
        for file in self._arrays():
            yield file.name, file

    def catalog(self) -> Catalog:
        """Read all labels, and the headers of the images; objects are never unpickled."""
        members = self._members()
        parts: dict[str, tuple[str, NDArray[np.generic]]] = {}
        for part, choices in NAMES.items():
            for images, labels in choices:
                if self._both(images, labels, members):
                    if part in parts:
                        raise DataError(
                            f"{self.path}: {parts[part][0]} and {images} are two sets for one split"
                        )
                    parts[part] = images, self._checked_labels(images, labels)
        if not {"all", "train"} & set(parts) or {"all", "train"} <= set(parts):
            raise DataError(
                f"{self.path}: expected images and labels, or x_train and y_train; "
                f"it holds {', '.join(sorted(members)) or 'no array'}"
            )
        self._require_one_shape([images for images, _ in parts.values()])
        said = {part: pair[1] for part, pair in parts.items()}
        names = self.wanted or (self._listed_classes() if "classes" in members else [])
        several = [labels.ndim == 2 for labels in said.values()]
        if any(several) and not all(several):
            raise DataError(f"{self.path}: labels of one split are (N,), of another (N, classes)")
        classes, numbers = self._numbers(said, names, all(several))
        return Catalog(
            printable(self.path.stem),
            classes,
            self._pictures({part: pair[0] for part, pair in parts.items()}, numbers),
            count=sum(map(len, numbers.values())),
            pixels=True,
            multi_label=all(several),
            passed_over=[
                Remark(printable(name), "an array that is not read")
                for name in sorted(set(members) - KNOWN)
            ],
        )

    def _numbers(
        self, said: dict[str, NDArray[np.generic]], names: list[str], several: bool
    ) -> tuple[list[str], dict[str, Sequence[Label]]]:
        """The classes, and the label of each picture by split."""
        if several:
            classes, sets = flagged(said, names, self.path)
            return classes, dict(sets)
        classes, numbers = numbered(said, names, self.path)
        return classes, {part: labels.tolist() for part, labels in numbers.items()}

    def _both(self, images: str, labels: str, members: list[str]) -> bool:
        """Tell whether a split is there; raises `DataError` where it is by half."""
        if (images in members) != (labels in members):
            there, gone = (images, labels) if images in members else (labels, images)
            raise DataError(f"{self.path}: has {there}, but no {gone}")
        return images in members

    def _is_folder(self) -> bool:
        if os.path.isdir(self.path):  # noqa: PTH112  # Path's own raises where it may not look
            return True
        require_file(self.path, "ingest.path names an .npz file or a folder of .npy files")
        return False

    def _arrays(self) -> list[Path]:
        return sorted(file for file in self.path.glob("*.npy") if file.is_file())

    def _members(self) -> list[str]:
        if self._is_folder():
            return [file.stem for file in self._arrays()]
        with self._sound("it"), zipfile.ZipFile(self.path) as archive:
            for info in archive.infolist():
                if info.file_size > max(LARGE, PACKED_AT_MOST * info.compress_size):
                    raise DataError(
                        f"{self.path}: {shown(info.filename)} unpacks to {info.file_size:,} bytes "
                        f"from {info.compress_size:,}: refused as a zip bomb; save it with "
                        f"np.savez"
                    )
            names = archive.namelist()
            return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]

    @contextmanager
    def _sound(self, name: str) -> Iterator[None]:
        """Take what goes wrong in here for the file's fault.

        Zip files, what unpacks them, and NumPy's headers raise whatever they run into.
        """
        try:
            yield
        except DataError:
            raise
        except Exception as error:
            what = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"{self.path}: {name} cannot be read: {shown(what)}") from error

    @contextmanager
    def _open(self, name: str) -> Iterator[tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]]:
        """Open an array; the stream stands at the first byte behind its header."""
        with self._sound(name):
            if self._is_folder():
                path = self.path / f"{name}.npy"
                with path.open("rb") as stream:
                    yield stream, *self._header(stream, name, path.stat().st_size)
            else:
                with zipfile.ZipFile(self.path) as archive:
                    size = archive.getinfo(f"{name}.npy").file_size
                    with archive.open(f"{name}.npy") as stream:
                        yield stream, *self._header(stream, name, size)

    def _header(
        self, stream: IO[bytes], name: str, size: int
    ) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Read shape and type, and believe them only as far as there are bytes."""
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(stream)
        if dtype.hasobject:
            raise DataError(
                f"{self.path}: {name} holds Python objects, which are not loaded; save plain arrays"
            )
        if fortran and len(shape) > 1:
            raise DataError(
                f"{self.path}: {name} is in Fortran order; save np.ascontiguousarray of it"
            )
        announced = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or announced > max(LARGE, size):
            raise DataError(
                f"{self.path}: the header of {name} announces {dtype} {shape}, {announced:,} "
                f"bytes; the file has {size:,}"
            )
        return shape, dtype

    def _whole(self, name: str) -> NDArray[np.generic]:
        """Read a small array: labels, class names."""
        with self._open(name) as (stream, shape, dtype):
            content = _exactly(stream, math.prod(shape) * dtype.itemsize)
            return np.frombuffer(content, dtype).reshape(shape)

    def _listed_classes(self) -> list[str]:
        listed = self._whole("classes")
        if listed.ndim != 1 or listed.dtype.kind not in "iuU":
            raise DataError(
                f"{self.path}: classes is {listed.dtype} {listed.shape}; expected words, (classes,)"
            )
        with self._sound("classes"):
            return [str(name) for name in listed]

    def _checked_labels(self, images: str, labels: str) -> NDArray[np.generic]:
        with self._open(images) as (_, shape, dtype):
            pass
        if dtype != np.uint8 or len(shape) not in (3, 4) or shape[3:] not in ((), (1,), (3,), (4,)):
            raise DataError(
                f"{self.path}: {images} is {dtype} {shape}; expected uint8 (N, H, W) or "
                f"(N, H, W, C) with 1, 3 or 4 channels and values 0..255"
            )
        if not 0 < shape[1] * shape[2] <= self.max_pixels:
            raise DataError(
                f"{self.path}: {images} is {shape}; a picture has at least one pixel and at most "
                f"ingest.max_pixels ({self.max_pixels:,})"
            )
        found = self._whole(labels)
        several = found.ndim == 2 and found.shape[1] > 1 and found.dtype.kind in "iub"
        one = found.ndim == 1 and found.dtype.kind in "iuU"
        if found.shape[:1] != shape[:1] or not (one or several):
            raise DataError(
                f"{self.path}: {labels} is {found.dtype} {found.shape}; expected "
                f"({shape[0]},) whole numbers or words, one for each of {images}, or 0 and 1, "
                f"({shape[0]}, classes)"
            )
        return found

    def _require_one_shape(self, names: list[str]) -> None:
        shapes = {}
        for name in names:
            with self._open(name) as (_, (_, height, width, *channels), _):
                shapes[name] = (height, width, *(channels or (1,)))
        if len(set(shapes.values())) > 1:
            said = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise DataError(f"{self.path}: pictures of several shapes: {said}")

    def _pictures(
        self, images: dict[str, str], labels: dict[str, Sequence[Label]]
    ) -> Iterator[Found | Remark]:
        for part, name in images.items():
            split = None if part == "all" else part
            with self._open(name) as (stream, shape, _):
                for row, label in enumerate(labels[part]):
                    content = _exactly(stream, math.prod(shape[1:]))
                    pixels = np.frombuffer(content, np.uint8).reshape(shape[1:])
                    yield Found(f"{name}[{row}]", label, pixels, split)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise EOFError(f"{size - len(content)} bytes are missing")
    return content
