"""Pictures that float32 reads right and a file does not: what shrinking cost, seen."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.show.canvas import ORANGE, drawn
from pipeline.show.choosing import THRESHOLD
from pipeline.show.names import class_labels, cut, drawable
from pipeline.show.pictures import (
    Caption,
    Images,
    Labels,
    Probabilities,
    contact_sheet_of,
    of,
)

MOST = 12
_NAME = 24  # characters of the file's name


@drawn
def changed_pictures(
    images: Images,
    labels: Labels,
    probabilities: tuple[Probabilities, Probabilities],
    classes: Sequence[str],
    name: str = "int8",
    count: int = MOST,
) -> Figure | None:
    """Pictures lost by the file `name`, its surest mistake first; None where there is none.

    `images` uint8 `(N, H, W, C)`; `labels` `(N,)`, or 0 and 1 `(N, K)` where a picture may show
    several classes; `probabilities` `(N, K)` of float32 and of the file. Under a picture stands
    what float32 said, the truth, and what the file says, each with its probability.
    """
    reference, own = probabilities
    before, now = (_wrong(said, labels) for said in probabilities)
    lost = np.flatnonzero(now.any(axis=1) & ~before.any(axis=1))
    gained = int((before.any(axis=1) & ~now.any(axis=1)).sum())
    if not len(lost):
        return None
    sure = np.abs(own - (THRESHOLD if labels.ndim == 2 else 0.0)) * now
    chosen = lost[np.argsort(-sure.max(axis=1)[lost], kind="stable")][:count]
    names = class_labels(classes, limit=13)
    caption = _caption_of_sets if labels.ndim == 2 else _caption
    captions = [caption(reference[row], own[row], now[row], names) for row in chosen]
    subtitle = (
        f"{of(len(chosen), len(lost))} test pictures read right by float32 and not by "
        f"{drawable(cut(name, _NAME))}, the surest first: what float32 says → what it says. The "
        f"other way round: {gained:,}."
    )
    return contact_sheet_of("Lost on the way", subtitle, images[chosen], captions)


def _wrong(said: Probabilities, labels: Labels) -> NDArray[np.bool_]:
    """Which classes of each picture a model is wrong to name or, of several, to leave out.

    `(N, K)`; of one label a picture that is its top class, where another is true.
    """
    if labels.ndim == 2:
        return np.asarray((said >= THRESHOLD) != (labels > 0))
    top = np.eye(said.shape[1], dtype=bool)[said.argmax(axis=1)]
    return np.asarray(top & (said.argmax(axis=1) != labels)[:, np.newaxis])


def _caption(
    reference: Probabilities, own: Probabilities, _: NDArray[np.bool_], names: Sequence[str]
) -> Caption:
    right, answer = int(reference.argmax()), int(own.argmax())
    return Caption(
        f"{names[right]}, {_percent(reference[right])} →",
        f"{names[answer]}, {_percent(own[answer])}",
        ORANGE,
    )


def _caption_of_sets(
    reference: Probabilities, own: Probabilities, wrong: NDArray[np.bool_], names: Sequence[str]
) -> Caption:
    """Of the classes that the file is wrong about, the one it is most wrong about."""
    worst = int(np.where(wrong, np.abs(own - THRESHOLD), -1).argmax())  # it may be 0.5 itself
    fault = "spurious" if own[worst] >= THRESHOLD else "missed"
    more = int(wrong.sum()) - 1
    first = f"{fault} {names[worst]}" + (f" +{more}" if more else "")
    return Caption(first, f"{_percent(reference[worst])} → {_percent(own[worst])}", ORANGE)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
