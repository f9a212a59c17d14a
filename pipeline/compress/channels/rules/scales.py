"""Layers that give each channel a factor, an offset or statistics of its own."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from pipeline.compress.channels.rules.call import Axes, Call


def batch(call: Call) -> Axes:
    """Batch normalization: all its weights are `(channels,)`."""
    _lay(call, [call.layer.axis], call.layer.weights)
    return call.signal.axes


def layer(call: Call) -> Axes:
    """Layer, RMS and unit normalization: what remains is normalized without what is removed."""
    for axis in _lay(call, call.layer.axis, call.layer.weights):
        call.ties.pool(call.signal.axes[axis])
    return call.signal.axes


def group(call: Call) -> Axes:
    """Group normalization loses whole groups; the statistics of the others do not change."""
    own, ties = call.layer, call.ties
    axis = _place(own.axis, call)
    labels = call.signal.along(axis)
    groups = len(labels) if own.groups == -1 else own.groups
    whole = ties.tie_rows(labels.reshape(groups, -1))
    if own.groups != -1:
        ties.count(own, "groups", whole)
    ties.fix(*(one for k, one in enumerate(call.signal.axes) if k != axis))
    _lay(call, [own.axis], own.weights)
    return call.signal.axes


def prelu(call: Call) -> Axes:
    """`alpha` has the shape of what comes in, 1 along the axes it shares."""
    alpha = call.layer.alpha
    for axis, size in enumerate(alpha.shape):
        if size > 1:
            call.ties.along(alpha, axis, call.signal.along(axis))
    return call.signal.axes


def scaled(call: Call) -> Axes:
    """`gamma (channels,)`, the scale that ConvNeXt puts at the end of a block."""
    labels = call.signal.along(-1)
    call.ties.along(call.layer.gamma, 0, labels)
    call.ties.count(call.layer, "projection_dim", labels)
    return call.signal.axes


def normalization(call: Call) -> Axes:
    """Fixed statistics: weights where they were adapted, else values of the config, which stay."""
    own = call.layer
    if own.input_mean is None:
        _lay(call, sorted(own._keep_axis), [own.adapt_mean, own.adapt_variance])
    else:
        call.ties.fix(*(call.signal.axes[_place(axis, call)] for axis in own.axis))
    return call.signal.axes


def rescaling(call: Call) -> Axes:
    """One factor for all leaves channels alone; a list of them is of the config, and stays."""
    if np.size(call.layer.scale) > 1 or np.size(call.layer.offset) > 1:
        return call.fix_all()
    return call.signal.axes


def _lay(call: Call, axes: int | Iterable[int], weights: Iterable[Any]) -> list[int]:
    """Lay weights along the axes that a layer names with the batch; which these are, without."""
    named = [axes] if isinstance(axes, int) else list(axes)
    places = [_place(axis, call) for axis in named]
    for weight in weights:
        for k, axis in enumerate(places):
            call.ties.along(weight, k, call.signal.along(axis))
    return places


def _place(axis: int, call: Call) -> int:
    return axis % (len(call.signal.shape) + 1) - 1
