"""Several labels a picture beside one: what has to be told apart, told apart in one place.

Labels are class numbers `(N,)`, or 0 and 1 `(N, classes)` where a picture may show several
classes, or none.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources import Label, Labels


def several(labels: Labels) -> bool:
    """Tell whether pictures of such labels may show several classes."""
    return labels.ndim == 2


def showing(labels: Labels, number: int) -> NDArray[np.bool_]:
    """Which pictures show a class, `(N,)`."""
    found: NDArray[np.bool_] = labels[:, number] > 0 if several(labels) else labels == number
    return found


def counted(labels: Labels, classes: int) -> NDArray[np.int64]:
    """Pictures that show each class, `(classes,)`."""
    if several(labels):
        return np.asarray(labels.sum(axis=0, dtype=np.int64))
    return np.bincount(labels, minlength=classes).astype(np.int64)


def contradict(labels: Labels, rows: Sequence[int]) -> bool:
    """Tell whether some pictures differ in what they are said to show."""
    return bool((labels[rows] != labels[rows[0]]).any())


def numbers(label: Label) -> tuple[int, ...]:
    """The classes of one picture."""
    return (label,) if isinstance(label, int) else label


def named(label: Any, names: Sequence[str]) -> str:
    """What one picture is said to show: a row of labels in words."""
    if np.ndim(label) == 0:
        return names[int(label)]
    return " and ".join(names[number] for number in np.flatnonzero(label).tolist()) or "no class"
