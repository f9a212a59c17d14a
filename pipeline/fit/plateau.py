"""The learning rate lowered where the loss on validation has stopped falling."""

from collections.abc import Mapping
from math import inf
from typing import Any

from pipeline.choices import Plateau
from pipeline.fit.rates import schedule_of

Logs = Mapping[str, float]


class LowerOnPlateau:
    """Multiply the schedule's factor by another after `patience` epochs without a lower val_loss.

    Each phase of a fit begins anew, as its optimizer does.
    """

    model: Any

    def __init__(self, settings: Plateau) -> None:
        super().__init__()
        self.settings = settings
        self.best, self.wait, self.factor = inf, 0, 1.0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin a phase at the full rate."""
        self.best, self.wait, self.factor = inf, 0, 1.0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Have the schedule follow, also where a fit goes on that was cut off."""
        schedule_of(self.model.optimizer).factor.assign(self.factor)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Compare, count, and lower; a loss that is no number is no lower one."""
        if logs["val_loss"] < self.best:
            self.best, self.wait = float(logs["val_loss"]), 0
            return
        self.wait += 1
        if self.wait >= self.settings.patience:
            self.wait = 0
            self.factor = max(self.factor * self.settings.factor, self.settings.min_factor)
