"""How close a file's answers are to those of the model it was made from."""

from dataclasses import dataclass

import numpy as np

TIE = 1.5  # steps of the output's scale: of two classes nearer to each other, either may come first


@dataclass(frozen=True)
class Closeness:
    """Answers to the same pictures beside each other.

    `rms` is the root mean square of their differences over the standard deviation of the model's
    answers. `ties` counts pictures whose first two classes are nearer than `TIE` steps; they are
    left out of `agreement`, the share of the others with the same first class (1 where there is
    none).
    """

    pictures: int
    rms: float
    ties: int
    agreement: float


def closeness(model: np.ndarray, file: np.ndarray, step: float) -> Closeness:
    """Compare answers `(N, classes)`, logits or probabilities, of a model and of its file.

    `step` is the scale of the file's output: the difference of two neighbouring values.
    """
    spread = float(model.std())
    rms = float(np.sqrt(np.mean((model - file) ** 2)))
    first_two = np.sort(model, axis=1)[:, -2:]
    clear = first_two[:, 1] - first_two[:, 0] > TIE * step
    same = model.argmax(axis=1) == file.argmax(axis=1)
    return Closeness(
        pictures=len(model),
        rms=rms / spread if spread else rms,
        ties=int((~clear).sum()),
        agreement=float(same[clear].mean()) if clear.any() else 1.0,
    )
