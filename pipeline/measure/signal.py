"""How much of each activation an integer file keeps: signal to noise, operation by operation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from pipeline.measure.arena import activations
from pipeline.measure.flatbuffer import load, macs_of, real
from pipeline.measure.forms import Form, forms
from pipeline.measure.tflite import Graph, Operator

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
        _Watched(original), _Watched(file), [twin.name for twin, _, _ in paired], images
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
        watched, names = _Watched(path), [self._name]
        rows = [watched.run(image, names)[self._name].ravel() for image in self._images]
        return np.asarray(rows, np.float64)


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

    The edges span the float32 values of all pictures; arguments as for `signals`.
    """
    real, stored = _Watched(original), _Watched(file)
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


class _Watched:
    """A loaded file all of whose tensors can be looked at after a picture."""

    def __init__(self, path: Path) -> None:
        self._interpreter = Interpreter(
            str(path),
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self.known = {one["name"]: one for one in self._interpreter.get_tensor_details()}

    def run(self, image: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
        """What the named tensors hold for a picture uint8 `(H, W, C)`, as real numbers."""
        dtype, zero = self._input["dtype"], self._input["quantization"][1]
        pixels = image[np.newaxis].astype(np.int16) + (zero if dtype == np.int8 else 0)
        self._interpreter.set_tensor(self._input["index"], pixels.astype(dtype))
        self._interpreter.invoke()
        return {name: self._real(self.known[name]) for name in names}

    def grid(self, name: str) -> tuple[float, int] | None:
        """Scale and zero point of a tensor, if it holds integers."""
        scale, zero_point = self.known[name]["quantization"]
        return (scale, zero_point) if scale else None

    def _real(self, tensor: Mapping[str, Any]) -> np.ndarray:
        stored: np.ndarray = self._interpreter.get_tensor(tensor["index"])
        scale, zero_point = tensor["quantization"]
        return (stored.astype(np.float64) - zero_point) * scale if scale else stored.astype(float)


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
    original: _Watched, file: _Watched, names: list[str], images: np.ndarray
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
