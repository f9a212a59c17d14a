"""Slimming: whole channels taken out of a Keras 3 model, and what follows from each.

`trace` finds what falls together, `by_*` scores it, `choose` decides, `rebuild` makes the smaller
model, `summary` says what it saved.
"""

from pipeline.compress.channels.choose import Order, candidates, choose, order
from pipeline.compress.channels.group import Group, Masks, Slice, Weight
from pipeline.compress.channels.importance import by_scale, by_taylor, by_weights
from pipeline.compress.channels.rebuild import rebuild
from pipeline.compress.channels.size import Size
from pipeline.compress.channels.summary import LayerChange, Summary, summary
from pipeline.compress.channels.trace import Trace, trace

__all__ = [
    "Group",
    "LayerChange",
    "Masks",
    "Order",
    "Size",
    "Slice",
    "Summary",
    "Trace",
    "Weight",
    "by_scale",
    "by_taylor",
    "by_weights",
    "candidates",
    "choose",
    "order",
    "rebuild",
    "summary",
    "trace",
]
