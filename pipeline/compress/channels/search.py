"""A target that has to be measured, as a latency: choices are made, looked at, and narrowed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.compress.channels.group import Masks
from pipeline.errors import ConfigError

STEPS = 6  # choices in a look
# Of several choices, what each has of the whole model: a share of its time, or of its bytes.
Look = Callable[[Sequence[Masks]], Sequence[float]]


@dataclass(frozen=True)
class Found:
    """A choice of channels, the share it was seen to have, and the size it was chosen by."""

    masks: Masks
    share: float
    size: float


def largest_within(
    target: float,
    choose: Callable[[float], Masks],
    smallest: float,
    look: Look,
    end: float | None = None,
    looks: int = 2,
) -> Found:
    """Find the largest choice that is seen to have no more than `target` of the whole model.

    Choices lie evenly in size; between the first that is small enough and the one before it lie
    those of the next look. The whole model is not looked at: it has 1 of itself.

    Args:
        target: the share that may stay, 0..1.
        choose: makes a choice of a size, a share from `smallest` to 1 in whatever is close to what
            is measured.
        look: measures choices; called with several, so that it can do so in turns.
        end: a lower share that is to be in reach as well, as of later rounds.
        looks: how many. Of what is noisy, choices that lie closer than the noise tell nothing.

    Raises:
        ConfigError: not even the smallest choice is small enough; says how far it got.
    """
    low, high = smallest, 1.0
    found: Found | None = None
    seen: set[bytes] = set()
    for number in range(looks):
        sizes = np.linspace(high, low, STEPS + (1 if number == 0 else 2)).tolist()
        tried = _new(
            [(size, choose(size)) for size in sizes[1 : None if number == 0 else -1]], seen
        )
        shares = look([masks for _, masks in tried]) if tried else ()
        if number == 0:
            require_within(target if end is None else end, shares[-1])
        for (size, masks), share in zip(tried, shares, strict=True):
            if share <= target:
                found, low = Found(masks, share, size), size
                break
            high = size
    assert found is not None  # the last of the first look is small enough
    return found


def require_within(target: float, least: float) -> None:
    """Raise `ConfigError` if the smallest choice, which has the share `least`, is too large."""
    if least > target:
        raise ConfigError(
            f"{target:.1%} is out of reach: with all removed that can be, {least:.1%} remains; "
            "raise the target, lower `multiple` or keep fewer layers"
        )


def _new(tried: Sequence[tuple[float, Masks]], seen: set[bytes]) -> list[tuple[float, Masks]]:
    """Those with a choice that was not seen yet: of few channels, several sizes come to one."""
    found = []
    for size, masks in tried:
        key = b"".join(mask.tobytes() for mask in masks)
        if key not in seen:
            seen.add(key)
            found.append((size, masks))
    return found
