"""What of a network becomes which tensor of its int8 file: the calls in order, and the scales."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers
from keras.src.ops import numpy as operations

from pipeline.compress.functional import calls, functional_graph
from pipeline.errors import ConversionError

# What a layer is to the file. "nothing": it hands on what it is given. "move": what comes out, at
# inference, has the values of what goes in, and its scale. "average": its scale alone.
KINDS: dict[type, str] = {
    **dict.fromkeys((layers.Dropout, layers.SpatialDropout2D, layers.AlphaDropout), "move"),
    **dict.fromkeys((layers.GaussianDropout, layers.GaussianNoise), "move"),
    **dict.fromkeys((layers.Identity, layers.ActivityRegularization), "nothing"),
    **dict.fromkeys((layers.MaxPooling2D, layers.GlobalMaxPooling2D), "move"),
    **dict.fromkeys((layers.ZeroPadding2D, layers.Cropping2D, layers.UpSampling2D), "move"),
    **dict.fromkeys((layers.Flatten, layers.Reshape, layers.Permute), "move"),
    **dict.fromkeys((layers.Conv2D, layers.DepthwiseConv2D), "kernel"),
    **dict.fromkeys((layers.Dense, layers.Conv2DTranspose), "kernel"),
    **dict.fromkeys((layers.Add, layers.Subtract), "sum"),
    **dict.fromkeys((operations.Add, operations.Subtract), "sum"),
    **dict.fromkeys((layers.Multiply, operations.Multiply), "product"),
    **dict.fromkeys((layers.Rescaling, layers.Normalization), "pixels"),
    **dict.fromkeys((layers.Activation, layers.ReLU), "activation"),
    **dict.fromkeys((layers.LeakyReLU, layers.Softmax), "activation"),
    layers.AveragePooling2D: "average",
    layers.GlobalAveragePooling2D: "mean",
    layers.Concatenate: "join",
    layers.SeparableConv2D: "separable",
    layers.BatchNormalization: "normalization",
}
# An activation directly behind one of these, and used by nobody else, is a part of it in the file.
FUSES = ("kernel", "separable", "normalization", "sum", "product")
RECTIFIERS = ("relu", "relu6")
# Activations with the range of what comes out, where the file fixes it.
CURVES: dict[str, tuple[float, float] | None] = {
    "sigmoid": (0.0, 255 / 256),
    "softmax": (0.0, 255 / 256),
    "hard_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 127 / 128),
    "leaky_relu": None,
    "silu": None,
    "hard_silu": None,
}
MOST_NAMED = 4


@dataclass(frozen=True)
class Call:
    """One call of a layer, or of the activation in one; tensors are numbered through the network.

    `name` is the layer's, `outer.inner` inside a nested model. `activation` is said of calls of
    the kind "activation", `constant` where a number is added or multiplied.
    """

    kind: str
    operation: Any
    name: str
    inputs: tuple[int, ...]
    output: int
    rank: int
    activation: str = ""
    constant: float | None = None


@dataclass(frozen=True)
class Plan:
    """The calls of a network in order; tensors are said by their numbers.

    `inputs` are numbers and Keras tensors; `fused` are the outputs of rectifiers and batch
    normalizations that are a part of what comes before them; `scale` says whose scale each tensor
    has: equal numbers for tensors that share one.
    """

    calls: tuple[Call, ...]
    inputs: tuple[tuple[int, Any], ...]
    outputs: tuple[int, ...]
    fused: frozenset[int]
    scale: tuple[int, ...]


def plan(model: keras.Model) -> Plan:
    """Take a Keras 3 model apart, nested models unfolded.

    Raises:
        ConversionError: naming the layers that this cannot imitate the file of.
    """
    walk = _Walk()
    inputs, outputs = walk.through(model)
    if walk.refused:
        said, more = list(walk.refused)[:MOST_NAMED], len(walk.refused) - MOST_NAMED
        raise ConversionError(
            f"qat: cannot train as the file of {'; '.join(said)}{'; and more' * (more > 0)} would "
            "compute: take int8, which needs no training"
        )
    fused = _fused(walk.calls, outputs)
    scale = _scales(walk.calls, fused, [place for place, _ in inputs], walk.tensors)
    return Plan(tuple(walk.calls), inputs, outputs, fused, scale)


class _Walk:
    """One pass over the graph."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.tensors = 0
        self.refused: dict[str, None] = {}

    def through(self, model: keras.Model) -> tuple[tuple[tuple[int, Any], ...], tuple[int, ...]]:
        graph = _graph(model)
        inputs = tuple((self._tensor(), tensor) for tensor in graph.inputs)
        found = {id(tensor): place for place, tensor in inputs}
        self._walk(graph, found, "")
        return inputs, tuple(found[id(tensor)] for tensor in graph.outputs)

    def _tensor(self) -> int:
        self.tensors += 1
        return self.tensors - 1

    def _walk(self, graph: Any, found: dict[int, int], prefix: str) -> None:
        for node in calls(graph):
            if node.is_input:
                continue
            given = [found[id(tensor)] for tensor in node.arguments.keras_tensors]
            if isinstance(node.operation, keras.Model):
                inner = _graph(node.operation)
                inside = dict(zip(map(id, inner.inputs), given, strict=True))
                self._walk(inner, inside, f"{prefix}{node.operation.name}.")
                places = [inside[id(tensor)] for tensor in inner.outputs]
            else:
                places = [self._call(node, given, prefix)]
            found.update(zip(map(id, node.outputs), places, strict=False))

    def _call(self, node: Any, given: list[int], prefix: str) -> int:
        """Note what a node does; where its output is."""
        operation, name = node.operation, f"{prefix}{node.operation.name}"
        kind = KINDS.get(type(operation), "")
        if isinstance(operation, layers.UpSampling2D) and operation.interpolation != "nearest":
            kind = "average"
        activation = _activation(operation)
        problem = _problem(node, kind, activation)
        if problem is not None:
            self.refused[f"layer '{name}' ({type(operation).__name__}){problem}"] = None
            return self._tensor()
        if kind not in {"activation", "nothing"}:
            given = [self._add(kind, node, name, given, constant=_constant(node))]
        if activation != "linear":
            given = [self._add("activation", node, name, given, activation)]
        return given[0]

    def _add(
        self,
        kind: str,
        node: Any,
        name: str,
        given: list[int],
        activation: str = "",
        constant: float | None = None,
    ) -> int:
        place, rank = self._tensor(), len(node.outputs[0].shape)
        self.calls.append(
            Call(kind, node.operation, name, tuple(given), place, rank, activation, constant)
        )
        return place


def _fused(calls: list[Call], outputs: tuple[int, ...]) -> frozenset[int]:
    """Outputs of the calls that the converter makes a part of the one they alone read from."""
    made_by = {call.output: call.kind for call in calls}
    uses = Counter(place for call in calls for place in call.inputs)
    uses.update(outputs)
    found = set()
    for call in calls:
        before = call.inputs[0]
        takes_in = call.activation in RECTIFIERS and made_by.get(before) in FUSES
        if call.kind == "normalization":
            takes_in = made_by.get(before) in {"kernel", "separable"}
        if takes_in and uses[before] == 1:
            found.add(call.output)
    return frozenset(found)


def _scales(
    calls: list[Call], fused: frozenset[int], inputs: list[int], tensors: int
) -> tuple[int, ...]:
    """Which tensors share a scale: those that an operation moves, or joins.

    A range that the file fixes is not shared with what it is joined with: it is rounded again.
    """
    parent = list(range(tensors))

    def root(place: int) -> int:
        while parent[place] != place:
            place = parent[place]
        return place

    fixed = set(inputs)
    for call in calls:
        alone = call.activation in RECTIFIERS and call.output not in fused
        if call.kind in {"move", "average"} or alone:
            parent[call.output] = root(call.inputs[0])
        elif call.kind == "pixels" or CURVES.get(call.activation):
            fixed.add(call.output)
        elif call.kind == "join" and len(set(map(root, call.inputs))) == 1:
            parent[call.output] = root(call.inputs[0])  # as gray pixels, thrice
        elif call.kind == "join":
            for place in call.inputs:
                if root(place) not in fixed:
                    parent[root(place)] = root(call.output)
    return tuple(map(root, range(tensors)))


def _activation(operation: Any) -> str:
    """The name of the activation that a layer is or has."""
    match operation:
        case layers.ReLU() if operation.negative_slope == 0 and operation.threshold == 0:
            return {None: "relu", 6: "relu6"}.get(operation.max_value, "ReLU")
        case layers.ReLU() | layers.LeakyReLU() | layers.Softmax():
            return {"LeakyReLU": "leaky_relu", "Softmax": "softmax"}.get(
                type(operation).__name__, "ReLU"
            )
    function = getattr(operation, "activation", None)
    return "linear" if function is None else getattr(function, "__name__", "a layer")


def _constant(node: Any) -> float | None:
    """The number that an operation takes beside a tensor."""
    numbers = [value for value in node.arguments.args if isinstance(value, int | float)]
    return float(numbers[0]) if numbers else None


def _problem(node: Any, kind: str, activation: str) -> str | None:
    """What of a node has no imitation; None where all of it has."""
    operation, rank = node.operation, len(node.outputs[0].shape)
    if not kind:
        return ""
    if activation not in ("linear", *RECTIFIERS, *CURVES):
        return f" with the activation {activation}"
    axis = getattr(operation, "axis", None)
    if kind in {"normalization", "join", "activation"} and axis not in (None, -1, rank - 1):
        return f" along axis {axis}"
    if type(operation) in (operations.Add, operations.Multiply, operations.Subtract):
        return _problem_of_operands(node)
    return None


def _problem_of_operands(node: Any) -> str | None:
    """What is wrong with the operands of an operation."""
    if len(node.arguments.keras_tensors) < 2 and _constant(node) is None:
        return " with an array in it"
    first = node.arguments.args[0]
    if isinstance(node.operation, operations.Subtract) and isinstance(first, int | float):
        return " from a number"
    return None


def _graph(model: keras.Model) -> Any:
    graph = functional_graph(model)
    if graph is None:
        raise ConversionError(
            f"qat: model '{model.name}' ({type(model).__name__}) has no graph: functional models "
            "and Sequential ones with an input shape do"
        )
    return graph
