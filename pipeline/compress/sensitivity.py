"""How much each layer minds zeros: accuracy against sparsity, one layer at a time, untrained.

Source: Han, Pool, Tran, Dally, "Learning both weights and connections for efficient neural
networks", 2015, fig. 6.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt

import keras
import numpy as np

from pipeline.compress.kernels import kernel, prunable
from pipeline.compress.patterns import UNSTRUCTURED, Pattern
from pipeline.progress import bar, say
from pipeline.stop import STOP

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
HALVINGS = 50  # of the range of drops in which the one that gives a wished sparsity is looked for


@dataclass(frozen=True)
class LayerCurve:
    """A layer's name, its kernel's weights, and the accuracy at each level, 0..1."""

    name: str
    weights: int
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Sensitivity:
    """The accuracy of a model as it is, and with each layer alone pruned to each of `levels`.

    It was taken on so many `pictures`.
    """

    pictures: int
    accuracy: float
    levels: tuple[float, ...]
    layers: tuple[LayerCurve, ...]

    @property
    def noise(self) -> float:
        """The drop, 0..1, that tells nothing: a standard error of the accuracy, or one picture."""
        error = sqrt(self.accuracy * (1 - self.accuracy) / self.pictures)
        return max(error, 1 / self.pictures)

    def highest(self, layer: LayerCurve, drop: float) -> float:
        """The sparsity up to which a layer costs at most `drop`, 0..1, of accuracy.

        Between levels the drop is taken to grow along a line, and never to shrink: an accuracy
        that rises again has done so by chance.
        """
        drops = [0.0, *(self.accuracy - found for found in layer.accuracy)]
        grown, levels = list(accumulate(drops, max)), (0.0, *self.levels)
        over = next((n for n, found in enumerate(grown) if found > drop), None)
        if over is None:
            return levels[-1]
        share = (drop - grown[over - 1]) / (grown[over] - grown[over - 1])
        return levels[over - 1] + share * (levels[over] - levels[over - 1])


def scan(
    model: keras.Model,
    judge: Callable[[], float],
    pictures: int,
    pattern: Pattern = UNSTRUCTURED,
    whole: Sequence[str] = (),
) -> Sensitivity:
    """Prune one layer of a Keras 3 model at a time, at once, and judge; nothing is trained.

    `judge` gives the accuracy of `model` as it is when called, on so many `pictures`. Of m:n there
    is one level, its own. The weights are put back afterwards, bit for bit. Layers named in `whole`
    are left out.
    """
    levels = LEVELS if pattern.share is None else (pattern.share,)
    layers = prunable(model, whole)
    shares = ", ".join(f"{100 * level:g}" for level in levels)
    say(f"  sensitivity: {len(layers)} layers, one at a time, at {shares} % zeros")
    accuracy = judge()
    curves = []
    with bar() as shown, STOP.deferred():
        task = shown.add_task("sensitivity", total=len(layers), note="")
        for name, layer in layers.items():
            shown.update(task, note=name)
            curves.append(_curve(name, kernel(layer), judge, pattern, levels))
            shown.advance(task)
    return Sensitivity(pictures, accuracy, levels, tuple(curves))


def _curve(
    name: str,
    variable: keras.Variable,
    judge: Callable[[], float],
    pattern: Pattern,
    levels: Sequence[float],
) -> LayerCurve:
    weights = np.array(variable)
    found = []
    try:
        for level in levels:
            variable.assign(weights * pattern.mask(weights, level))
            found.append(judge())
            STOP.heed()
    finally:
        variable.assign(weights)
    return LayerCurve(name, weights.size, tuple(found))


def allocation(found: Sensitivity, names: Sequence[str], wished: float) -> dict[str, float]:
    """Give layers sparsities that cost each about the same, and are `wished`, 0..1, over all.

    Every layer takes the highest sparsity at which its own drop is within one and the same bound,
    or a part of the way there, where the bound just below gives too little and this one too much.
    The first bound is what tells nothing, `noise`; below it all take the same part of theirs.
    More than the highest level of the scan, no layer takes. Rising wishes give each layer rising
    sparsities.
    """
    curves = [curve for curve in found.layers if curve.name in names]
    weights = np.array([curve.weights for curve in curves])

    def within(drop: float) -> np.ndarray:
        return np.array([found.highest(curve, drop) for curve in curves])

    def overall(sparsities: np.ndarray) -> float:
        return float(weights @ sparsities / weights.sum())

    lower, upper = np.zeros(len(curves)), within(found.noise)
    if overall(upper) < wished:
        low, high = found.noise, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if overall(within(middle)) >= wished else (middle, high)
        lower, upper = within(low), within(high)
    gap = overall(upper) - overall(lower)  # a layer's curve may be level there
    part = min(1.0, (wished - overall(lower)) / gap) if gap > 0 else 1.0
    shares = lower + part * (upper - lower)
    return {curve.name: float(share) for curve, share in zip(curves, shares, strict=True)}


def as_facts(found: Sensitivity, pattern: str) -> Mapping[str, object]:
    """What `sensitivity.json` holds."""
    layers = [
        {"name": curve.name, "weights": curve.weights, "accuracy": list(curve.accuracy)}
        for curve in found.layers
    ]
    return {
        "pictures": found.pictures,
        "pattern": pattern,
        "accuracy": found.accuracy,
        "levels": list(found.levels),
        "layers": layers,
    }
