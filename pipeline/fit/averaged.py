"""The average of the weights over the last steps, in their place when it counts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Logs = Mapping[str, float]


class Averaged:
    """Have validation judge, and the best epoch keep, the averages the optimizer makes (EMA).

    They stand in for the weights from the begin of validation to the end of the epoch; training
    goes on from the weights. Statistics of batch normalization are no weights and stay theirs.

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
    """

    model: Any

    def __init__(self) -> None:
        super().__init__()
        self._weights: list[NDArray[Any]] = []

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Put the averages in."""
        optimizer = self.model.optimizer
        averages = optimizer._model_variables_moving_average
        for variable, average in zip(optimizer._trainable_variables, averages, strict=True):
            self._weights.append(np.array(variable))
            variable.assign(average)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Put the weights back."""
        for variable, weight in zip(
            self.model.optimizer._trainable_variables, self._weights, strict=True
        ):
            variable.assign(weight)
        self._weights = []
