"""Read a .tflite file: its size, weights, multiply-accumulates, number forms and memory."""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from pipeline.errors import IntegrityError
from pipeline.measure.arena import arena_bytes
from pipeline.measure.forms import NARROW, forms
from pipeline.measure.tflite import Graph, Operator, Signature, Tensor, read_graph

_FLOATS = {"float64", "float32", "float16", "bfloat16"}


@dataclass(frozen=True)
class Port:
    """An input or output of a file; `scale` is 0.0 where numbers are stored as they are."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Weights:
    """One constant tensor of weights and how many of its elements stand for zero."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    elements: int
    zeros: int


@dataclass(frozen=True)
class FileFacts:
    """What a .tflite file says about itself, nothing of it executed.

    `params` counts the elements of every constant an operation reads that stands for real numbers
    (floats, narrow integers, wide integers that have a scale) and has at least one axis: kernels,
    biases, unfolded normalization. Axes, shapes, paddings and scalars of a formula are no weights,
    nor is a bias of nothing but zeros: the converter makes one for a layer that has none, and
    drops, shares or repeats it as the format asks. Weights that two operations share count once.
    `ops` counts operations on activations, conversions left out: "int8" where activations in and
    out are 8-bit integers, "float32" where activations are float32 and weights are floats, "other"
    for all else (16-bit activations, indices, float32 activations that meet integer weights:
    dynamic range). `bytes`, `gzip_bytes` (level 9) and `arena_bytes` are bytes; `macs` is for one
    inference.
    """

    sha256: str
    bytes: int
    gzip_bytes: int
    params: int
    nonzero_params: int
    macs: int
    ops: dict[str, int]
    arena_bytes: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    signatures: tuple[Signature, ...]
    weights: tuple[Weights, ...]


def inspect(path: Path) -> FileFacts:
    """Facts of the .tflite file at `path`, of its first subgraph where it has several.

    Raises:
        IntegrityError: it cannot be read, is not a .tflite file, or is damaged.
    """
    return facts_of(path, *load(path))


def load(path: Path) -> tuple[bytes, Graph]:
    """The bytes of the .tflite file at `path`, and its graph; raises as `inspect`."""
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read ({error.strerror})") from error
    return blob, read_graph(blob, str(path))


def facts_of(path: Path, blob: bytes, graph: Graph) -> FileFacts:
    """Facts of a .tflite file that was read already; raises as `inspect`."""
    try:
        weights = _all_weights(graph)
        macs = sum(macs_of(operator, graph) for operator in graph.operators)
    except ValueError as error:
        raise IntegrityError(f"{path}: damaged .tflite file ({error})") from error
    params = sum(tensor.elements for tensor in weights)
    return FileFacts(
        sha256=hashlib.sha256(blob).hexdigest(),
        bytes=len(blob),
        gzip_bytes=len(gzip.compress(blob, 9, mtime=0)),
        params=params,
        nonzero_params=params - sum(tensor.zeros for tensor in weights),
        macs=macs,
        ops=_counts(graph),
        arena_bytes=arena_bytes(graph),
        inputs=tuple(_port(graph.tensors[index]) for index in graph.inputs),
        outputs=tuple(_port(graph.tensors[index]) for index in graph.outputs),
        signatures=graph.signatures,
        weights=weights,
    )


def constants(path: Path) -> Iterator[np.ndarray]:
    """Yield the kernels of the .tflite file at `path` in the order of its operators, each once.

    They are constants of two axes or more, in the layouts of TensorFlow Lite, as stored but less
    their zero point: what stands for zero is 0, and scales are left out.

    Raises:
        IntegrityError: as `inspect`.
    """
    _, graph = load(path)
    read = (index for operator in graph.operators for index in operator.inputs if index >= 0)
    for index in dict.fromkeys(read):
        tensor = graph.tensors[index]
        if _is_weights(tensor) and len(tensor.shape) > 1 and not tensor.sparse:
            stored = _stored(tensor)
            yield stored.astype(np.int32) - _zero(tensor) if tensor.zero_point.any() else stored


def real(tensor: Tensor) -> np.ndarray:
    """The real numbers that a dense constant stands for, float64 in its shape."""
    stored = _stored(tensor).astype(np.float64)
    if not len(tensor.scale):
        return stored
    along = [1] * len(tensor.shape)
    if len(tensor.scale) > 1:
        along[tensor.axis] = -1
    return np.asarray((stored - _zero(tensor)) * tensor.scale.astype(np.float64).reshape(along))


def _port(tensor: Tensor) -> Port:
    scale = float(tensor.scale[0]) if len(tensor.scale) else 0.0
    zero_point = int(tensor.zero_point[0]) if len(tensor.zero_point) else 0
    return Port(tensor.name, tensor.shape, tensor.dtype, scale, zero_point)


def _all_weights(graph: Graph) -> tuple[Weights, ...]:
    """What counts as weights, see `FileFacts`: each tensor once, in the order of the file."""
    read = {index for operator in graph.operators for index in operator.inputs if index >= 0}
    tensors = [graph.tensors[index] for index in sorted(read)]
    counted = [_weights(tensor) for tensor in tensors if _is_weights(tensor)]
    return tuple(found for found in counted if len(found.shape) > 1 or found.zeros < found.elements)


def _is_weights(tensor: Tensor) -> bool:
    scaled = tensor.dtype in {"int32", "int64"} and len(tensor.scale) > 0
    real = tensor.dtype in _FLOATS | NARROW or scaled
    return tensor.constant and real and len(tensor.shape) > 0


def _weights(tensor: Tensor) -> Weights:
    """Count the elements whose stored value is the zero point (of their channel).

    A sparse tensor stores some of its elements; those left out are zero.
    """
    nonzero = int(np.count_nonzero(_stored(tensor) != _zero(tensor)))
    elements = tensor.elements
    return Weights(tensor.name, tensor.shape, tensor.dtype, elements, elements - nonzero)


def _zero(tensor: Tensor) -> np.ndarray | int:
    """The stored number that stands for zero; an array where each channel has its own."""
    if len(tensor.zero_point) == 1 or tensor.sparse:
        return int(tensor.zero_point[0]) if len(tensor.zero_point) else 0
    if len(tensor.zero_point):
        along = [1] * len(tensor.shape)
        along[tensor.axis] = -1
        return tensor.zero_point.reshape(along)
    return 0


def _stored(tensor: Tensor) -> np.ndarray:
    """The stored numbers of a constant: in its shape, or flat where it is sparse."""
    if tensor.dtype in ("int4", "uint4", "int2"):
        values = _unpacked(tensor.data, tensor.dtype)
    elif tensor.dtype == "bfloat16":
        values = (tensor.data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    else:
        values = tensor.data.view(tensor.dtype)
    return values if tensor.sparse else values[: tensor.elements].reshape(tensor.shape)


def _unpacked(data: np.ndarray, dtype: str) -> np.ndarray:
    """Numbers narrower than a byte, lowest bits first, as int8."""
    bits = int(dtype[-1])
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    fields = (data[:, np.newaxis] >> shifts).ravel() & np.uint8(2**bits - 1)
    if dtype.startswith("u"):
        return fields.astype(np.int8)
    sign = np.int8(2 ** (bits - 1))
    return (fields.astype(np.int8) ^ sign) - sign


def macs_of(operator: Operator, graph: Graph) -> int:
    """Multiply-accumulates of one operation; taps over padding count, as is the custom.

    Source: kernel layouts of TensorFlow Lite: CONV_2D `(out, kh, kw, in per group)`,
    DEPTHWISE_CONV_2D `(1, kh, kw, out)`, TRANSPOSE_CONV `(out, kh, kw, in)` where each input
    element meets every tap of every output channel, FULLY_CONNECTED `(out, in)`.
    """

    def shape(operands: tuple[int, ...], position: int, rank: int) -> tuple[int, ...]:
        found: tuple[int, ...] = ()
        if position < len(operands) and operands[position] >= 0:
            found = graph.tensors[operands[position]].shape
        if len(found) < rank:
            raise ValueError(f"{operator.code} has an operand of shape {found}")
        return found

    inputs, outputs = operator.inputs, operator.outputs
    match operator.code:
        case "CONV_2D":
            return prod(shape(outputs, 0, 4)) * prod(shape(inputs, 1, 4)[1:])
        case "DEPTHWISE_CONV_2D":
            return prod(shape(outputs, 0, 4)) * prod(shape(inputs, 1, 4)[1:3])
        case "TRANSPOSE_CONV":
            return prod(shape(inputs, 2, 4)) * prod(shape(inputs, 1, 4)[:3])
        case "FULLY_CONNECTED":
            return prod(shape(outputs, 0, 1)) * shape(inputs, 1, 2)[1]
        case "BATCH_MATMUL":
            transposed = getattr(operator.options, "adjX", False)
            return prod(shape(outputs, 0, 2)) * shape(inputs, 0, 2)[-2 if transposed else -1]
    return 0


def _counts(graph: Graph) -> dict[str, int]:
    """How many operations compute in which number form; see `FileFacts`."""
    counts = {"int8": 0, "float32": 0, "other": 0}
    for form in forms(graph):
        if form not in {"conversion", "constants"}:
            counts[form if form in counts else "other"] += 1
    return counts
