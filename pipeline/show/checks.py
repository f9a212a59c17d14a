"""What the types of a report cannot say by themselves; each check returns its value or raises."""

import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue


def low_before_high(bounds: tuple[float, float]) -> tuple[float, float]:
    """The two ends of an interval, the lower first."""
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower end {bounds[0]} lies above the upper end {bounds[1]}")
    return bounds


def utc(moment: datetime) -> datetime:
    """A time in UTC, so that equal moments are equal text."""
    if moment.utcoffset() != timedelta(0):
        raise ValueError(f"{moment.isoformat()} is not in UTC")
    return moment.astimezone(UTC)


def finite(facts: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Free-form facts without NaN or infinity, which JSON cannot hold."""
    for key, value in facts.items():
        if not _finite(value):
            raise ValueError(f"{key} holds a number that is not finite")
    return facts


def _finite(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def unique(what: str, names: Iterable[str]) -> None:
    """Raise unless every name stands once."""
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"{what} {', '.join(twice)} stands more than once")
