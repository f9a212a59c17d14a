"""What happens after each epoch of a fit: the best kept, progress shown, divergence stopped."""

import time
from collections.abc import Mapping
from math import inf, sqrt
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from rich.progress import Progress

from pipeline.errors import TrainingError
from pipeline.fit.files import save_model
from pipeline.fit.history import RATE, standing
from pipeline.fit.rates import rate_at
from pipeline.progress import console, say

Logs = Mapping[str, float]

BEST = "best.keras"
REDRAWN = 0.2  # seconds from one look of the bar to the next
SPOKEN, QUIET_AT_MOST = 10, 60  # seconds from one plain line to the next: at epochs, within one


def make(kind: type, api: ModuleType, *args: Any) -> Any:
    """Make one of the callbacks below for a Keras API: each API insists on its own base class."""
    return type(kind.__name__, (kind, api.callbacks.Callback), {})(*args)


class BestWeights:
    """Keep the weights of the best epoch, and put them back at the end.

    Which is best, `standing` says. Epochs before `first` do not count: a network being pruned is
    not yet what it will be. In a fit of several phases it is one and the same: the next phase goes
    on from the best weights so far, and patience begins anew.

    With `judges`, the number of validation pictures, the last epoch is kept that is within one
    standard error of the best. Epochs of a tuning differ by less than validation can tell, so that
    the best of many is a matter of luck, and may be one in which the rate was still high.

    Source: the rule of one standard error, Breiman et al., 1984, "Classification and regression
    trees", sect. 3.4.3; there for the smallest tree.
    """

    model: Any

    def __init__(
        self, first: int = 0, patience: int | None = None, judges: int | None = None
    ) -> None:
        super().__init__()
        self.first, self.patience, self.judges = first, patience, judges
        self.epoch: int | None = None  # whose weights are kept
        self.score: tuple[float, float] | None = None  # of the best
        self._best: int | None = None
        self._kept = 0.0  # accuracy of those that are
        self._weights: list[Any] = []
        self._begun: int | None = None  # first epoch of this phase

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin a phase."""
        self._begun = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Compare, keep, and stop when `patience` epochs brought nothing better."""
        if self._begun is None:
            self._begun = epoch
        score = standing(logs["val_accuracy"], logs["val_loss"])
        better = epoch >= self.first and (self.score is None or score > self.score)
        if better:
            self._best, self.score = epoch, score
        if better or (epoch >= self.first and self._within_error(*score)):
            self.epoch, self._kept = epoch, score[0]
            self._weights = self.model.get_weights()
        if (
            not better
            and self.patience
            and self._best is not None
            and epoch - max(self._best, self._begun) >= self.patience
        ):
            self.model.stop_training = True

    def _within_error(self, accuracy: float, negative_loss: float) -> bool:
        """Whether validation cannot tell an accuracy from the best so far."""
        if self.judges is None or self.score is None or negative_loss == -inf:
            return False
        best = self.score[0]
        return accuracy >= best - sqrt(best * (1 - best) / self.judges)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Put the best weights back."""
        if self._weights:
            self.model.set_weights(self._weights)

    def keep(self, folder: Path) -> str:
        """Write a model with the best weights, after a fit that failed, and say where."""
        assert self.epoch is not None
        self.model.set_weights(self._weights)
        save_model(self.model, folder / BEST)
        return (
            f"the best so far, epoch {self.epoch + 1} with {self._kept:.4f} on validation, is "
            f"kept as {folder / BEST}"
        )


class NoteRate:
    """Put the learning rate of an epoch's last step beside its figures."""

    model: Any

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Keras hands one and the same `logs` to every callback, its history last."""
        logs[RATE] = rate_at(self.model.optimizer)


class StopOnNaN:
    """End a fit whose loss is no number, and say where."""

    model: Any

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Look at the loss of the batch."""
        if not np.isfinite(logs["loss"]):
            rate = float(np.asarray(self.model.optimizer.learning_rate))
            raise TrainingError(
                f"the loss is {logs['loss']} in epoch {self._epoch + 1} at learning rate "
                f"{rate:.3g}; a lower learning_rate or a longer warmup_epochs usually mends it"
            )


class ShowProgress:
    """One bar for the whole fit on a terminal; now and then a line elsewhere."""

    model: Any
    params: Mapping[str, Any]

    def __init__(
        self, shown: Progress, epochs: int, pictures: int, name: str, best: "BestWeights"
    ) -> None:
        super().__init__()
        self.epochs, self.pictures, self.name, self.best = epochs, pictures, name, best
        self._bar = shown
        self._task = shown.add_task(name, total=epochs, note="")
        self._started = self._said = self._last = time.monotonic()
        self._epoch, self._batch = 0, -1
        self._traced = False  # by TensorFlow, in the first call
        self._steps, self._spent = 0, 0.0  # and their seconds, since the rate was last taken
        self._rate = self._figures = ""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the epoch: after a resume it is not the first."""
        self._epoch, self._batch, self._last = epoch, -1, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Move on a little, at a pace that people can follow; validation is no part of the rate."""
        now = time.monotonic()
        if self._traced:
            self._steps += batch - self._batch
            self._spent += now - self._last
        self._traced, self._batch, self._last = True, batch, now
        if self._spent < REDRAWN:
            return
        per_epoch = self.params["steps"]
        rate = self.pictures * self._steps / per_epoch / self._spent
        self._rate, self._steps, self._spent = f"{rate:,.0f} pictures/s", 0, 0.0
        done = self._epoch + (batch + 1) / per_epoch
        self._bar.update(self._task, completed=done, note=f"{self._rate}  {self._figures}")
        if not console.is_terminal and now - self._said > QUIET_AT_MOST:
            self._say(f"epoch {done:.2f}/{self.epochs}  {self._rate}  {self._figures}")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Move on, with this epoch's figures and the best so far."""
        self._figures = f"loss {logs['loss']:.4f}  validation {logs['val_accuracy']:.4f}"
        if self.best.score is not None:
            self._figures += f"  best {self.best.score[0]:.4f}"
        note = f"{self._rate}  {self._figures}".strip()
        self._bar.update(self._task, completed=epoch + 1, note=note)
        long = time.monotonic() - self._said > SPOKEN
        if not console.is_terminal and (long or epoch + 1 == self.epochs):
            self._say(f"epoch {epoch + 1}/{self.epochs}  {note}")

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        say(f"  {self.name}  {line}  {self._said - self._started:.0f} s")
