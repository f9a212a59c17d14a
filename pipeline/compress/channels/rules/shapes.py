"""Layers and operations that move, cut or join tensors without weights."""

from math import prod

import numpy as np

from pipeline.compress.channels.rules.call import Axes, Call, Shape, Signal
from pipeline.compress.channels.ties import Labels, Ties, met


def passed(call: Call) -> Axes:
    """What comes out has the channels that come in, each where it was."""
    return call.signal.axes


def picture(call: Call) -> Axes:
    """Pooling, padding, cropping, resizing: channels pass, heights and widths are its own."""
    axis = call.channel_axis
    return call.channels_only(call.signal.axes[axis], axis)


def pooled(call: Call) -> Axes:
    """Pooling over the whole map; heights and widths go, or are kept as 1."""
    axis = call.channel_axis if call.layer.keepdims else 0
    return call.channels_only(call.signal.axes[call.channel_axis], axis)


def flattened(call: Call) -> Axes:
    """Every channel falls at all the places of its map."""
    signal, axis = call.signal, call.channel_axis
    order = [*(k for k in range(len(signal.shape)) if k != axis), axis]
    last = Signal(
        tuple(signal.shape[k] for k in order), tuple(signal.axes[k] for k in order)
    )  # Keras puts channels last before it flattens
    return laid_out(call.ties, last, call.output)


def reshaped(call: Call) -> Axes:
    """Channels may be split in groups, or put together again."""
    axes = laid_out(call.ties, call.signal, call.output)
    is_layer = hasattr(call.layer, "target_shape")
    target = call.layer.target_shape if is_layer else call.layer.newshape
    own = len(target) - len(axes)  # an operation's shape has the batch in it
    for axis, labels in enumerate(axes):
        if labels is not None and target[own + axis] != -1:
            argument = "target_shape" if is_layer else "newshape"
            call.ties.count(call.layer, argument, labels, own + axis)
    return axes


def laid_out(ties: Ties, signal: Signal, output: Shape) -> Axes:
    """Find along which axis of a reshaped tensor the channels lie.

    Values keep their order when some are taken out, as long as what is left is a block before and
    after. So channels are followed along the outermost axis along which they change, and those
    that share a place on it fall together.
    """
    followed = [axis for axis, labels in enumerate(signal.axes) if labels is not None]
    before = [side for side in signal.shape if side is not None]
    after = [side for side in output if side is not None]
    unknown = len(before) < len(signal.shape) or len(after) < len(output)
    if len(followed) != 1 or unknown or prod(before) != prod(after):  # the batch has a part in it
        ties.fix(*signal.axes)
        return (None,) * len(output)
    shape = [1] * len(before)
    shape[followed[0]] = -1
    spread = np.reshape(signal.along(followed[0]), shape)
    table = np.broadcast_to(spread, before).reshape(after)
    changing = [axis for axis in range(len(after)) if (table != table.take([0], axis)).any()]
    if not changing:
        ties.fix(*signal.axes)
        return (None,) * len(output)
    rows = np.moveaxis(table, changing[0], 0).reshape(after[changing[0]], -1)
    labels = ties.tie_rows(rows) if len(changing) > 1 else rows[:, 0]
    return tuple(labels if axis == changing[0] else None for axis in range(len(after)))


def permuted(call: Call) -> Axes:
    """Axes in another order."""
    return tuple(call.signal.axes[axis - 1] for axis in call.layer.dims)


def transposed(call: Call) -> Axes:
    """Axes in another order, the batch named among them."""
    rank = len(call.signal.shape) + 1
    order = [axis % rank for axis in call.layer.axes or reversed(range(rank))]
    if order[0] != 0:
        return call.fix_all()
    return tuple(call.signal.axes[axis - 1] for axis in order[1:])


def repeated(call: Call) -> Axes:
    """`(features,)` to `(times, features)`."""
    return (None, call.signal.axes[0])


def joined(call: Call) -> Axes:
    """Channels side by side; along other axes the tensors stand and fall together.

    Beside constants of many values all stay.
    """
    rank = len(call.output)
    axis = call.layer.axis % (rank + 1) - 1
    if axis < 0 or any(np.size(constant) > 1 for constant in call.constants):
        return call.fix_all()
    axes = [_meeting(call, k) if k != axis else None for k in range(rank)]
    if any(signal.axes[axis] is not None for signal in call.given):
        axes[axis] = np.concatenate([signal.along(axis) for signal in call.given])
    return tuple(axes)


def reduced(call: Call) -> Axes:
    """A mean, sum or extreme over some axes; over channels it changes with each removed."""
    rank, axis = len(call.signal.shape), call.layer.axis
    every = range(rank + 1) if axis is None else np.atleast_1d(axis)
    over = {int(one) % (rank + 1) - 1 for one in every}
    if -1 in over:
        return call.fix_all()
    for one in over:
        call.ties.pool(call.signal.axes[one])
    if call.layer.keepdims:
        return tuple(None if k in over else one for k, one in enumerate(call.signal.axes))
    return tuple(one for k, one in enumerate(call.signal.axes) if k not in over)


def merged(call: Call) -> Axes:
    """Sums, products and the like, value by value; constants of many values fix all."""
    rank = len(call.output)
    unlike = any(len(signal.shape) != rank for signal in call.given)
    if unlike or any(np.size(constant) > 1 for constant in call.constants):
        return call.fix_all()
    return tuple(_meeting(call, axis) for axis in range(rank))


def _meeting(call: Call, axis: int) -> Labels | None:
    return met(call.ties, [(signal.axes[axis], signal.shape[axis]) for signal in call.given])
