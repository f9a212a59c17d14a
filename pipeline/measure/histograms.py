"""How the values of tensors are spread, in a float file and in the integer file made of it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.measure.watched import Watched


class Histogram:
    """How often values fall between `edges`, in float and as the integers stand for them."""

    def __init__(self, lowest: float, highest: float, bins: int) -> None:
        self.edges = np.linspace(lowest, highest, bins + 1)
        self.float32, self.stored = np.zeros(bins, np.int64), np.zeros(bins, np.int64)

    def add(self, real: np.ndarray, stored: np.ndarray) -> None:
        """Count two arrays; what lies outside counts at the end it is next to."""
        self.float32 += self._counted(real)
        self.stored += self._counted(stored)

    def _counted(self, values: np.ndarray) -> NDArray[np.int64]:
        return np.histogram(np.clip(values, self.edges[0], self.edges[-1]), self.edges)[0]

    def facts(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "lowest": float(self.edges[0]),
            "highest": float(self.edges[-1]),
            "float32": self.float32.tolist(),
            "stored": self.stored.tolist(),
        }


def histograms(
    original: Path, file: Path, names: list[str], images: np.ndarray, bins: int = 60
) -> dict[str, Histogram]:
    """How the values of some tensors are spread in both files, over the pictures.

    The edges span the float32 values of all pictures; arguments as for
    `pipeline.measure.signal.signals`.
    """
    real, stored = Watched(original), Watched(file)
    bounds: dict[str, tuple[float, float]] = {}
    for image in images:
        for name, values in real.run(image, names).items():
            low, high = bounds.get(name, (np.inf, -np.inf))
            bounds[name] = min(low, float(values.min())), max(high, float(values.max()))
    found = {
        name: Histogram(low, high if high > low else low + 1, bins)
        for name, (low, high) in bounds.items()
    }
    for image in images:
        ours, theirs = real.run(image, names), stored.run(image, names)
        for name, histogram in found.items():
            histogram.add(ours[name], theirs[name])
    return found
