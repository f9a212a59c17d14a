"""How many steps one call of TensorFlow runs: more save the way there and back, which shows where a
step takes hardly longer than that. The weights come out the same.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, Literal

import numpy as np

from pipeline.fit import randomness

TINY = 0.01  # seconds; a step that takes longer gains nothing to speak of
CALL = 0.2  # seconds one call is then to take
MOST = 64
WORTH = 600  # steps in a fit: timing, and tracing several steps as one, cost a second or two
HEAVY = 1e8  # multiply-accumulates of a batch: certainly no tiny step, so none is timed
LIGHT, SHALLOW = 1e6, 10  # as many at most, and layers: certainly a tiny one; none is timed either
TIMED = 6


def run_together(
    model: Any,
    batches: Iterable[Any],
    wanted: int | Literal["auto"],
    per_epoch: int,
    epochs: int,
) -> None:
    """Have a model compiled for one step a call run as many as are `wanted` and divide an epoch."""
    if wanted == "auto":
        wanted = steps_together(model, batches, per_epoch, epochs)
    together = divisor(per_epoch, wanted)
    if together > 1:
        model.steps_per_execution = together
        model.train_function = None  # Keras makes it anew


def steps_together(model: Any, batches: Iterable[Any], per_epoch: int, epochs: int) -> int:
    """Choose how many steps at most run together, by timing a few on the first of `batches`.

    None is timed where a look at the network says enough, since tracing a step takes a second.
    `model` is compiled for one step a call, and is left as it was. The choice may differ from run
    to run; what comes of the training does not.
    """
    if per_epoch * epochs < WORTH:
        return 1
    batch = next(iter(batches))
    work = len(batch[0]) * _work(model)
    if work > HEAVY:
        return 1
    if work <= LIGHT and len(model.layers) <= SHALLOW:
        return MOST
    seconds = _seconds_a_step(model, batch)
    return 1 if seconds > TINY else min(MOST, round(CALL / seconds))


def divisor(steps: int, most: int) -> int:
    """Largest number up to `most` that divides an epoch, so that no call runs into the next."""
    return max(number for number in range(1, min(steps, most) + 1) if steps % number == 0)


def _work(model: Any) -> int:
    """About the multiply-accumulates of one picture: each kernel at each place of its output."""
    return sum(
        int(prod(weight.shape)) * int(prod(layer.output.shape[1:-1]))
        for layer in model.layers
        for weight in layer.trainable_weights
        if len(weight.shape) > 1
    )


def _seconds_a_step(model: Any, batch: tuple[Any, ...]) -> float:
    """The fastest of a few steps; the first, which traces, does not count."""
    with _undone(model):
        taken = []
        for _ in range(1 + TIMED):
            started = time.perf_counter()
            model.train_on_batch(*batch)
            taken.append(time.perf_counter() - started)
    return min(taken[1:])


@contextmanager
def _undone(model: Any) -> Iterator[None]:
    """Put back afterwards all that a step of training changes."""
    variables = [*model.weights, *model.optimizer.variables, *randomness.states(model)]
    before = [np.array(variable) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        model.reset_metrics()
