"""The one training loop: every stage that trains calls `fit`, on Keras 3 or through the mirror."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from pipeline.data.augmentation import augmenter
from pipeline.data.augmentation import read as read_policy
from pipeline.data.batches import plain_batches, steps, training_batches
from pipeline.data.dataset import training_split, validation_split
from pipeline.data.sources import Images, Labels
from pipeline.fit.callbacks import BestWeights, ShowProgress, StopOnNaN, make
from pipeline.fit.class_weights import class_weights
from pipeline.fit.optimizers import optimizer
from pipeline.progress import bar
from pipeline.settings import Fit, Inputs

LOSS = "sparse_categorical_crossentropy"


@dataclass(frozen=True)
class Task:
    """What there is to learn from: the splits, and the augmentation of the training one."""

    train: tuple[Images, Labels]
    validation: tuple[Images, Labels]
    policy: list[dict[str, dict[str, Any]]]

    @classmethod
    def read(cls, inputs: Inputs) -> "Task":
        """Read what `ingest` and `augment` left."""
        return cls(
            training_split(inputs["ingest"]),
            validation_split(inputs["ingest"]),
            read_policy(inputs["augment"]),
        )

    def steps_per_epoch(self, settings: Fit) -> int:
        """Optimizer steps in one epoch."""
        return steps(len(self.train[1]), settings.batch)


@dataclass(frozen=True)
class Fitted:
    """How a fit went; the model itself now holds the weights of `best_epoch` (from 0)."""

    history: dict[str, list[float]]
    best_epoch: int

    @property
    def best(self) -> dict[str, float]:
        """The figures of the best epoch."""
        return {name: values[self.best_epoch] for name, values in self.history.items()}


def fit(
    model: Any,
    task: Task,
    settings: Fit,
    *,
    api: ModuleType = keras,
    callbacks: Sequence[Any] = (),
    first_best: int = 0,
    log_dir: Path | None = None,
) -> Fitted:
    """Train a model in place and leave it with the weights of its best epoch on validation.

    Args:
        model: of `api`, from pixels `(B, H, W, C)` 0..255 to class probabilities.
        api: the Keras module it belongs to, `keras` or `tf_keras`.
        callbacks: further ones, called before ours.
        first_best: the first epoch (from 0) that may be the best one.
        log_dir: where TensorBoard finds the curves.

    Raises:
        TrainingError: the loss became NaN or infinite; names epoch and learning rate.
    """
    per_epoch = task.steps_per_epoch(settings)
    model.compile(
        optimizer=optimizer(settings, per_epoch, api),
        loss=LOSS,
        metrics=["accuracy"],
        steps_per_execution=_divisor(per_epoch, settings.steps_per_execution),
        jit_compile=False,
    )
    best = make(BestWeights, api, first_best, settings.patience)
    watchers = [*callbacks, best, make(StopOnNaN, api)]
    if log_dir is not None:
        watchers.append(api.callbacks.TensorBoard(str(log_dir), write_graph=False))
    with bar() as shown:  # taken away also when the fit fails
        watchers.append(make(ShowProgress, api, shown, settings.epochs, "training", best))
        done = model.fit(
            training_batches(task.train, settings.batch, settings.seed, augmenter(task.policy)),
            epochs=settings.epochs,
            steps_per_epoch=per_epoch,
            validation_data=plain_batches(task.validation, max(settings.batch, 256)),
            class_weight=class_weights(
                settings.class_weights, task.train[1], model.output_shape[-1]
            ),
            shuffle=False,
            callbacks=watchers,
            verbose=0,
        )
    history = {name: [float(value) for value in values] for name, values in done.history.items()}
    return Fitted(history, best.epoch if best.epoch is not None else len(history["loss"]) - 1)


def _divisor(steps: int, most: int) -> int:
    """Largest number up to `most` that divides an epoch, so that no call runs into the next."""
    return max(number for number in range(1, min(steps, most) + 1) if steps % number == 0)
