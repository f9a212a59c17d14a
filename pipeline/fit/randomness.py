"""Random numbers inside a network, such as Dropout's, as a function of seed and epoch."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


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

    Those of Keras 3 are uint32 `(2,)`, a key and a counter; those of tf_keras int64 `(3,)`, a
    counter of two words and a key. The layers of a tf_keras model that draw have to be made with
    `rng_type="stateful"`, as its mirrored ones are: the others draw from where no one can reach.
    """
    return list({id(state): state for state in _states(model)}.values())


def _states(model: Any) -> Iterator[Any]:
    for layer in model._flatten_layers():
        for generator in getattr(layer, "_seed_generators", ()):
            yield generator.state
        if (drawing := getattr(layer, "_random_generator", None)) is not None:  # of tf_keras
            assert drawing._generator is not None, f"'{layer.name}' draws from no state"
            yield drawing._generator.state


def _key(state: NDArray[Any]) -> int:
    return 0 if len(state) == 2 else -1
