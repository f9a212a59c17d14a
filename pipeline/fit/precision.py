"""Mixed precision: the same network computing in half the bits while it trains."""

from typing import Any

import keras

WHOLE = "float32"


def recast(model: keras.Model, precision: str) -> keras.Model:
    """Return `model`, or for another precision than `float32` a twin that computes in it.

    Weights stay float32 in both. The output layer does too: probabilities of half the bits are too
    coarse for a loss. In `mixed_float16` Keras scales the loss by itself, so that small gradients
    do not vanish; `mixed_bfloat16` has the exponents of float32 and needs none.

    Source: Micikevicius et al., "Mixed precision training", 2018.
    """
    if precision == WHOLE:
        return model
    last = model.layers[-1]

    def twin(layer: Any) -> Any:
        config = layer.get_config()
        if layer is not last:
            config["dtype"] = precision
        return type(layer).from_config(config)

    made = keras.models.clone_model(model, clone_function=twin)
    made.set_weights(model.get_weights())
    for ours, theirs in zip(made.layers, model.layers, strict=True):
        ours.trainable = theirs.trainable
    return made
