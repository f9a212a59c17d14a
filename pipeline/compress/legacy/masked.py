"""Gradients of pruned kernels, without those of the weights that are zero."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import tensorflow as tf

from pipeline.compress.kernels import KERNELS, leaves


@contextmanager
def masked_gradients(wrapped: Any) -> Iterator[None]:
    """Let the kernels in a model of tfmot's pruning wrappers have gradients only where they live.

    tfmot writes zeros over masked weights before each step, but their gradients reach the
    optimizer: one that looks at a whole kernel (Muon), or at all of them (`clip_norm`), spends its
    step on weights that are to stay zero; and as they never move, their gradients never end. Here
    a layer computes with the product of kernel and mask, which gives the same outputs.
    """
    wrappers = {id(one): one for _, one in leaves(wrapped) if hasattr(one, "pruning_vars")}
    for wrapper in wrappers.values():
        vars(wrapper.layer)["call"] = _call(wrapper.layer, wrapper)
    try:
        yield
    finally:
        for wrapper in wrappers.values():
            del vars(wrapper.layer)["call"]


def _call(layer: Any, wrapper: Any) -> Any:
    """The layer's `call`, with the product in the place of its kernel."""
    plain, name = layer.call, KERNELS[type(layer).__name__]
    variable, mask, _threshold = wrapper.pruning_vars[0]

    @wraps(plain)
    def call(inputs: Any) -> Any:
        attributes = vars(layer)  # past Keras' bookkeeping, which would forget the variable
        attributes[name] = variable * mask
        try:
            return plain(inputs)
        finally:
            attributes[name] = variable

    return tf.autograph.experimental.do_not_convert(call)
