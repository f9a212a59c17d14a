"""In which form of numbers each operation of a .tflite file computes, and so the file."""

from collections.abc import Sequence
from typing import Literal

from pipeline.measure.arena import activations
from pipeline.measure.tflite import Graph, Operator

Form = Literal[
    "int8", "int16x8", "float32", "dynamic", "other", "indices", "conversion", "constants"
]
FileForm = Literal["int8", "int16x8", "float32", "float16", "dynamic", "mixed", "none"]
NARROW = {"int16", "int8", "uint8", "int4", "uint4", "int2"}
COMPUTES_NOTHING = {"indices", "conversion", "constants"}
_OF_SHAPES = {"SHAPE", "RANK"}  # whatever the numbers are
_INDICES = {"int32", "int64", "bool"}
_EIGHT_BITS = {"int8", "uint8"}
# These carry numbers from one form to another.
_CONVERSIONS = {"QUANTIZE", "DEQUANTIZE", "CAST", "DENSIFY"}


def forms(graph: Graph) -> tuple[Form, ...]:
    """The form of each operation, in their order.

    int8: activations in and out are 8-bit integers; int16x8: some of 16 bits; float32: activations
    float32, weights floats; dynamic: activations float32 that meet integer weights; conversion:
    numbers are carried from one form to another; constants: it sees no activation, as where
    float16 weights are widened; indices: it reckons with shapes and places alone; other: all else.
    """
    living = activations(graph)
    return tuple(_form(operator, graph, living) for operator in graph.operators)


def _form(operator: Operator, graph: Graph, living: set[int]) -> Form:
    operands = {index for index in operator.inputs + operator.outputs if index >= 0}
    if living.isdisjoint(operands):
        return "constants"
    if operator.code in _CONVERSIONS:
        return "conversion"
    moving = {graph.tensors[index].dtype for index in operands & living} - _INDICES
    if not moving or operator.code in _OF_SHAPES:
        return "indices"
    return _of_types(moving, {graph.tensors[index].dtype for index in operands - living})


def _of_types(moving: set[str], fixed: set[str]) -> Form:
    """The form by the types of activations and of constants."""
    if moving <= _EIGHT_BITS:
        return "int8"
    if "int16" in moving and moving <= {"int16", *_EIGHT_BITS}:
        return "int16x8"
    if moving == {"float32"}:
        return "float32" if fixed.isdisjoint(NARROW) else "dynamic"
    return "other"


def file_form(graph: Graph, found: Sequence[Form]) -> FileForm:
    """What a file computes in, all of it; `mixed` where its operations do not agree.

    float16 is a matter of storage: it computes in float32.
    """
    computing = set(found) - COMPUTES_NOTHING
    if not computing:
        return "none"
    if computing == {"int8"}:
        return "int8"
    if computing == {"int16x8"}:
        return "int16x8"
    if "dynamic" in computing and computing <= {"dynamic", "float32"}:
        return "dynamic"
    if computing == {"float32"}:
        read = {index for operator in graph.operators for index in operator.inputs if index >= 0}
        stored = {graph.tensors[index].dtype for index in read if graph.tensors[index].constant}
        return "float16" if "float16" in stored else "float32"
    return "mixed"
