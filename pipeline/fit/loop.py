"""The one training loop: every stage that trains calls `fit`, on Keras 3 or through the mirror."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
from rich.progress import Progress

from pipeline.data.augmentation import augmenter
from pipeline.data.augmentation import read as read_policy
from pipeline.data.batches import plain_batches, steps, training_batches
from pipeline.data.dataset import training_split, validation_split
from pipeline.data.sources import Images, Labels
from pipeline.fit.callbacks import BestWeights, ShowProgress, StopOnNaN, make
from pipeline.fit.checkpoints import Checkpoints
from pipeline.fit.class_weights import class_weights
from pipeline.fit.history import FROZEN
from pipeline.fit.optimizers import optimizer
from pipeline.fit.resume import Resume
from pipeline.progress import bar
from pipeline.settings import CHECKPOINTS, LOGS, Fit, Inputs, Phase
from pipeline.stop import STOP

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
    """How a fit went; the model itself now holds the weights of `best_epoch` (from 0).

    `resumed_from_epoch` is how many whole epochs an earlier, cut off fit had done; None where this
    one began at the beginning.
    """

    history: dict[str, list[float]]
    best_epoch: int
    resumed_from_epoch: int | None = None

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
    out: Path | None = None,
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
        out: where curves go as they come (`logs/`), and what a fit cut off goes on from
            (`checkpoints/`, for Keras 3). A fit with the same arguments goes on from there.

    Raises:
        TrainingError: the loss became NaN or infinite; names epoch and learning rate.
        BaseException: what a signal asked for, after the batch under way was finished and saved.
    """
    best = make(BestWeights, api, first_best, settings.patience)
    watchers = [*callbacks, best]
    checkpoints = Checkpoints(out / CHECKPOINTS) if out is not None and api is keras else None
    resume = make(Resume, api, checkpoints, watchers, settings.seed)
    phases = settings.phases()

    def notes(phase: Phase) -> dict[str, float]:
        return {FROZEN: float(phase.frozen)} if len(phases) > 1 else {}

    with bar() as shown, STOP.deferred():  # the bar is taken away also when the fit fails
        others = [make(StopOnNaN, api), *_shown(task, settings, api, shown, best, out), resume]
        for number, phase in enumerate(phases):
            if number >= resume.phase:
                resume.begin_phase(number, notes(phase))
                with frozen(model) if phase.frozen else nullcontext():
                    _fit_phase(model, task, settings, phase, api, [*watchers, *others])
    history = resume.history
    return Fitted(
        history,
        best.epoch if best.epoch is not None else resume.epoch - 1,
        resume.resumed_from_epoch,
    )


def _shown(
    task: Task, settings: Fit, api: ModuleType, shown: Progress, best: Any, out: Path | None
) -> list[Any]:
    """The callbacks that people watch a fit by."""
    progress = make(ShowProgress, api, shown, settings.epochs, "training", best)
    if out is None:
        return [progress]
    return [api.callbacks.TensorBoard(str(out / LOGS), write_graph=False), progress]


def _fit_phase(
    model: Any, task: Task, settings: Fit, phase: Phase, api: ModuleType, callbacks: Sequence[Any]
) -> None:
    """Fit for the epochs of one phase, or for those that are left of it."""
    *_, resume = callbacks
    per_epoch = task.steps_per_epoch(settings)
    together = resume.steps_per_execution or _divisor(per_epoch, settings.steps_per_execution)
    classes = model.output_shape[-1]
    model.compile(
        optimizer=optimizer(settings.during(phase), per_epoch, api),
        loss=LOSS,
        metrics=["accuracy"],
        steps_per_execution=together,
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    model.fit(
        training_batches(
            task.train,
            settings.batch,
            settings.seed,
            augmenter(task.policy),
            resume.epoch,
            resume.step,
            classes=classes,
        ),
        initial_epoch=resume.epoch,
        epochs=resume.epoch if resume.stopped else resume.begun + phase.epochs,
        steps_per_epoch=per_epoch,
        validation_data=plain_batches(task.validation, max(settings.batch, 256), classes=classes),
        class_weight=class_weights(settings.class_weights, task.train[1], classes),
        shuffle=False,
        callbacks=list(callbacks),
        verbose=0,
    )


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
