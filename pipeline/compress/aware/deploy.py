"""A quantization-aware model -> the same in plain Keras layers, for the converter."""

from typing import Any

import keras
import numpy as np
from keras import layers

from pipeline.compress.aware.layers import ChannelAffine, QuantizedKernel


def deployable(model: keras.Model) -> keras.Model:
    """Return a model that computes what a quantization-aware one does, as the converter wants it.

    Kernels hold their rounded values, so that the converter's own rounding changes nothing;
    a batch normalization that no kernel can take in becomes a `ChannelAffine`; the ranges of
    activations stay in the graph, where the converter reads them.
    """
    made: dict[int, Any] = {}

    def plain(layer: Any) -> Any:
        if id(layer) not in made:
            made[id(layer)] = _plain(layer)
        return made[id(layer)]

    clone = keras.models.clone_model(model, clone_function=plain, call_function=_call)
    for layer in model.layers:
        if id(layer) in made:
            made[id(layer)].set_weights(_weights(layer))
    return clone


def _call(layer: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a layer; without a mask, which was none, and the word that says what to imitate."""
    left_out = {"mask", "average"}
    return layer(*args, **{name: kwargs[name] for name in kwargs if name not in left_out})


def _plain(layer: Any) -> Any:
    if isinstance(layer, QuantizedKernel):
        return type(layer.layer).from_config(layer.layer.get_config())
    if _stands_alone(layer):
        return ChannelAffine(name=layer.name)
    return type(layer).from_config(layer.get_config())


def _weights(layer: Any) -> list[Any]:
    if isinstance(layer, QuantizedKernel):
        bias = [np.asarray(layer.layer.bias)] if layer.layer.use_bias else []
        return [np.asarray(layer.kernel()), *bias]
    if _stands_alone(layer):
        gamma = np.asarray(layer.gamma) if layer.scale else 1.0
        beta = np.asarray(layer.beta) if layer.center else 0.0
        scale = gamma / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
        return [scale, beta - np.asarray(layer.moving_mean) * scale]
    weights: list[Any] = layer.get_weights()
    return weights


def _stands_alone(layer: Any) -> bool:
    """Whether a batch normalization follows no kernel that could take it in."""
    if not isinstance(layer, layers.BatchNormalization):
        return False
    before = layer._inbound_nodes[0].arguments.keras_tensors[0]._keras_history.operation
    return not isinstance(before, QuantizedKernel)
