"""The memory that activations share: planned from when each tensor is written and last read."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.measure.tflite import Graph

_ALIGNMENT = 64


@dataclass(frozen=True)
class Lifetime:
    """A tensor of `bytes` that must stand from operation `first` through operation `last`."""

    bytes: int
    first: int
    last: int


def arena_bytes(graph: Graph) -> int:
    """Bytes of the arena that LiteRT's own planner would set aside for the activations.

    RESHAPE shares its input's memory. Temporary tensors of kernels and the workspace of delegates
    (XNNPACK) come on top and depend on the machine; where the runtime lets an operation such as
    ADD write over its input, it may need less.
    """
    lifetimes = _lifetimes(graph)
    return max((o + t.bytes for o, t in zip(plan(lifetimes), lifetimes, strict=True)), default=0)


def activations(graph: Graph) -> set[int]:
    """Indices of the tensors that depend on the input.

    What an operation makes of constants alone (float16 weights behind DEQUANTIZE) is no activation.
    """
    found = _given(graph)
    for operator in graph.operators:
        if not operator.inputs or not found.isdisjoint(operator.inputs):
            found.update(index for index in operator.outputs if index >= 0)
    return found


def plan(lifetimes: Sequence[Lifetime]) -> list[int]:
    """Offset in bytes of every tensor, so that no two that live at once overlap.

    Those alive from first to last operation lie at the bottom; then the largest goes first, each
    into the smallest gap that holds it between tensors alive at the same time, or on top of them.

    Source: Pisarchyk & Lee 2020, "Efficient Memory Management for Deep Neural Net Inference",
    greedy by size for offset calculation; order and ties as in TensorFlow Lite's ArenaPlanner.
    """
    end = max((tensor.last for tensor in lifetimes), default=0)

    def order(index: int) -> tuple[bool, int, int, int]:
        tensor = lifetimes[index]
        if tensor.first == 0 and tensor.last == end:
            return False, 0, 0, index
        return True, -tensor.bytes, tensor.first, index

    offsets = [0] * len(lifetimes)
    placed: list[int] = []
    for index in sorted(range(len(lifetimes)), key=order):
        tensor = lifetimes[index]
        neighbours = [
            (offsets[other], offsets[other] + lifetimes[other].bytes)
            for other in placed
            if lifetimes[other].first <= tensor.last and tensor.first <= lifetimes[other].last
        ]
        offsets[index] = _best_fit(tensor.bytes, sorted(neighbours))
        placed.append(index)
    return offsets


def _best_fit(size: int, neighbours: Sequence[tuple[int, int]]) -> int:
    """Aligned start of the smallest gap of `size` bytes between `neighbours` (start, stop)."""
    top, best, smallest = 0, None, None
    for start, stop in neighbours:
        gap = start - top
        if top + size <= start and (smallest is None or gap < smallest):
            best, smallest = top, gap
        top = max(top, -(-stop // _ALIGNMENT) * _ALIGNMENT)
    return top if best is None else best


def _lifetimes(graph: Graph) -> list[Lifetime]:
    """One for each piece of memory; inputs, variables and outputs are kept to the end."""
    end = len(graph.operators)
    kept = _given(graph)
    first = dict.fromkeys(kept, 0)
    last = dict.fromkeys(kept | set(graph.outputs), end)
    living, owners = activations(graph), _owners(graph)
    for step, operator in enumerate(graph.operators):
        for index in living.intersection(operator.inputs + operator.outputs):
            memory = owners.get(index, index)
            first.setdefault(memory, step)
            last[memory] = max(step, last.get(memory, step))
    return [
        Lifetime(graph.tensors[index].bytes, first.get(index, 0), last[index])
        for index in sorted(living.intersection(last))
    ]


def _given(graph: Graph) -> set[int]:
    """Inputs and variables: what stands in memory before the first operation."""
    variables = {index for index, tensor in enumerate(graph.tensors) if tensor.variable}
    return variables | set(graph.inputs)


def _owners(graph: Graph) -> dict[int, int]:
    """Which tensor's memory a reshaped one is a view of; the file's own ends are never shared."""
    owners: dict[int, int] = {}
    for operator in graph.operators:
        if operator.code == "RESHAPE" and operator.inputs and operator.outputs:
            source, target = operator.inputs[0], operator.outputs[0]
            if source not in graph.inputs and target not in graph.outputs:
                owners[target] = owners.get(source, source)
    return owners
