"""A data set as ingest leaves it: memory-mapped arrays and a page of facts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.sources import Images, Labels

FACTS = "dataset.json"


def write(
    folder: Path, name: str, classes: list[str], splits: Mapping[str, tuple[Images, Labels]]
) -> None:
    """Write `{train,validation,test}_{images,labels}.npy` and `dataset.json`."""
    for split, (images, labels) in splits.items():
        np.save(folder / f"{split}_images.npy", images)
        np.save(folder / f"{split}_labels.npy", labels)
    counts = {split: len(labels) for split, (_, labels) in splits.items()}
    shape = list(splits["train"][0].shape[1:])
    facts = {"name": name, "classes": classes, "shape": shape, **counts, "quarantined": 0}
    (folder / FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")


def facts(folder: Path) -> dict[str, Any]:
    """Read name, classes, shape `[H, W, C]` and the number of pictures in each split."""
    known: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return known


def training_split(folder: Path) -> tuple[Images, Labels]:
    """Map the train split: images `(N, H, W, C)` uint8, labels `(N,)` int64."""
    return _split(folder, "train")


def validation_split(folder: Path) -> tuple[Images, Labels]:
    """Map the validation split, on which every choice is made."""
    return _split(folder, "validation")


def test_split(folder: Path) -> tuple[Images, Labels]:
    """Map the test split: for `evaluate` and `benchmark` alone (a test holds this)."""
    return _split(folder, "test")


def training_sample(folder: Path, count: int, seed: int) -> Images:
    """Draw up to so many training pictures without replacement, `(n, H, W, C)` uint8."""
    images, _ = training_split(folder)
    chosen = np.random.default_rng(seed).permutation(len(images))[:count]
    return np.asarray(images[np.sort(chosen)])


def _split(folder: Path, split: str) -> tuple[Images, Labels]:
    images = np.load(folder / f"{split}_images.npy", mmap_mode="r", allow_pickle=False)
    return images, np.load(folder / f"{split}_labels.npy", allow_pickle=False)
