"""Random numbers inside a network, such as Dropout's, as a function of seed and epoch."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

STATEFUL = "stateful"  # as tf_keras calls it


def give_states(model: Any) -> None:
    """Have the layers of a tf_keras model draw from states that can be set and kept.

    Those of Keras 3 do; these would draw from where no one can reach, on and on.
    """
    for layer in model._flatten_layers():
        drawing = getattr(layer, "_random_generator", None)
        if drawing is not None and drawing._rng_type != STATEFUL:
            drawing._rng_type, drawing._built = STATEFUL, False
            drawing._maybe_init()


def begin_epoch(model: Any, seed: int, epoch: int) -> None:
    """Set everything random that an epoch of training draws on by (seed, epoch) alone.

    A fit that begins at an epoch then draws what one that came to it did. Covers the generators of
    the layers of a model, and Python's and NumPy's own, for callbacks.
    """
    random.seed(f"{seed} {epoch}")
    np.random.seed(np.random.SeedSequence([seed, epoch]).generate_state(1))  # noqa: NPY002
    for index, state in enumerate(states(model)):
        begun = np.zeros_like(np.asarray(state))
        begun[_key(begun)] = np.random.SeedSequence([seed, epoch, index]).generate_state(1)[0]
        state.assign(begun)


def states(model: Any) -> list[Any]:
    """Return the variables that hold the states of a model's generators.

    Those of Keras 3 are uint32 `(2,)`, a key and a counter; those of tf_keras, which were given
    theirs, int64 `(3,)`, a counter of two words and a key.
    """
    return list({id(state): state for state in _states(model)}.values())


def _states(model: Any) -> Iterator[Any]:
    for layer in model._flatten_layers():
        for generator in getattr(layer, "_seed_generators", ()):
            yield generator.state
        if (drawing := getattr(layer, "_random_generator", None)) is not None:  # of tf_keras
            yield drawing._generator.state


def _key(state: NDArray[Any]) -> int:
    return 0 if len(state) == 2 else -1
