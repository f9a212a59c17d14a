"""The graph in a Keras 3 model, which the mirror and the anatomy walk."""

from collections.abc import Iterator
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
