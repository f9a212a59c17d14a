"""How much an error on each class weighs in the loss."""

import numpy as np
from numpy.typing import NDArray

from pipeline.data.several import several
from pipeline.data.sources import Labels


def class_weights(kind: str, labels: Labels, classes: int) -> dict[int, float] | None:
    """Weigh classes for the loss: None for `none`; for `balanced`, each class alike in sum.

    A class of n_c among n training pictures of c classes weighs n / (c n_c), so pictures weigh 1 on
    average. A class without a picture counts as none, and weighs 1 where it should come up. None
    too for labels of several classes a picture: those have `label_weights`.

    Source: King and Zeng, 2001, Logistic Regression in Rare Events Data; scikit-learn's `balanced`.
    """
    if kind == "none" or several(labels):
        return None
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return {
        number: len(labels) / (present * int(count)) if count else 1.0
        for number, count in enumerate(counts)
    }


def label_weights(kind: str, labels: Labels) -> NDArray[np.float32] | None:
    """Weigh answers where a picture may show several classes, `labels` `(N, classes)`.

    Returns `(2, classes)`, what absence and presence of each class weigh; None for `none`. With
    `balanced`, both weigh alike in sum over the training pictures and 1 on average: of n pictures,
    m with the class, n / 2m where it is and n / 2(n - m) where it is not. Presence being rare, the
    outputs then lie above the shares in which classes come up.

    Source: as above, each class a question of two answers.
    """
    if kind == "none" or not several(labels):
        return None
    present = labels.sum(axis=0, dtype=np.int64)
    counts = np.stack([len(labels) - present, present])
    weights = len(labels) / (2 * np.maximum(counts, 1))
    return np.where(counts.min(axis=0) > 0, weights, 1.0).astype(np.float32)
