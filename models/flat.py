"""One flat graph: a network laid over other tensors, models inside it taken apart."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras


def laid_over(
    model: keras.Model, x: Any, others: Mapping[Any, Callable[..., Any]] | None = None
) -> Any:
    """Call each layer of a functional or Sequential model, from `x` on, and return what comes out.

    Layers keep their names and weights. One in `others` is replaced by what stands there. What a
    call says of `training` is left out, so that `fit` and `predict` decide.
    """
    others = others or {}
    graph: Any = keras.Function(model.inputs, model.outputs)

    def choose(operation: Any) -> Callable[..., Any]:
        if isinstance(operation, keras.Model):
            return partial(_flat_call, operation, others)
        return partial(_plain_call, others.get(operation, operation))

    (output,) = graph._run_through_graph(x, operation_fn=choose)
    return output


def _flat_call(model: keras.Model, others: Any, x: Any, **_: Any) -> Any:
    return laid_over(model, x, others)


def _plain_call(operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    kwargs.pop("training", None)
    return operation(*args, **kwargs)
