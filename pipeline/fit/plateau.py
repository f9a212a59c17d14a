"""The learning rate lowered where the loss on validation has stopped falling."""

from collections.abc import Mapping
from math import inf
from typing import Any

from pipeline.choices import Plateau
from pipeline.fit.rates import schedule_of


class LowerOnPlateau:
    """Multiply the schedule's factor by another after `patience` epochs without a lower val_loss.

    Each phase of a fit begins anew, as its optimizer does.
    """

    model: Any

    def __init__(self, settings: Plateau) -> None:
        super().__init__()
        self.settings = settings
        self.best, self.wait, self.factor = inf, 0, 1.0

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Begin a phase at the full rate."""
        self.restore({"best": inf, "wait": 0, "factor": 1.0})

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Compare, count, and lower; a loss that is no number is no lower one."""
        if logs["val_loss"] < self.best:
            self.best, self.wait = float(logs["val_loss"]), 0
            return
        self.wait += 1
        if self.wait >= self.settings.patience:
            lower = max(self.factor * self.settings.factor, self.settings.min_factor)
            self.restore({"best": self.best, "wait": 0, "factor": lower})

    def state(self) -> dict[str, float]:
        """What it knows, as plain numbers."""
        return {"best": self.best, "wait": self.wait, "factor": self.factor}

    def restore(self, state: Mapping[str, float]) -> None:
        """Go on from what another knew; the schedule of the model's optimizer follows."""
        self.best, self.wait, self.factor = state["best"], int(state["wait"]), state["factor"]
        schedule_of(self.model.optimizer).factor.assign(self.factor)
