"""The graph in a Keras 3 model, which the mirror, the anatomy and the slimming walk."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
from keras.src.models import Functional

from pipeline.errors import ConfigError


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


def by_name(node: Any) -> bool:
    """Tell whether a nested model that lists its inputs is called with a dict of them."""
    graph = functional_graph(node.operation)
    listed = graph is not None and not isinstance(graph._inputs_struct, Mapping)
    return listed and isinstance(_first(node), Mapping)


def handed(node: Any) -> list[Any]:
    """The tensors that a call of a nested model gives it, in the order of that model's inputs.

    A model of several inputs in a list may be called with a dict, by their names.

    Raises:
        ConfigError: there are not as many, or of other ranks: Keras ignores those it has no input
            for, and squeezes an axis of 1.
    """
    model = node.operation
    graph = functional_graph(model)
    assert graph is not None
    inputs = graph.inputs
    given = _first(node)
    if by_name(node):
        given = [given[tensor.name] for tensor in inputs if tensor.name in given]
    tensors: list[Any] = keras.tree.flatten(given)
    ranks = [[len(tensor.shape) for tensor in some] for some in (tensors, inputs)]
    if ranks[0] != ranks[1]:
        shapes = [", ".join(str(tensor.shape[1:]) for tensor in some) for some in (inputs, tensors)]
        raise ConfigError(f"model '{model.name}' takes {shapes[0]} and is called with {shapes[1]}")
    return tensors


def _first(node: Any) -> Any:
    """What a call gives first, as a model takes its inputs."""
    arguments = node.arguments
    return arguments.args[0] if arguments.args else arguments.kwargs.get("inputs")


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
