"""tfmot's wrappers around some layers of a tf_keras model, nested and shared ones too."""

from collections.abc import Callable, Container
from typing import Any

import tf_keras


def wrap_layers(model: Any, wanted: Container[int], wrapper: Callable[[Any], Any]) -> Any:
    """Return the model with `wrapper(layer)` for each layer whose id is in `wanted`.

    One wrapper a layer: tfmot itself wraps a layer that a model shares with one inside it twice,
    with a mask each.
    """
    wrappers: dict[int, Any] = {}

    def wrap(layer: Any) -> Any:
        if isinstance(layer, tf_keras.Model):
            return tf_keras.models.clone_model(layer, clone_function=wrap)
        if id(layer) not in wanted:
            return layer
        if id(layer) not in wrappers:
            wrappers[id(layer)] = wrapper(layer)
        return wrappers[id(layer)]

    return wrap(model)
