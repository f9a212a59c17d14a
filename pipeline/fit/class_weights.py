"""How much an error on each class weighs in the loss."""

import numpy as np

from pipeline.data.sources import Labels


def class_weights(kind: str, labels: Labels, classes: int) -> dict[int, float] | None:
    """Weigh classes for the loss: None for `none`; for `balanced`, each class alike in sum.

    A class of n_c among n training pictures of c classes weighs n / (c n_c), so pictures weigh 1 on
    average. A class without a picture counts as none, and weighs 1 where it should come up.

    Source: King and Zeng, 2001, Logistic Regression in Rare Events Data; scikit-learn's `balanced`.
    """
    if kind == "none":
        return None
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return {
        number: len(labels) / (present * int(count)) if count else 1.0
        for number, count in enumerate(counts)
    }
