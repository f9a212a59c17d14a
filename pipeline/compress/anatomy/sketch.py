"""A network without its weights: their shapes are all that counting needs."""

from collections.abc import Iterator
from contextlib import contextmanager

from keras.src.backend.common import global_state
from keras.src.backend.common.stateless_scope import StatelessScope

_WAITING = "uninitialized_variables"


@contextmanager
def sketched() -> Iterator[None]:
    """Build models with variables that have a shape and no values, in no time and no memory.

    VGG-16 for pictures of 1024x1024 would hold 8.7 GB. Such a model can be taken apart, and
    nothing else. Keras notes the variables as still to be given values; the note is taken back.
    """
    waiting = list(global_state.get_global_attribute(_WAITING) or [])
    try:
        with StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(_WAITING, waiting)
