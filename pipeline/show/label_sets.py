"""Sheets of pictures that may show several classes: what was missed, what was seen too much."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.show.canvas import MUTED, ORANGE, drawn
from pipeline.show.choosing import THRESHOLD, surest_wrong
from pipeline.show.names import class_labels, cut
from pipeline.show.pictures import (
    Caption,
    Images,
    Labels,
    Probabilities,
    contact_sheet_of,
    nothing_to_show,
    of,
)

_LONGEST = 24  # characters of a line under a picture


@drawn
def wrong_sets(
    images: Images,
    labels: Labels,
    probabilities: Probabilities,
    classes: Sequence[str],
    count: int = 24,
) -> Figure:
    """Pictures with a class missed or one too many, the most confident mistake first.

    `images` uint8 `(N, H, W, C)`, `labels` `(N, K)` 0 and 1, `probabilities` `(N, K)`.
    """
    wrong = (probabilities >= THRESHOLD) != (labels > 0)
    rows = surest_wrong(labels, probabilities)
    chosen = rows[:count]
    title = "Wrong, the surest first"
    if not len(chosen):
        return nothing_to_show(title, f"Of {len(labels):,} pictures, every class was read right.")
    names = class_labels(classes, limit=12)
    captions = [_mistakes(wrong[row], labels[row], names) for row in chosen]
    subtitle = (
        f"{of(len(chosen), len(rows))} pictures with a mistake: the classes missed, and those that "
        f"are not there."
    )
    return contact_sheet_of(title, subtitle, images[chosen], captions)


def _mistakes(wrong: NDArray[np.bool_], labels: Labels, names: Sequence[str]) -> Caption:
    missed = _listed(wrong & (labels > 0), names)
    spurious = _listed(wrong & (labels == 0), names)
    lines = [f"missed {missed}"] * bool(missed) + [f"spurious {spurious}"] * bool(spurious)
    first, second = (*lines, "")[:2]
    return Caption(cut(first, _LONGEST), cut(second, _LONGEST), ORANGE)


def _listed(chosen: NDArray[np.bool_], names: Sequence[str]) -> str:
    return ", ".join(names[number] for number in np.flatnonzero(chosen).tolist())


@drawn
def least_sure_sets(
    images: Images,
    labels: Labels,
    probabilities: Probabilities,
    classes: Sequence[str],
    count: int = 24,
) -> Figure:
    """Pictures with every class right, one of them only just; arrays as in `wrong_sets`."""
    right = ((probabilities >= THRESHOLD) == (labels > 0)).all(axis=1)
    margins = np.abs(probabilities - THRESHOLD)
    rows = np.flatnonzero(right)
    chosen = rows[np.argsort(margins.min(axis=1)[rows], kind="stable")][:count]
    title = "Right, but only just"
    if not len(chosen):
        return nothing_to_show(title, "Not one picture was read right.")
    names = class_labels(classes, limit=12)
    captions = []
    for row in chosen:
        nearest = int(margins[row].argmin())
        shown = cut(_listed(labels[row] > 0, names) or "none", _LONGEST)
        share = f"{100 * probabilities[row, nearest]:.0f} %"
        captions.append(Caption(shown, f"{names[nearest]}: {share}", MUTED))
    subtitle = (
        "Every class read right: what they show, and the class whose probability came nearest "
        "to 50 %."
    )
    return contact_sheet_of(title, subtitle, images[chosen], captions)
