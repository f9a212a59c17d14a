"""Strength: one number that makes a policy milder or stronger, before it is written down."""

from collections.abc import Mapping
from typing import Any

from pipeline.data.operations import NEEDED, OPERATIONS, Reach


def scaled(name: str, arguments: Mapping[str, Any], strength: float) -> dict[str, Any]:
    """Return an operation's arguments at a strength, those that it scales spelled out.

    A factor's distance from where it changes nothing is multiplied, of a range both ends, and cut
    to what the operation accepts; whole numbers stay whole. What is wrong at strength 1 is left as
    it is, for the operation to refuse. At 1 nothing changes, and nothing is spelled out.
    """
    if strength == 1 or name not in OPERATIONS:
        return dict(arguments)
    row = OPERATIONS[name]
    said = dict(arguments)
    for argument, reach in row.reach.items():
        value = said.get(argument, row.arguments[argument])
        if value is not None and value != NEEDED:
            said[argument] = _scaled(value, reach, strength)
    return said


def _scaled(value: Any, reach: Reach, strength: float) -> Any:
    if isinstance(value, list | tuple):
        return [_scaled_number(end, reach, strength) for end in value]
    if reach.low is not None:
        return [_scaled_number(end, reach, strength) for end in (reach.low, value)]
    return _scaled_number(value, reach, strength)


def _scaled_number(value: Any, reach: Reach, strength: float) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not reach.least <= value <= reach.most:
        return value
    far = reach.still + (value - reach.still) * strength
    within = min(max(far, reach.least), reach.most)
    return round(within) if isinstance(reach.least, int) else float(f"{within:.6g}")
