"""What a model costs with some of its channels gone, without building it."""

from collections.abc import Sequence
from math import prod
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.compress.channels.group import Masks
from pipeline.compress.channels.ties import Labels
from pipeline.compress.channels.trace import Trace
from pipeline.errors import ConfigError

Measure = Literal["macs", "bytes"]


class Size:
    """Multiply-accumulates a picture, or bytes of weights, as a function of channels kept.

    A weight's axis shrinks by the same number with each channel of a group, so its length is a
    base and, for each group, a width times the channels kept.

    Raises:
        ConfigError: another measure; `macs` of a model whose layers multiply nothing by kernels, or
            pictures of no fixed size.
    """

    def __init__(self, traced: Trace, measure: Measure) -> None:
        if measure not in get_args(Measure):
            known = ", ".join(get_args(Measure))
            raise ConfigError(f"slim: size in {measure!r} is not known; known: {known}")
        if measure == "macs" and traced.open:
            raise ConfigError(
                f"slim: the macs of model '{traced.model.name}' are not known: "
                f"'{traced.open[0]}' takes pictures of no fixed size"
            )
        places = {id(weight.variable): k for k, weight in enumerate(traced.weights)}
        followed = list(traced.axes)
        row = {key: k for k, key in enumerate(followed)}
        self._owner = np.array([places[key] for key, _ in followed], int)
        self._width = np.zeros((len(followed), len(traced.groups)), np.int64)
        for column, group in enumerate(traced.groups):
            for one in group.slices:
                key = id(one.weight.variable), one.axis
                self._width[row[key], column] = one.places.shape[1]
        self.channels: Labels = np.array([group.channels for group in traced.groups], np.int64)
        lengths = np.array([len(traced.axes[key]) for key in followed], np.int64)
        self._base = lengths - self._width @ self.channels
        sides = [
            [n for axis, n in enumerate(w.variable.shape) if (id(w.variable), axis) not in row]
            for w in traced.weights
        ]
        self._rest = np.array([prod(own) for own in sides], np.int64)
        self._each = np.array(_costs(traced, measure), np.int64)
        self.whole = self.of(self.channels)
        if self.whole == 0:
            raise ConfigError(
                f"slim: the {measure} of model '{traced.model.name}' are 0: it has no kernels"
            )

    def of(self, kept: Labels) -> int:
        """The size with so many channels of each group kept, int64 `(groups,)`."""
        elements = self._rest.copy()
        np.multiply.at(elements, self._owner, self._base + self._width @ kept)
        return int(elements @ self._each)

    def of_masks(self, masks: Masks) -> int:
        """The size with these channels kept."""
        return self.of(np.array([mask.sum() for mask in masks], np.int64))

    def of_each(self) -> NDArray[np.float64]:
        """What one channel of each group costs in the whole model, `(groups,)`."""
        one_less = self.channels - np.eye(len(self.channels), dtype=np.int64)
        return np.array([float(self.whole - self.of(kept)) for kept in one_less])


def _costs(traced: Trace, measure: Measure) -> Sequence[int]:
    """What an element of each weight costs."""
    if measure == "macs":
        return [weight.macs for weight in traced.weights]
    return [np.dtype(weight.variable.dtype).itemsize for weight in traced.weights]
