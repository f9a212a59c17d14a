"""The end of a network: what its outputs are, since one picture may show one class or several."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Ending = Literal["softmax", "sigmoid"]
_ending: ContextVar[Ending] = ContextVar("ending", default="softmax")


@contextmanager
def ending_in(activation: Ending) -> Iterator[None]:
    """Have the networks made inside end in `activation`.

    `softmax`: probabilities of classes that exclude each other, which add up to one. `sigmoid`: of
    each class by itself, where a picture may show none, one or several.
    """
    token = _ending.set(activation)
    try:
        yield
    finally:
        _ending.reset(token)


def ending() -> Ending:
    """The activation that the layer called `probabilities` is to have."""
    return _ending.get()
