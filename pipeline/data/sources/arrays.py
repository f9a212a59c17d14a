"""Arrays: pictures that are numbers already, in one .npz file."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources import Pictures
from pipeline.errors import ConfigError, DataError
from pipeline.settings import Ingest

NAMES = {
    "all": (("images", "labels"), ("x", "y")),
    "train": (("train_images", "train_labels"), ("x_train", "y_train")),
    "validation": (("validation_images", "validation_labels"), ("x_val", "y_val")),
    "test": (("test_images", "test_labels"), ("x_test", "y_test")),
}


class Arrays:
    """An .npz of `images` and `labels`, or of `x_train`, `y_train`, `x_test`, `y_test`.

    Images are uint8 `(N, H, W)` or `(N, H, W, C)` with one or three channels. Labels are whole
    numbers or words, `(N,)`; the classes are those seen, sorted, unless `classes` lists them.
    """

    def __init__(self, settings: Ingest) -> None:
        if settings.path is None:
            raise ConfigError("ingest.path: arrays needs the path of an .npz file")
        self.path = settings.path.expanduser()
        self.names = list(settings.classes or ())

    def files(self) -> list[Path]:
        """List the file."""
        if not self.path.is_file():
            raise DataError(f"{self.path}: no such file")
        return [self.path]

    def load(self) -> Pictures:
        """Read it; objects are never unpickled."""
        content = self._read()
        found: dict[str, tuple[NDArray[np.uint8], NDArray[np.generic]]] = {}
        for part, choices in NAMES.items():
            for images, labels in choices:
                if images in content and labels in content:
                    found[part] = self._pair(content, images, labels)
        if not {"all", "train"} & set(found) or {"all", "train"} <= set(found):
            raise DataError(
                f"{self.path}: expected images and labels, or x_train and y_train; "
                f"it holds {', '.join(sorted(content)) or 'nothing'}"
            )
        names = self.names or [str(name) for name in content.get("classes", ())]
        classes, numbers = _number_labels(
            {part: pair[1] for part, pair in found.items()}, names, self.path
        )
        parts = {part: (found[part][0], numbers[part]) for part in found}
        return Pictures(self.path.stem, classes, parts)

    def _read(self) -> dict[str, NDArray[np.generic]]:
        try:
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except ValueError as error:
            if "allow_pickle" in str(error):
                raise DataError(
                    f"{self.path}: holds Python objects, which are not loaded; save plain arrays"
                ) from error
            raise DataError(f"{self.path}: cannot be read: {error}") from error
        except (
            OSError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
            AttributeError,
            TypeError,
        ) as error:
            raise DataError(f"{self.path}: not a whole .npz file: {error}") from error

    def _pair(
        self, content: dict[str, NDArray[np.generic]], images_name: str, labels_name: str
    ) -> tuple[NDArray[np.uint8], NDArray[np.generic]]:
        images, labels = content[images_name], content[labels_name]
        if images.ndim == 3:
            images = images[..., None]
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
            raise DataError(
                f"{self.path}: {images_name} is {images.dtype} {images.shape}; expected uint8 "
                f"(N, H, W), (N, H, W, 1) or (N, H, W, 3) with values 0..255"
            )
        if labels.shape != (len(images),) or labels.dtype.kind not in "iuU":
            raise DataError(
                f"{self.path}: {labels_name} is {labels.dtype} {labels.shape}; expected "
                f"({len(images)},) whole numbers or words, one for each of {images_name}"
            )
        return images.view(np.uint8), labels


def _number_labels(
    labels: dict[str, NDArray[np.generic]], names: list[str], path: Path
) -> tuple[list[str], dict[str, NDArray[np.int64]]]:
    """Turn labels into indices of `names`, or of the values seen where no names are given."""
    seen = np.unique(np.concatenate(list(labels.values())))
    if seen.dtype.kind == "U" or not names:
        classes = names or [str(value) for value in seen]
        index = {name: number for number, name in enumerate(classes)}
        unknown = [str(value) for value in seen if str(value) not in index]
        if unknown:
            raise DataError(f"{path}: label {unknown[0]!r} is none of the classes named")
        table = np.array([index[str(value)] for value in seen], np.int64)
        return classes, {
            part: table[np.searchsorted(seen, values)] for part, values in labels.items()
        }
    if len(seen) and not 0 <= int(seen[0]) <= int(seen[-1]) < len(names):
        raise DataError(f"{path}: labels {seen[0]}..{seen[-1]}, but {len(names)} classes are named")
    return names, {part: values.astype(np.int64) for part, values in labels.items()}
