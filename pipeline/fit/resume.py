"""Exact resume: a fit that was cut off goes on to the very weights it would have come to.

After each epoch all that decides how a fit goes on is saved: weights (in a mirror with the masks
and steps of what wraps its layers), the optimizer's variables (its step, moments and averages),
what callbacks remember, and the curves. What is random is not: it comes from (seed, epoch), and so
does the order of the pictures.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.fit import randomness
from pipeline.fit.attributes import plain_attributes, set_attributes
from pipeline.fit.checkpoints import Arrays, Checkpoints, Generation
from pipeline.fit.history import write_history
from pipeline.progress import say
from pipeline.stop import STOP

Logs = Mapping[str, float]


class Resume:
    """The last callback of a fit: saves after each epoch, and restores what it was given.

    `watchers` are the callbacks whose plain attributes are part of a fit's state; in the folder
    `curves` the history is written as it comes, for people to follow. A fit of several phases is
    several calls of Keras' `fit`: `phase` numbers them, `begun` is the first epoch of this one. On
    SIGTERM or Ctrl-C the batch under way is finished and saved too.
    """

    model: Any
    params: Mapping[str, Any]

    def __init__(
        self,
        checkpoints: Checkpoints | None,
        watchers: list[Any],
        seed: int,
        curves: Path | None = None,
    ) -> None:
        super().__init__()
        self._checkpoints, self._watchers, self._seed = checkpoints, watchers, seed
        self._curves = curves
        self._found = checkpoints.newest() if checkpoints else None
        self.resumed_from_epoch: int | None = None
        self.phase = self.begun = self.epoch = 0
        self.history: dict[str, list[float]] = {}
        self.stopped = False  # the phase was ended early
        self._notes: Mapping[str, float] = {}
        if self._found is not None:
            self._take(self._found)

    @property
    def step(self) -> int:
        """Batches of the first epoch that are done already."""
        return self._found.step if self._found is not None else 0

    @property
    def steps_per_execution(self) -> int | None:
        """What the fit that is gone on with has used: its batches were counted in these."""
        return self._found.state["steps_per_execution"] if self._found is not None else None

    def _take(self, found: Generation) -> None:
        self.resumed_from_epoch = self.epoch = found.epoch
        self.phase, self.begun = found.state["phase"], found.state["begun"]
        self.history, self.stopped = dict(found.state["history"]), found.state["stopped"]
        place = f" and {found.step} batches" if found.step else ""
        say(f"  going on after {found.epoch} epochs{place}")
        if found.state["cores"] != _cores():
            say(f"  saved on {found.state['cores']} cores, these are {_cores()}: results may "
                "differ in their last digits from an undisturbed run's", "yellow")  # fmt: skip

    def begin_phase(self, number: int, notes: Mapping[str, float]) -> None:
        """Note that a phase begins, or goes on; `notes` are further columns of its curves."""
        self._notes = notes
        if self._found is None:
            self.phase, self.begun, self.stopped = number, self.epoch, False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Restore, after the other callbacks have reset themselves."""
        if self._found is None:
            return
        arrays, state = dict(self._found.arrays), self._found.state
        _assign(self._variables(), arrays)
        for watcher, attributes in zip(self._watchers, state["watchers"], strict=True):
            set_attributes(watcher, attributes, arrays)
        if self._found.step:
            self._pass_over(self._found)

    def _pass_over(self, found: Generation) -> None:
        """Have the batches that are done answered with what came of them, and none drawn."""
        train = self.model.train_function
        left = found.step // int(self.model.steps_per_execution)

        def function(iterator: Any) -> Any:
            nonlocal left
            if left:
                left -= 1
                return found.state["logs"]
            return train(iterator)

        self.model.train_function = function

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set what is random; in the middle of an epoch, that and its means so far as they were."""
        self.epoch = epoch
        randomness.begin_epoch(self.model, self._seed, epoch)
        if self._found is not None and self._found.step:
            _make_metrics(self.model)
            _assign(self._midway(), self._found.arrays)
        self._found = None

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Save and stop, where a signal has asked for it."""
        done = batch + 1
        if STOP.asked is None or done >= self.params["steps"]:
            return  # the end of an epoch is near, and saves
        if self._checkpoints is not None:
            self._save(self.epoch, done, logs)
            say(f"  saved after {self.epoch} epochs and {done} batches")
        STOP.heed()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Let what was found be used once, also by a phase that was over."""
        self._found = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Note the curves, save, and stop where a signal has asked for it."""
        for name, value in {**logs, **self._notes}.items():
            self.history.setdefault(name, []).append(float(value))
        if self._curves is not None:
            self._curves.mkdir(exist_ok=True)
            write_history(self._curves, self.history)
        self.epoch, self.stopped = epoch + 1, bool(self.model.stop_training)
        if self._checkpoints is not None:
            self._save(self.epoch, 0, {})
            if STOP.asked is not None:
                say(f"  saved after {self.epoch} epochs")
        STOP.heed()

    def _save(self, epoch: int, step: int, logs: Logs) -> None:
        assert self._checkpoints is not None
        arrays: dict[str, NDArray[Any]] = {}
        watchers = [
            plain_attributes(watcher, f"watchers/{number}", arrays)
            for number, watcher in enumerate(self._watchers)
        ]
        kept = self._variables() | (self._midway() if step else {})
        for name, variables in kept.items():
            for number, variable in enumerate(variables):
                arrays[f"{name}/{number}"] = np.asarray(variable)
        state = {
            "phase": self.phase,
            "begun": self.begun,
            "stopped": self.stopped,
            "history": self.history,
            "watchers": watchers,
            "logs": {name: float(value) for name, value in logs.items()},
            "steps_per_execution": int(self.model.steps_per_execution),
            "cores": _cores(),
        }
        self._checkpoints.save(Generation(epoch, step, arrays, state))

    def _variables(self) -> dict[str, list[Any]]:
        return {
            "weights": list(self.model.weights),
            "optimizer": list(self.model.optimizer.variables),
        }

    def _midway(self) -> dict[str, list[Any]]:
        """What an epoch begins anew: the means of its metrics, and what is random."""
        return {
            "metrics": [held for metric in self.model.metrics for held in metric.variables],
            "random": randomness.states(self.model),
        }


def _make_metrics(model: Any) -> None:
    """Have a compiled model make its metrics, which Keras does when it needs them."""
    nothing = tf.zeros((1, model.output_shape[-1]))
    if not isinstance(model, keras.Model):  # but of tf_keras, where the loss is one of them
        model.compiled_loss(nothing, nothing)
    model.compute_metrics(None, nothing, nothing, None)


def _assign(variables: Mapping[str, list[Any]], arrays: Arrays) -> None:
    """Give variables, by name and place, their values; each value there is has its variable."""
    for name, group in variables.items():
        assert sum(place.startswith(f"{name}/") for place in arrays) == len(group), name
        for number, variable in enumerate(group):
            variable.assign(arrays[f"{name}/{number}"])


def _cores() -> int:
    return len(os.sched_getaffinity(0))
