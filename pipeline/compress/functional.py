"""The graph in a Keras 3 model, which the mirror, the anatomy and the slimming walk."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
from keras.src.models import Functional


def functional_graph(model: keras.Model) -> Any | None:
    """Return the functional graph in a functional or Sequential model; None where there is none.

    A Sequential model has none before it knows its input's shape, a subclassed one never.
    """
    if type(model) is keras.Sequential:
        return model._functional
    if isinstance(model, Functional) and type(model).call is Functional.call:
        return model
    return None


def calls(graph: Any) -> Iterator[Any]:
    """Every node of a functional graph, inputs too, in an order in which it can be computed."""
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        yield from graph._nodes_by_depth[depth]


def output_shapes(node: Any, known: Mapping[int, tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Shapes of what a call gives, without the batch.

    Where a nested model leaves its sizes open they are worked out anew, from the shapes of what
    the call takes, `known` by the id of the tensor.
    """
    outputs = [tuple(tensor.shape[1:]) for tensor in node.outputs]
    if not any(None in shape for shape in outputs):
        return outputs
    tensors = {
        id(tensor): keras.KerasTensor((None, *known[id(tensor)]), tensor.dtype)
        for tensor in node.arguments.keras_tensors
    }
    args, kwargs = node.arguments.fill_in(tensors)
    made = keras.tree.flatten(node.operation.compute_output_spec(*args, **kwargs))
    return [tuple(tensor.shape[1:]) for tensor in made]
