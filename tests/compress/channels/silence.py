"""Telling a removed channel from one that stays: make it speak to nobody, then take it out."""

import numpy as np
from keras import layers

# The axis along which a kernel reads what comes in. A depthwise or grouped kernel passes channels
# on, so what counts is the one that reads them after it.
READS = {
    layers.Conv1D: ("kernel", -2),
    layers.Conv2D: ("kernel", -2),
    layers.Conv2DTranspose: ("kernel", -1),
    layers.SeparableConv2D: ("pointwise_kernel", -2),
    layers.Dense: ("kernel", 0),
}


def random_masks(traced, rng, pooled=False):
    """Keep some channels of every group, one at least; all of the pooled ones unless told so."""
    masks = []
    for group in traced.groups:
        mask = rng.uniform(size=group.channels) < 0.6
        mask[rng.integers(group.channels)] = True
        masks.append(mask | (group.pooled and not pooled))
    return tuple(masks)


def silence(traced, masks):
    """Zero what kernels read of the channels that `masks` do not keep; in place."""
    for group, mask in zip(traced.groups, masks, strict=True):
        for one in group.slices:
            name, axis = READS.get(type(one.weight.layer), ("", 0))
            variable = one.weight.variable
            reads = variable is getattr(one.weight.layer, name, None)
            if reads and one.axis == axis % len(variable.shape):
                values = np.moveaxis(np.array(variable), one.axis, 0)
                values[one.places[~mask].ravel()] = 0
                variable.assign(np.moveaxis(values, 0, one.axis))


def shaken(model, seed=3):
    """Give statistics, factors and offsets values a training could give; kernels stay as drawn."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "variance" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif len(weight.shape) == 1 and weight.dtype == "float32":
            offset = 1.0 if "gamma" in weight.path else 0.0
            weight.assign(rng.normal(offset, 0.2, weight.shape))
    for layer in model._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return model
