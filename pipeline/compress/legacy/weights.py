"""Weights between a Keras 3 model and its tf_keras twin, and the proof that both agree."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tf_keras

from pipeline.errors import ConversionError

PICTURES_AT_ONCE = 64


def copy_weights(source: Any, target: keras.Model) -> None:
    """Copy the weights of a tf_keras model into the Keras 3 model it mirrors, layer by name.

    Moving statistics are weights too; the states of random generators are not.

    Raises:
        ConversionError: a layer is missing in `source`, or a weight's name or shape differs.
    """
    others = {layer.name: layer for layer in source.layers}
    for layer in target.layers:
        if layer.name not in others and layer.weights:
            raise ConversionError(f"layer '{layer.name}' is not in the tf_keras model")
        if isinstance(layer, keras.Model):
            copy_weights(others[layer.name], layer)
        elif layer.weights:
            hand_over(others[layer.name], layer)


def hand_over(source: Any, target: Any) -> None:
    """Copy one layer's weights, matched by name, between the two Keras.

    Raises:
        ConversionError: the two layers do not have the same weights.
    """
    given, taken = _weights(source), _weights(target)
    shapes = [{name: tuple(w.shape) for name, w in side.items()} for side in (given, taken)]
    if shapes[0] != shapes[1]:
        raise ConversionError(
            f"layer '{target.name}' ({type(target).__name__}) has the weights {shapes[1]}, "
            f"its twin {shapes[0]}"
        )
    for name, weight in taken.items():
        weight.assign(given[name].numpy())
    if isinstance(target, keras.layers.Normalization | tf_keras.layers.Normalization):
        target.finalize_state()  # its call uses constants made from the weights


def _weights(layer: Any) -> Mapping[str, Any]:
    """A layer's weights by their short names; the only one of a layer needs no name."""
    weights = layer.weights
    if len(weights) == 1:
        return {"weight": weights[0]}
    # `conv/depthwise_kernel:0` in tf_keras is `kernel` in Keras 3.
    names = (weight.name.split("/")[-1].split(":")[0] for weight in weights)
    return {name.removeprefix("depthwise_"): w for name, w in zip(names, weights, strict=True)}


def check_parity(model: keras.Model, twin: Any, images: Any, tolerance: float = 1e-5) -> float:
    """Return the largest difference between the outputs of `model` and `twin` on `images`.

    `images` are float32 pixels `(N, H, W, C)` in 0..255, or a structure of such arrays for a
    model of several inputs. Every output of every picture is compared.

    Raises:
        ConversionError: the difference is above `tolerance`, or an output is not finite.
    """
    arrays = keras.tree.flatten(images)
    # Keras 3 warns when one array comes bare where its graph was made from a list of one.
    structure = getattr(model, "_functional", model)._inputs_struct
    largest = 0.0
    for start in range(0, len(arrays[0]), PICTURES_AT_ONCE):
        batch = keras.tree.pack_sequence_as(
            structure, [array[start : start + PICTURES_AT_ONCE] for array in arrays]
        )
        ours, theirs = (
            [np.asarray(output) for output in keras.tree.flatten(net(batch, training=False))]
            for net in (model, twin)
        )
        for one, other in zip(ours, theirs, strict=True):
            if one.shape != other.shape:
                raise ConversionError(
                    f"model '{model.name}' gives {one.shape}, its tf_keras twin {other.shape}"
                )
            if not (np.isfinite(one).all() and np.isfinite(other).all()):
                raise ConversionError(
                    f"model '{model.name}' or its twin gives infinite or no numbers"
                )
            largest = max(largest, float(np.abs(one - other).max(initial=0)))
    if largest > tolerance:
        raise ConversionError(
            f"model '{model.name}' and its tf_keras twin differ by {largest:.3g}, "
            f"more than {tolerance:.3g}"
        )
    return largest
