"""Keras 3's activations for tf_keras: by name where both mean the same, else the function itself.

The same name is no promise: tf_keras's `hard_sigmoid` is clip(0.2 x + 0.5), Keras 3's is
relu6(x + 3) / 6, 0.08 apart. Names here were compared bit by bit, and the tests still do.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tf_keras

from pipeline.errors import ConversionError

SAME_NAME = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "tanh"),
    *("sigmoid", "softmax", "log_softmax", "softplus", "softsign", "exponential"),
)
ONLY_KERAS_3 = (
    *("hard_sigmoid", "hard_silu", "hard_tanh", "hard_shrink", "celu", "glu", "log_sigmoid"),
    *("soft_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh_shrink"),
)


def _keras_3(name: str) -> Callable[[Any], Any]:
    """Return Keras 3's activation under a name that tf_keras cannot take for one of its own."""
    function = getattr(keras.activations, name)

    def activation(x: Any) -> Any:
        return function(x)

    activation.__name__ = f"keras_3_{name}"
    register = tf_keras.utils.register_keras_serializable("pix2pocket", activation.__name__)
    return register(activation)  # type: ignore[no-any-return]  # tf_keras ships no types


ACTIVATIONS: Mapping[str, str | Callable[[Any], Any]] = {
    **{name: name for name in SAME_NAME},
    **{name: _keras_3(name) for name in ONLY_KERAS_3},
}


def twin_activation(layer_name: str, activation: Any) -> str | Callable[[Any], Any]:
    """Return what a tf_keras layer takes for the serialized Keras 3 `activation`.

    Raises:
        ConversionError: it is no built-in function (a custom one, or a layer used as one).
    """
    if isinstance(activation, str) and activation in ACTIVATIONS:
        return ACTIVATIONS[activation]
    name = activation
    if isinstance(activation, dict):
        function = activation["class_name"] == "function"
        name = activation["config" if function else "class_name"]
    raise ConversionError(
        f"layer '{layer_name}' has the activation {name!r}, which tf_keras does not know: "
        "make it a layer of its own"
    )
