"""How much of each activation an integer file keeps: signal to noise, operation by operation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.measure.arena import activations
from pipeline.measure.flatbuffer import load, macs_of, real
from pipeline.measure.forms import Form, forms
from pipeline.measure.tflite import Graph, Operator
from pipeline.measure.watched import Watched

CLEAN_DB = 90.0  # more is not told apart: float32 itself carries no more through a deep network
_ENDS = {"SOFTMAX", "LOGISTIC"}
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Twin:
    """One operation of the float original, and what it computes in, in the file made of it.

    `number` is its place in the original's order of execution, from 0; `name` that of the tensor
    it gives, in both files; `macs` its multiply-accumulates.
    """

    number: int
    code: str
    name: str
    form: Form
    macs: int


@dataclass(frozen=True)
class Signal(Twin):
    """How much of what it gives is left in the file made of the original.

    `snr_db` is signal to noise in decibels, 0 to `CLEAN_DB`; `rounding_db` what it would be if
    nothing but this output were rounded, None where it is not.
    `weights_lost` is the share of its kernel's weights that become zero; None without a kernel.
    """

    snr_db: float
    rounding_db: float | None
    weights_lost: float | None


@dataclass
class _Tally:
    """Sums over pictures and places, a number a channel: signal, noise, and noise of rounding."""

    signal: Values
    noise: Values
    rounding: Values

    @classmethod
    def of(cls, channels: int) -> "_Tally":
        return cls(np.zeros(channels), np.zeros(channels), np.zeros(channels))


def twins(original: Path, file: Path) -> tuple[Twin, ...]:
    """The operations on activations that both files have, in the order of the float original.

    Raises:
        IntegrityError: one is no .tflite file.
    """
    return tuple(twin for twin, _, _ in _paired(load(original)[1], load(file)[1]))


def signals(original: Path, file: Path, images: np.ndarray) -> tuple[Signal, ...]:
    """Compare what each operation of two files gives, for the pictures uint8 `(N, H, W, C)`.

    `original` computes in float32, `file` was made of it by rounding and has the same names.
    Signal to noise of a channel (the last axis) is the sum of squares by that of the squared
    differences, over pictures and places; that of a tensor is the mean over its channels, in
    decibels: in one sum a wild channel would drown those that it ruins. Channels that are dark in
    every picture are left out. Both files run on LiteRT's own kernels, without XNNPACK, which
    keeps no tensor in between.

    Raises:
        IntegrityError: one is no .tflite file.
    """
    graph, other = load(original)[1], load(file)[1]
    paired = _paired(graph, other)
    tallies = _tallied(
        Watched(original), Watched(file), [twin.name for twin, _, _ in paired], images
    )
    rows = []
    for twin, ours, theirs in paired:
        tally = tallies[twin.name]
        rounding = _snr_db(tally.signal, tally.rounding)
        rows.append(
            Signal(
                **vars(twin),
                snr_db=_snr_db(tally.signal, tally.noise),
                rounding_db=rounding if tally.rounding.any() else None,
                weights_lost=_lost(graph, ours, other, theirs),
            )
        )
    return tuple(rows)


class Answers:
    """What a float file answers for some pictures uint8 `(N, H, W, C)`, to hold others against.

    The answer is what the last softmax or sigmoid reads, where the file ends with one: behind it
    all that is sure looks alike.
    """

    def __init__(self, original: Path, images: np.ndarray) -> None:
        graph = load(original)[1]
        last = [one for one in graph.operators if one.outputs][-1]
        index = last.inputs[0] if last.code in _ENDS else last.outputs[0]
        self._name, self._images = graph.tensors[index].name, images
        self._real = self._of(original)

    def snr_db(self, file: Path) -> float:
        """Signal to noise of the answers of a file made of the original, as for `signals`."""
        stored = self._of(file)
        noise = np.square(self._real - stored).sum(axis=0)
        return _snr_db(np.square(self._real).sum(axis=0), noise)

    def _of(self, path: Path) -> Values:
        watched, names = Watched(path), [self._name]
        rows = [watched.run(image, names)[self._name].ravel() for image in self._images]
        return np.asarray(rows, np.float64)


def _paired(graph: Graph, other: Graph) -> list[tuple[Twin, Operator, Operator]]:
    """Operations on activations of the original, and of the other file those of the same names."""
    living, places, found = activations(graph), _by_name(other), forms(other)
    rows = []
    for number, ours in enumerate(graph.operators):
        if not ours.outputs or ours.outputs[0] not in living:
            continue
        name = graph.tensors[ours.outputs[0]].name
        if (place := places.get(name)) is not None:
            twin = Twin(number, ours.code, name, found[place], macs_of(ours, graph))
            rows.append((twin, ours, other.operators[place]))
    return rows


def _tallied(
    original: Watched, file: Watched, names: list[str], images: np.ndarray
) -> dict[str, _Tally]:
    found: dict[str, _Tally] = {}
    limits = np.iinfo(np.int8)
    for image in images:
        real, stored = original.run(image, names), file.run(image, names)
        for name in names:
            ours, theirs = real[name], stored[name]
            channels = ours.shape[-1] if ours.ndim else 1
            tally = found.setdefault(name, _Tally.of(channels))
            tally.signal += _squares(ours, channels)
            tally.noise += _squares(ours - theirs, channels)
            if grid := file.grid(name):
                scale, zero = grid
                rounded = np.clip(np.rint(ours / scale) + zero, limits.min, limits.max)
                tally.rounding += _squares(ours - (rounded - zero) * scale, channels)
    return found


def _squares(values: np.ndarray, channels: int) -> Values:
    return np.asarray(np.square(values).reshape(-1, channels).sum(axis=0))


def _snr_db(signal: Values, noise: Values) -> float:
    alive = signal > 0
    if not alive.any():
        return CLEAN_DB
    share = np.maximum(noise[alive] / signal[alive], 1e-12)
    return float(np.clip(-10 * np.log10(share), 0, CLEAN_DB).mean())


def _by_name(graph: Graph) -> dict[str, int]:
    """The place of the operation that computes each tensor; not where it is only made float."""
    makers = {index: number for number, one in enumerate(graph.operators) for index in one.outputs}
    found = {}
    for index, number in makers.items():
        operator = graph.operators[number]
        widened = operator.code == "DEQUANTIZE"
        place = makers.get(operator.inputs[0], number) if widened else number
        found[graph.tensors[index].name] = place
    return found


def _lost(graph: Graph, operator: Operator, other: Graph, twin: Operator) -> float | None:
    """The share of nonzero weights of a kernel that its integer twin stores as zero."""
    if len(operator.inputs) < 2 or len(twin.inputs) < 2:
        return None
    ours, theirs = graph.tensors[operator.inputs[1]], other.tensors[twin.inputs[1]]
    if not (ours.constant and theirs.constant) or len(ours.shape) < 2 or ours.shape != theirs.shape:
        return None
    weights = real(ours)
    alive = weights != 0
    return float((real(theirs)[alive] == 0).mean()) if alive.any() else 0.0
