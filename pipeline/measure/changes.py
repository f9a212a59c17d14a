"""Changes: on which pictures, and of which classes, a model answers otherwise than another."""

from dataclasses import dataclass

import numpy as np

from pipeline.measure.statistics import answers, right


@dataclass(frozen=True)
class Change:
    """What a model gains and loses against another of the `pictures` that show one class.

    `gained` counts those that it alone recognises, `lost` those that the other alone does;
    `drop_pp` is the recall lost, in percentage points, None of a class that no picture shows.
    """

    pictures: int
    gained: int
    lost: int
    drop_pp: float | None


def changes(own: np.ndarray, reference: np.ndarray, labels: np.ndarray) -> tuple[Change, ...]:
    """Compare two models class by class on the same pictures.

    `own` and `reference` are probabilities float `(N, classes)`, `labels` int64 `(N,)`, or 0 and 1
    `(N, classes)` where a picture may show several classes: then a class is recognised or not
    whatever is said of the others.
    """
    several = labels.ndim == 2
    if several:
        shown = labels > 0
        found, found_before = (answers(one, several) > 0 for one in (own, reference))
    else:
        shown = np.eye(own.shape[1], dtype=bool)[labels]
        found, found_before = (right(one, labels)[:, np.newaxis] for one in (own, reference))
    gained = (shown & found & ~found_before).sum(axis=0).tolist()
    lost = (shown & ~found & found_before).sum(axis=0).tolist()
    return tuple(
        Change(count, more, less, 100 * (less - more) / count if count else None)
        for count, more, less in zip(shown.sum(axis=0).tolist(), gained, lost, strict=True)
    )


def confusion_change(own: np.ndarray, reference: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The confusion matrix of a model less that of another, int64 `(classes, classes)`.

    Rows are true classes `labels` int64 `(N,)`, columns what was said; arguments as for `changes`.
    """
    difference = np.zeros((own.shape[1],) * 2, np.int64)
    np.add.at(difference, (labels, answers(own)), 1)
    np.subtract.at(difference, (labels, answers(reference)), 1)
    return difference
