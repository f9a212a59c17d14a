"""Labels as sources have them, numbers or words, to numbers of classes."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources.places import printable, shown
from pipeline.errors import DataError


def numbered(
    labels: Mapping[str, NDArray[Any]], names: list[str], path: Path
) -> tuple[list[str], dict[str, NDArray[np.int64]]]:
    """Turn labels into indices of `names`, or of the values seen where no names are given.

    Raises:
        DataError: a label is empty, no text, or none of the classes named.
    """
    names = [printable(name) for name in names]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: class {shown(twice)!r} is named twice")
    found = {part: np.unique(values, return_inverse=True) for part, values in labels.items()}
    if all(values.dtype.kind in "iu" for values in labels.values()):
        numbers = {part: seen.tolist() for part, (seen, _) in found.items()}
        classes, index = _of_numbers(set().union(*numbers.values()), names, path)
        tables = {part: [index[number] for number in seen] for part, seen in numbers.items()}
    else:
        words = {part: _words(seen, path) for part, (seen, _) in found.items()}
        classes, places = _of_words(set().union(*words.values()), names, path)
        tables = {part: [places[word] for word in seen] for part, seen in words.items()}
    return classes, {
        part: np.array(tables[part], np.int64)[rows] for part, (_, rows) in found.items()
    }


def flagged(
    labels: Mapping[str, NDArray[Any]], names: list[str], path: Path
) -> tuple[list[str], dict[str, list[tuple[int, ...]]]]:
    """Turn labels of 0 and 1, `(N, classes)`, into numbers of the classes each picture shows.

    Raises:
        DataError: a label is neither, or there are not as many columns as names.
    """
    columns = {values.shape[1] for values in labels.values()}
    names = [printable(name) for name in names] or [str(number) for number in range(max(columns))]
    for part, values in labels.items():
        if values.dtype.kind not in "iub" or ((values != 0) & (values != 1)).any():
            raise DataError(
                f"{path}: labels of {part} are {values.dtype} {values.shape}; those of several "
                f"classes a picture are 0 and 1, (N, classes)"
            )
        if values.shape[1] != len(names):
            raise DataError(
                f"{path}: labels of {part} have {values.shape[1]} columns, but there are "
                f"{len(names)} classes"
            )
    return names, {
        part: [tuple(np.flatnonzero(row).tolist()) for row in values]
        for part, values in labels.items()
    }


def _of_numbers(
    seen: Iterable[int], names: list[str], path: Path
) -> tuple[list[str], dict[int, int]]:
    ordered = sorted(seen)
    if not names:
        return list(map(str, ordered)), {value: row for row, value in enumerate(ordered)}
    if ordered and not 0 <= ordered[0] <= ordered[-1] < len(names):
        raise DataError(
            f"{path}: labels {ordered[0]}..{ordered[-1]}, but {len(names)} classes are named"
        )
    return names, {row: row for row in range(len(names))}


def _of_words(
    seen: Iterable[str], names: list[str], path: Path
) -> tuple[list[str], dict[str, int]]:
    classes = names or sorted(seen)
    index = {name: number for number, name in enumerate(classes)}
    for word in sorted(seen):
        if word not in index:
            raise DataError(f"{path}: label {shown(word)!r} is none of the classes named")
    return classes, index


def _words(values: NDArray[np.generic], path: Path) -> list[str]:
    if values.dtype.kind == "U":
        native = values.astype(values.dtype.newbyteorder("="))
        if native.view(np.uint32).max(initial=0) > sys.maxunicode:
            raise DataError(f"{path}: a label is no text: it has numbers beyond Unicode")
    try:
        words = [printable(str(value)) for value in values]
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: a label is no text: {error}") from error
    if "" in words:
        raise DataError(f"{path}: a label is empty; name every class, or leave its pictures out")
    return words
