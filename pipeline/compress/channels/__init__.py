"""Slimming: whole channels taken out of a Keras 3 model, and what follows from each.

`trace` finds what falls together, `by_*` scores it, `choose` decides by a size, `largest_within` by
what is measured, `Decision` by settings; `rebuild` makes the smaller model, `summary` says what it
saved.
"""

from pipeline.compress.channels.choose import Costs, Order, choose, order, smallest
from pipeline.compress.channels.decide import Chosen, Decision, Shares
from pipeline.compress.channels.group import Group, Masks, Slice, Weight
from pipeline.compress.channels.importance import Importances, by_scale, by_taylor, by_weights
from pipeline.compress.channels.rebuild import rebuild
from pipeline.compress.channels.search import Found, largest_within, require_within
from pipeline.compress.channels.size import Measure, Size
from pipeline.compress.channels.summary import LayerChange, Summary, summary
from pipeline.compress.channels.trace import Trace, trace

__all__ = [
    "Chosen",
    "Costs",
    "Decision",
    "Found",
    "Group",
    "Importances",
    "LayerChange",
    "Masks",
    "Measure",
    "Order",
    "Shares",
    "Size",
    "Slice",
    "Summary",
    "Trace",
    "Weight",
    "by_scale",
    "by_taylor",
    "by_weights",
    "choose",
    "largest_within",
    "order",
    "rebuild",
    "require_within",
    "smallest",
    "summary",
    "trace",
]
