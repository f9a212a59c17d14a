"""Gradients that TensorFlow keeps for ever, and with them the graph of a training that is over."""

from collections.abc import Iterator
from contextlib import contextmanager

from tensorflow.python.framework.ops import gradient_registry

OWN = "CustomGradient-"  # how names begin that stand for one traced function alone


@contextmanager
def gradients_forgotten() -> Iterator[None]:
    """Forget at the end what functions traced within have registered as their gradients.

    A step of training has some of its own, registered under a new name each time it is traced.
    Nothing takes them out again, so each training leaves its whole graph behind, 8 MB of a small
    network. What was traced before keeps its own.
    """
    known = set(gradient_registry.list())
    try:
        yield
    finally:
        for name in [name for name in gradient_registry.list() if name.startswith(OWN)]:
            if name not in known:
                del gradient_registry._registry[name]
