"""The one training loop: every stage that trains calls `fit`, on Keras 3 or through the mirror."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
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
from pipeline.fit.history import FROZEN
from pipeline.fit.optimizers import optimizer
from pipeline.progress import bar
from pipeline.settings import Fit, Inputs, Phase

LOSS = "categorical_crossentropy"


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

    In the phases that the settings come to, one after the other: each is compiled anew, with an
    optimizer and a schedule of its own, and starts from the best weights so far. Epochs are
    numbered through; patience may end a phase early.

    Args:
        model: of `api`, from pixels `(B, H, W, C)` 0..255 to class probabilities.
        api: the Keras module it belongs to, `keras` or `tf_keras`.
        callbacks: further ones, called before ours.
        first_best: the first epoch (from 0) that may be the best one.
        log_dir: where TensorBoard finds the curves.

    Raises:
        TrainingError: the loss became NaN or infinite; names epoch and learning rate.
    """
    phases = settings.phases()
    best = make(BestWeights, api, first_best, settings.patience)
    watchers = [*callbacks, best, make(StopOnNaN, api)]
    if log_dir is not None:
        watchers.append(api.callbacks.TensorBoard(str(log_dir), write_graph=False))
    history: dict[str, list[float]] = {}
    done = 0
    with bar() as shown:  # taken away also when the fit fails
        watchers.append(make(ShowProgress, api, shown, settings.epochs, "training", best))
        for phase in phases:
            with frozen(model) if phase.frozen else nullcontext():
                curves = _fit_phase(model, task, settings, phase, api, watchers, done)
            if len(phases) > 1:
                curves[FROZEN] = [float(phase.frozen)] * len(curves["loss"])
            history = {name: history.get(name, []) + curves[name] for name in curves}
            done = len(history["loss"])
    return Fitted(history, best.epoch if best.epoch is not None else done - 1)


def _fit_phase(
    model: Any,
    task: Task,
    settings: Fit,
    phase: Phase,
    api: ModuleType,
    callbacks: Sequence[Any],
    first_epoch: int,
) -> dict[str, list[float]]:
    """Fit for the epochs of one phase, numbered from `first_epoch` on; return its curves."""
    per_epoch = task.steps_per_epoch(settings)
    change = augmenter(task.policy)
    classes = model.output_shape[-1]
    model.compile(
        optimizer=optimizer(settings.during(phase), per_epoch, api),
        loss=LOSS,
        metrics=["accuracy"],
        steps_per_execution=_divisor(per_epoch, settings.steps_per_execution),
        jit_compile=False,
    )
    done = model.fit(
        training_batches(
            task.train,
            settings.batch,
            settings.seed,
            change,
            first_epoch,
            classes=classes,
            weights=class_weights(settings.class_weights, task.train[1], classes),
        ),
        initial_epoch=first_epoch,
        epochs=first_epoch + phase.epochs,
        steps_per_epoch=per_epoch,
        validation_data=plain_batches(task.validation, max(settings.batch, 256), classes=classes),
        shuffle=False,
        callbacks=list(callbacks),
        verbose=0,
    )
    return {name: [float(value) for value in values] for name, values in done.history.items()}


@contextmanager
def frozen(model: Any) -> Iterator[None]:
    """Let only the last layer with weights learn for a while; then what could before can again.

    A layer that was made not to learn, as batch normalization of a backbone, is left that way. One
    that does not learn is in inference mode: its statistics stay as they are.
    """
    head = [layer for layer in model.layers if layer.weights][-1]
    learning = [layer for layer in model.layers if layer.trainable and layer is not head]
    for layer in learning:
        layer.trainable = False
    try:
        yield
    finally:
        for layer in learning:
            layer.trainable = True


def _divisor(steps: int, most: int) -> int:
    """Largest number up to `most` that divides an epoch, so that no call runs into the next."""
    return max(number for number in range(1, min(steps, most) + 1) if steps % number == 0)
