"""Random numbers inside a network, such as Dropout's, as a function of seed and epoch."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np


def begin_epoch(model: Any, seed: int, epoch: int) -> None:
    """Set everything random that an epoch of training draws on by (seed, epoch) alone.

    A fit that begins at an epoch then draws what one that came to it did. Covers the generators of
    the layers of a Keras 3 model, and Python's and NumPy's own, for callbacks.
    """
    random.seed(f"{seed} {epoch}")
    np.random.seed(np.random.SeedSequence([seed, epoch]).generate_state(1))  # noqa: NPY002
    for index, state in enumerate(states(model)):
        words = np.random.SeedSequence([seed, epoch, index]).generate_state(1)
        state.assign(np.array([words[0], 0], dtype=np.uint32))


def states(model: Any) -> list[Any]:
    """Return the variables that hold the states of a model's generators, uint32 `(2,)` each."""
    return list({id(state): state for state in _states(model)}.values())


def _states(model: Any) -> Iterator[Any]:
    for layer in model._flatten_layers():
        for generator in getattr(layer, "_seed_generators", ()):
            yield generator.state
