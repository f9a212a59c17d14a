"""Which operations of a .tflite file XNNPACK computes, as LiteRT itself divides them up here."""

from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from pipeline.measure.tflite import Graph

DELEGATE = "DELEGATE"  # what LiteRT calls the operation that stands for a part that was taken


def taken(path: Path, graph: Graph) -> frozenset[int] | str:
    """The numbers of the operations that XNNPACK takes; why LiteRT does not load the file, if so.

    LiteRT lists its operations and behind them one for each part that the delegate has taken, which
    has the operands at the edges of that part. What lies between is what was taken.
    """
    try:
        interpreter = Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
        listed = interpreter._get_ops_details()
    except (ValueError, RuntimeError) as error:
        return " ".join(str(error).split())
    writer = {
        index: number
        for number, operator in enumerate(graph.operators)
        for index in operator.outputs
    }
    found: set[int] = set()
    for part in listed[len(graph.operators) :]:
        if part["op_name"] == DELEGATE:
            found |= _between(graph, writer, set(part["inputs"]), list(part["outputs"]))
    return frozenset(found)


def _between(graph: Graph, writer: dict[int, int], edge: set[int], ends: list[int]) -> set[int]:
    """The operations on the way back from tensors to others."""
    found: set[int] = set()
    waiting = ends
    while waiting:
        number = writer.get(int(waiting.pop()))
        if number is None or number in found:
            continue
        found.add(number)
        waiting += [index for index in graph.operators[number].inputs if index not in edge]
    return found
