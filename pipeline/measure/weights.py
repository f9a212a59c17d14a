"""The weights of two .tflite files of one network side by side, kernel by kernel."""

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from pipeline.measure.flatbuffer import load, real
from pipeline.measure.tflite import Graph, Operator, Tensor

BINS = 61  # odd, so that zero has a bin of its own where the ends are alike
_PLACES = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1}


@dataclass(frozen=True)
class KernelSpread:
    """How the weights of a kernel are spread in two files, in `BINS` from `-limit` to `limit`.

    `title` says which it is: `CONV_2D #3, 3×3, 32 → 64`, of the second file.
    """

    title: str
    limit: float
    before: tuple[int, ...]
    after: tuple[int, ...]


def kernel_spreads(reference: Path, file: Path, most: int) -> tuple[KernelSpread, ...]:
    """Compare the kernels of two files, in the order of operations; the `most` largest.

    Nothing where the files have not the same operations with kernels: it is another network.
    Weights are real numbers, scales applied.

    Raises:
        IntegrityError: one is no .tflite file.
    """
    ours, theirs = (_kernels(load(path)[1]) for path in (reference, file))
    if [code for code, _, _ in ours] != [code for code, _, _ in theirs]:
        return ()
    pairs = list(zip(ours, theirs, strict=True))
    ranked = sorted(range(len(pairs)), key=lambda n: -prod(pairs[n][0][2].shape))[:most]
    found = []
    for number in sorted(ranked):
        (_, _, before), (code, place, after) = pairs[number]
        values = real(before), real(after)
        limit = max(1e-9, *(float(np.abs(one).max(initial=0)) for one in values))
        counts = [
            np.histogram(np.clip(one, -limit, limit), BINS, (-limit, limit))[0] for one in values
        ]
        title = f"{code} #{place}, {_shape(code, after.shape)}"
        found.append(KernelSpread(title, limit, *(tuple(map(int, one)) for one in counts)))
    return tuple(found)


def _kernels(graph: Graph) -> list[tuple[str, int, Tensor]]:
    """Code, place and kernel of each operation that has one in the file."""
    widened = _widened(graph)
    found = []
    for place, one in enumerate(graph.operators):
        if one.code in _PLACES:
            index = one.inputs[_PLACES[one.code]]
            tensor = graph.tensors[widened.get(index, index)]
            if tensor.constant and not tensor.sparse:
                found.append((one.code, place, tensor))
    return found


def _widened(graph: Graph) -> dict[int, int]:
    """Tensors that are made float from constants, as float16 weights are, and those constants."""

    def is_constant(one: Operator) -> bool:
        return one.code == "DEQUANTIZE" and graph.tensors[one.inputs[0]].constant

    return {one.outputs[0]: one.inputs[0] for one in graph.operators if is_constant(one)}


def _shape(code: str, shape: tuple[int, ...]) -> str:
    if code == "FULLY_CONNECTED":
        return f"{shape[1]} → {shape[0]}"
    kernel = "×".join(map(str, shape[1:3]))
    if code == "DEPTHWISE_CONV_2D":
        return f"{kernel}, {shape[3]}"
    return f"{kernel}, {shape[3]} → {shape[0]}"
