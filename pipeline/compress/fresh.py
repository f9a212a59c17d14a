"""A model's twin that has learned nothing: the control of what was made of a trained one."""

import keras
import numpy as np


def fresh(model: keras.Model) -> keras.Model:
    """Make a model again from its config: the same layers and names, drawn initial weights.

    What was measured of the pictures rather than learned stays, which is what `Normalization`
    holds. Layers that are not trainable are still not. Random numbers are Keras' global ones. It
    shares no memory with the original, and is not compiled.
    """
    made = type(model).from_config(model.get_config())
    for one, other in zip(_all(model), _all(made), strict=True):
        if isinstance(one, keras.layers.Normalization):
            other.set_weights(one.get_weights())
            other.finalize_state()
    return made


def stir(model: keras.Model) -> None:
    """Move what a network begins with at 0 or 1 throughout: biases, and normalization.

    A converter leaves out biases of nothing but zeros and keeps equal ones once, so that the file
    of a network as built is smaller than when it has learned: of 5,000 weights by a sixth.
    """
    draw = np.random.default_rng(0)
    for weight in model.weights:
        values = np.asarray(weight)
        if values.size and np.all(values == values.flat[0]):
            weight.assign(values + draw.uniform(0.01, 0.1, values.shape).astype(values.dtype))


def _all(model: keras.Model) -> list[keras.layers.Layer]:
    return list(model._flatten_layers(include_self=False))
