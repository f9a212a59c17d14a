"""A data set as ingest leaves it: memory-mapped arrays and a page of facts."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from pipeline.data.sources import Images, Labels

FACTS = "dataset.json"


def write_split(
    folder: Path, split: str, labels: Labels, shape: tuple[int, ...], pictures: Iterable[bytes]
) -> None:
    """Write `<split>_labels.npy` and, a picture at a time, `<split>_images.npy`.

    `pictures` yields the bytes of uint8 `shape` (H, W, C), one for each of `labels`.
    """
    np.save(folder / f"{split}_labels.npy", labels)
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(labels), *shape)}
    with (folder / f"{split}_images.npy").open("wb", buffering=1 << 20) as stream:
        npy.write_array_header_1_0(stream, header)
        for picture in pictures:
            stream.write(picture)


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Write `dataset.json`: name, classes, shape, and counts of the splits."""
    (folder / FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")


def facts(folder: Path) -> dict[str, Any]:
    """Read name, classes, shape `[H, W, C]` and the number of pictures in each split.

    `multi_label` is there, and true, where a picture may show none of the classes or several.
    """
    known: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return known


def training_split(folder: Path) -> tuple[Images, Labels]:
    """Map the train split: images `(N, H, W, C)` uint8, labels int64 `(N,)`.

    Of several labels a picture they are uint8 `(N, classes)`, 1 for each class it shows.
    """
    return _split(folder, "train")


def validation_split(folder: Path) -> tuple[Images, Labels]:
    """Map the validation split, on which every choice is made."""
    return _split(folder, "validation")


def test_split(folder: Path) -> tuple[Images, Labels]:
    """Map the test split: for `evaluate` and `benchmark` alone (a test holds this)."""
    return _split(folder, "test")


def training_sample(folder: Path, count: int, seed: int) -> Images:
    """Draw up to so many training pictures without replacement, `(n, H, W, C)` uint8."""
    return labelled_sample(folder, count, seed)[0]


def labelled_sample(folder: Path, count: int, seed: int) -> tuple[Images, Labels]:
    """Draw what `training_sample` draws, with the labels `(n,)`."""
    images, labels = training_split(folder)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(images))[:count])
    return np.asarray(images[chosen]), labels[chosen]


def _split(folder: Path, split: str) -> tuple[Images, Labels]:
    images = np.load(folder / f"{split}_images.npy", mmap_mode="r", allow_pickle=False)
    return images, np.load(folder / f"{split}_labels.npy", allow_pickle=False)
