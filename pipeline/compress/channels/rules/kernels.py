"""Layers that make channels of channels by a kernel."""

import numpy as np

from pipeline.compress.channels.rules.call import Axes, Call
from pipeline.compress.channels.ties import Labels


def dense(call: Call) -> Axes:
    """`kernel (in, units)`: the last axis is read, and `units` are made."""
    layer, signal = call.layer, call.signal
    call.ties.along(layer.kernel, 0, signal.along(-1))
    made = _made(call, "units", layer.kernel, 1)
    call.ties.fix(*signal.axes[:-1])
    return (*(None for _ in signal.axes[:-1]), made)


def convolution(call: Call) -> Axes:
    """`kernel (..., in / groups, filters)`."""
    layer, given = call.layer, call.signal.along(call.channel_axis)
    made = _made(call, "filters", layer.kernel, -1)
    if layer.groups == 1:
        call.ties.along(layer.kernel, -2, given)
    else:
        _grouped(call, given, made)
    return call.channels_only(made, call.channel_axis)


def _grouped(call: Call, given: Labels, made: Labels) -> None:
    """Tie what comes in and out of groups, so that all stay equally wide.

    Either whole groups are removed, and what a group reads falls with what it makes; or all groups
    lose a channel at the same place. Whichever leaves more to choose from: many narrow groups fall
    whole, few wide ones grow thinner.
    """
    ties, layer = call.ties, call.layer
    read, written = given.reshape(layer.groups, -1), made.reshape(layer.groups, -1)
    if layer.groups >= read.shape[1]:
        whole = ties.tie_rows(np.concatenate([read, written], axis=1))
        ties.count(layer, "groups", whole)
    else:
        ties.along(layer.kernel, -2, ties.tie_rows(read.T))
        ties.tie_rows(written.T)


def transposed(call: Call) -> Axes:
    """`kernel (..., filters, in)`."""
    call.ties.along(call.layer.kernel, -1, call.signal.along(call.channel_axis))
    made = _made(call, "filters", call.layer.kernel, -2)
    return call.channels_only(made, call.channel_axis)


def depthwise(call: Call) -> Axes:
    """`kernel (..., in, multiplier)`: a channel falls with all that is made of it."""
    layer, given = call.layer, call.signal.along(call.channel_axis)
    call.ties.along(layer.kernel, -2, given)
    made = np.repeat(given, layer.depth_multiplier)
    if layer.bias is not None:
        call.ties.along(layer.bias, 0, made)
    return call.channels_only(call.activated(made), call.channel_axis)


def separable(call: Call) -> Axes:
    """`depthwise_kernel (..., in, multiplier)`, `pointwise_kernel (..., in * m, filters)`."""
    layer, given = call.layer, call.signal.along(call.channel_axis)
    call.ties.along(layer.depthwise_kernel, -2, given)
    call.ties.along(layer.pointwise_kernel, -2, np.repeat(given, layer.depth_multiplier))
    made = _made(call, "filters", layer.pointwise_kernel, -1)
    return call.channels_only(made, call.channel_axis)


def embedding(call: Call) -> Axes:
    """`embeddings (words, output_dim)`."""
    made = call.ties.along(call.layer.embeddings, 1)
    call.ties.count(call.layer, "output_dim", made)
    call.fix_all()
    return (*(None for _ in call.output[:-1]), made)


def _made(call: Call, argument: str, kernel: object, axis: int) -> Labels:
    """The channels a kernel makes along an axis of its own, counted by an argument."""
    made = call.ties.along(kernel, axis)
    call.ties.count(call.layer, argument, made)
    if call.layer.bias is not None:
        call.ties.along(call.layer.bias, 0, made)
    return call.activated(made)
