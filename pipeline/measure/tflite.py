"""A .tflite file as typed records: tensors, operators, signatures, checked against each other."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pipeline.errors import IntegrityError

# What the generated reader throws when offsets, lengths or union types are nonsense.
_READER_ERRORS = (struct.error, ValueError, TypeError, AttributeError, IndexError, OverflowError)
_IDENTIFIER = b"TFL3"
# A type that is missing here (string, resource, variant) has no fixed size.
_TYPES_BY_BITS = {
    128: ("complex128",),
    64: ("float64", "int64", "uint64", "complex64"),
    32: ("float32", "int32", "uint32"),
    16: ("float16", "bfloat16", "int16", "uint16"),
    8: ("int8", "uint8", "bool", "float8_e4m3fn", "float8_e5m2"),
    4: ("int4", "uint4"),
    2: ("int2",),
}
_BITS = {dtype: bits for bits, dtypes in _TYPES_BY_BITS.items() for dtype in dtypes}


def _names(enumeration: type) -> dict[int, str]:
    return {code: name for name, code in vars(enumeration).items() if isinstance(code, int)}


_TYPES = {code: name.lower() for code, name in _names(schema.TensorType).items()}
_OPERATORS = _names(schema.BuiltinOperator)


@dataclass(frozen=True)
class Tensor:
    """One tensor of a graph; `data` holds its bytes (uint8, flat), none unless it is constant.

    `scale` (float32) and `zero_point` (int64) are empty, or hold one value for the tensor or one
    for each channel along `axis`; then real = scale * (stored - zero_point).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int
    sparse: bool
    variable: bool

    @property
    def constant(self) -> bool:
        """Whether its values stand in the file."""
        return len(self.data) > 0

    @property
    def elements(self) -> int:
        """Number of elements, 1 for a scalar."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes in memory; elements narrower than a byte are packed; 0 if of no fixed size."""
        return (self.elements * _BITS.get(self.dtype, 0) + 7) // 8


@dataclass(frozen=True)
class Operator:
    """One operation; operands are tensor indices, -1 stands for an optional one left out.

    `custom`: it is none of TensorFlow Lite's own, and `code` is what its maker calls it.
    """

    code: str
    custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True)
class Signature:
    """A named entry point and the names its operands go by."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """The first subgraph of a file, which is what `invoke` runs, in execution order.

    `description` and `metadata` (names, and their bytes) are of the file, `subgraphs` its number.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    signatures: tuple[Signature, ...]
    description: str
    metadata: Mapping[str, bytes]
    subgraphs: int


def read_graph(blob: bytes, where: str) -> Graph:
    """Turn the bytes of a .tflite file into a graph whose indices and sizes hold together.

    `where` names the file in messages.

    Raises:
        IntegrityError: the bytes are not a .tflite file, or are damaged.

    Source: schema.fbs of TensorFlow Lite, version 3.
    """
    if blob[4:8] != _IDENTIFIER:
        raise IntegrityError(f"{where}: not a .tflite file (its mark TFL3 is missing)")
    try:
        model = schema.ModelT.InitFromPackedBuf(blob)
        return _graph(model, blob)
    except _READER_ERRORS as error:
        # Our own checks and numpy's raise ValueError in words; the rest is the reader's innards.
        detail = str(error) if type(error) is ValueError else "its tables do not hold together"
        raise IntegrityError(
            f"{where}: damaged .tflite file ({detail}); fetch or export it again"
        ) from error


def _graph(model: Any, blob: bytes) -> Graph:
    """Walk the generated reader's objects; whatever does not fit raises ValueError."""
    main = model.subgraphs[0]
    buffers = [_bytes(buffer, blob) for buffer in model.buffers]
    tensors = tuple(_tensor(tensor, buffers) for tensor in main.tensors)
    codes = [_code(code) for code in model.operatorCodes]
    operators = tuple(_operator(op, codes, len(tensors)) for op in _items(main.operators))
    return Graph(
        tensors,
        operators,
        _indices(main.inputs, len(tensors)),
        _indices(main.outputs, len(tensors)),
        tuple(_signature(signature) for signature in _items(model.signatureDefs)),
        _text(model.description),
        {_text(one.name): _item(buffers, one.buffer).tobytes() for one in _items(model.metadata)},
        len(model.subgraphs),
    )


def _bytes(buffer: Any, blob: bytes) -> np.ndarray:
    """The bytes of a buffer, often none; models above 2 GB keep them behind the tables."""
    if buffer.offset > 1:
        return np.frombuffer(blob, np.uint8, buffer.size, buffer.offset)
    return np.asarray(_items(buffer.data), np.uint8)


def _tensor(tensor: Any, buffers: list[np.ndarray]) -> Tensor:
    quantization = tensor.quantization
    record = Tensor(
        name=_text(tensor.name),
        shape=tuple(int(size) for size in _items(tensor.shape)),
        dtype=_TYPES.get(tensor.type, f"type {tensor.type}"),
        data=_item(buffers, tensor.buffer),
        scale=np.array(_items(quantization and quantization.scale), np.float32),
        zero_point=np.array(_items(quantization and quantization.zeroPoint), np.int64),
        axis=quantization.quantizedDimension if quantization else 0,
        sparse=tensor.sparsity is not None,
        variable=bool(tensor.isVariable),
    )
    if any(size < 0 for size in record.shape):
        raise ValueError(f"tensor {record.name!r} has shape {record.shape}")
    if record.sparse:
        _same(f"bytes of {record.name!r}", len(record.data), min(len(record.data), record.bytes))
    elif record.constant and record.dtype in _BITS:
        _same(f"bytes of {record.name!r}", len(record.data), record.bytes)
    if len(record.zero_point) > 1:
        _same(f"zero points of {record.name!r}", len(record.zero_point), len(record.scale))
    if len(record.scale) > 1:
        _same(f"scales of {record.name!r}", len(record.scale), _item(record.shape, record.axis))
    return record


def _operator(op: Any, codes: list[tuple[str, bool]], tensors: int) -> Operator:
    code, custom = _item(codes, op.opcodeIndex)
    return Operator(
        code,
        custom,
        _indices(op.inputs, tensors, optional=True),
        _indices(op.outputs, tensors, optional=True),
        op.builtinOptions,
    )


def _code(code: Any) -> tuple[str, bool]:
    """The name of an operation, and whether it is one of somebody's own."""
    # Files older than schema 3a hold the operator in the narrow field only; the wider one is 0.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _OPERATORS.get(number, f"operator {number}")
    return (_text(code.customCode), True) if name == "CUSTOM" else (name, False)


def _signature(signature: Any) -> Signature:
    return Signature(
        _text(signature.signatureKey),
        tuple(_text(operand.name) for operand in _items(signature.inputs)),
        tuple(_text(operand.name) for operand in _items(signature.outputs)),
    )


def _text(name: bytes | None) -> str:
    return (name or b"").decode("utf-8", errors="replace")


def _items(vector: Any) -> Any:
    return () if vector is None else vector


def _item(sequence: Any, index: int) -> Any:
    if not 0 <= index < len(sequence):
        raise ValueError(f"index {index} points outside {len(sequence)} entries")
    return sequence[index]


def _indices(vector: Any, tensors: int, optional: bool = False) -> tuple[int, ...]:
    indices = tuple(int(index) for index in _items(vector))
    lowest = -1 if optional else 0
    if any(not lowest <= index < tensors for index in indices):
        raise ValueError(f"operands {indices} point outside {tensors} tensors")
    return indices


def _same(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise ValueError(f"{what}: {found} stored, {expected} expected")
