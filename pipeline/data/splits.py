"""Splits: train, validation and test, each class in each, the same for the same seed."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources import Images, Labels, Pictures
from pipeline.errors import DataError
from pipeline.settings import Ingest

Splits = dict[str, tuple[Images, Labels]]


def split(pictures: Pictures, settings: Ingest) -> Splits:
    """Make the three splits; one the source has given is taken as it is.

    Raises:
        DataError: a class has too few pictures to be in every split, or there is one class only.
    """
    if len(pictures.classes) < 2:
        raise DataError(f"{pictures.name}: one class only ({pictures.classes}); two are needed")
    parts = dict(pictures.parts)
    if "all" in parts:
        parts["train"], parts["test"] = _cut(
            parts.pop("all"), settings.test, settings.seed, pictures
        )
    elif "test" not in parts:
        parts["train"], parts["test"] = _cut(parts["train"], settings.test, settings.seed, pictures)
    if "validation" not in parts:
        parts["train"], parts["validation"] = _cut(
            parts["train"], settings.validation, settings.seed + 1, pictures
        )
    if settings.limit is not None:
        parts = _limited(parts, settings.limit, settings.seed)
    _require_every_class(parts, pictures)
    return {name: parts[name] for name in ("train", "validation", "test")}


def stratified(labels: Labels, share: float, seed: int) -> NDArray[np.int64]:
    """Choose `share` of the indices of each class, at least one, in rising order."""
    random = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = max(1, round(share * len(members)))
        chosen.append(random.permutation(members)[:count])
    return np.sort(np.concatenate(chosen))


def _cut(
    part: tuple[Images, Labels], share: float, seed: int, pictures: Pictures
) -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    images, labels = part
    counts = np.bincount(labels, minlength=len(pictures.classes))
    if counts.min() < 2:
        name = pictures.classes[int(counts.argmin())]
        raise DataError(
            f"{pictures.name}: class {name!r} has {counts.min()} pictures, too few to be split"
        )
    away = stratified(labels, share, seed)
    kept = np.setdiff1d(np.arange(len(labels)), away, assume_unique=True)
    return (images[kept], labels[kept]), (images[away], labels[away])


def _limited(parts: Mapping[str, tuple[Images, Labels]], limit: int, seed: int) -> Splits:
    """Take the same stratified share of every split, so that `limit` training pictures stay."""
    share = min(1.0, limit / len(parts["train"][1]))
    chosen = {name: stratified(labels, share, seed + 2) for name, (_, labels) in parts.items()}
    return {name: (parts[name][0][rows], parts[name][1][rows]) for name, rows in chosen.items()}


def _require_every_class(parts: Splits, pictures: Pictures) -> None:
    for name, (_, labels) in parts.items():
        counts = np.bincount(labels, minlength=len(pictures.classes))
        if counts.min() == 0:
            absent = pictures.classes[int(counts.argmin())]
            raise DataError(f"{pictures.name}: no picture of class {absent!r} in the {name} split")
