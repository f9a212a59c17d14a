"""The one training loop: every stage that trains calls `fit`, on Keras 3 or through the mirror."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from pipeline.choices import Plateau
from pipeline.data.augmentation import augmenter
from pipeline.data.augmentation import read as read_policy
from pipeline.data.batches import Numbers, plain_batches, steps, training_batches, weighed
from pipeline.data.dataset import training_split, validation_split
from pipeline.data.several import several
from pipeline.data.sources import Images, Labels
from pipeline.errors import TrainingError
from pipeline.fit.averaged import Averaged
from pipeline.fit.callbacks import BestWeights, NoteRate, ShowProgress, StopOnNaN, make
from pipeline.fit.checkpoints import Checkpoints
from pipeline.fit.class_weights import class_weights, label_weights
from pipeline.fit.execution import run_together
from pipeline.fit.fused import fused_normalization
from pipeline.fit.gradients import gradients_forgotten
from pipeline.fit.history import FROZEN
from pipeline.fit.layers import held, matching, only_the_last, set_rates
from pipeline.fit.losses import loss, smoothed, weighted
from pipeline.fit.metrics import accuracy
from pipeline.fit.optimizers import optimizer
from pipeline.fit.plateau import LowerOnPlateau
from pipeline.fit.randomness import give_states
from pipeline.fit.resume import Resume
from pipeline.fit.teaching import Teacher, taught, teacher
from pipeline.progress import bar, say
from pipeline.settings import CHECKPOINTS, LOGS, Fit, Inputs, Train
from pipeline.stop import STOP


@dataclass(frozen=True)
class Task:
    """What there is to learn from: the splits, and the augmentation of the training one.

    `drawn`, where it is said, numbers the training pictures of an epoch: `(n,)` int64. A `teacher`
    answers to them beside their labels.
    """

    train: tuple[Images, Labels]
    validation: tuple[Images, Labels]
    policy: list[dict[str, dict[str, Any]]]
    drawn: Numbers | None = None
    teacher: Teacher | None = None

    @classmethod
    def read(cls, inputs: Inputs, share: float = 0.0) -> "Task":
        """Read what `ingest` and `augment` left; with a share, the candidate as teacher."""
        return cls(
            training_split(inputs["ingest"]),
            validation_split(inputs["ingest"]),
            read_policy(inputs["augment"]),
            teacher=teacher(inputs["candidate"], share) if share else None,
        )

    @property
    def labels(self) -> Labels:
        """Those of the pictures of an epoch."""
        return self.train[1] if self.drawn is None else self.train[1][self.drawn]

    @property
    def several(self) -> bool:
        """Whether a picture may show several classes: labels are then `(N, classes)`."""
        return several(self.train[1])

    def batches(self, batch: int, seed: int, classes: int, first: int = 0) -> Any:
        """Training batches of images and targets `(B, classes)`, from the one numbered `first`."""
        policy = augmenter(self.policy)
        return training_batches(
            self.train, batch, seed, policy, first, classes=classes, drawn=self.drawn
        )

    def steps_per_epoch(self, settings: Fit) -> int:
        """Optimizer steps in one epoch."""
        return steps(len(self.labels), settings.batch)


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

    Which that is, `BestWeights` says.

    In the phases that the settings come to, one after the other: each is compiled anew, with an
    optimizer and a schedule of its own, and starts from the best weights so far. Epochs are
    numbered through; patience may end a phase early.

    Args:
        model: of `api`, from pixels `(B, H, W, C)` 0..255 to class probabilities.
        api: the Keras module it belongs to, `keras` or `tf_keras`.
        callbacks: further ones, called before ours.
        first_best: the first epoch (from 0) that may be the best one.
        out: where curves go as they come (`logs/`), and what a fit cut off goes on from
            (`checkpoints/`). A fit with the same arguments goes on from there.

    Raises:
        TrainingError: the loss became NaN or infinite; names epoch, learning rate, and where the
            best weights of a Keras 3 model are kept.
        BaseException: what a signal asked for, after the batch under way was finished and saved.
    """
    if settings.batch > (pictures := len(task.labels)):
        say(f"  train.batch: {settings.batch} of {pictures} pictures: all are one batch", "yellow")
    give_states(model)
    checkpoints = Checkpoints(out / CHECKPOINTS) if out is not None else None
    judges = len(task.validation[1]) if settings.last_of_equals else None
    best = make(BestWeights, api, first_best, settings.patience, judges)
    watchers = [*callbacks, best, *_remembering(settings, api)]
    curves = None if out is None else out / LOGS
    resume = make(Resume, api, checkpoints, watchers, settings.seed, curves)
    with bar() as shown, STOP.deferred():  # the bar is taken away also when the fit fails
        progress = make(ShowProgress, api, shown, settings.epochs, pictures, "training", best)
        others = [
            make(StopOnNaN, api),
            make(NoteRate, api),
            *_logging(curves, api),
            progress,
            resume,
        ]
        try:
            with gradients_forgotten(), held(_held(model, settings)):
                _fit_phases(model, task, settings, api, [*watchers, *others])
        except TrainingError as error:
            if out is None or best.epoch is None or api is not keras:
                raise
            raise TrainingError(f"{error}; {best.keep(out / CHECKPOINTS)}") from error
    last = resume.epoch - 1
    return Fitted(
        resume.history, last if best.epoch is None else best.epoch, resume.resumed_from_epoch
    )


def _held(model: Any, settings: Fit) -> list[Any]:
    """The layers that the settings keep as they are."""
    patterns = settings.freeze if isinstance(settings, Train) else ()
    return [layer for pattern in patterns for layer in matching(model, pattern, "train.freeze")]


def _remembering(settings: Fit, api: ModuleType) -> list[Any]:
    """Callbacks that the settings ask for, and whose memory is a part of a fit's state."""
    made = []
    if isinstance(settings.schedule, Plateau):
        made.append(make(LowerOnPlateau, api, settings.schedule))
    if isinstance(settings, Train) and settings.ema is not None:
        made.append(make(Averaged, api))
    return made


def _logging(folder: Path | None, api: ModuleType) -> list[Any]:
    """Callbacks that write curves as they come."""
    if folder is None:
        return []
    # Both words a summary for each batch, though they write none.
    kind = (api.callbacks.TensorBoard,)
    board = type("TensorBoard", kind, {"on_train_batch_end": lambda *_, **__: None})
    return [board(str(folder), write_graph=False)]


def _fit_phases(
    model: Any, task: Task, settings: Fit, api: ModuleType, callbacks: Sequence[Any]
) -> None:
    """Fit in one phase after the other, from the one that `callbacks[-1]`, a `Resume`, says."""
    resume = callbacks[-1]
    phases = settings.phases()
    for number, phase in enumerate(phases):
        if number >= resume.phase:
            notes = {FROZEN: float(phase.frozen)} if len(phases) > 1 else {}
            resume.begin_phase(number, notes)
            with only_the_last(model) if phase.frozen else nullcontext():
                _fit_phase(model, task, settings.during(phase), api, callbacks)


def _fit_phase(
    model: Any, task: Task, settings: Fit, api: ModuleType, callbacks: Sequence[Any]
) -> None:
    """Fit for the epochs of one phase, or for those that are left of it."""
    resume = callbacks[-1]
    classes = model.output_shape[-1]
    per_epoch = task.steps_per_epoch(settings)
    batches = _batches(task, settings, classes, resume.epoch * per_epoch + resume.step)
    _compile(model, task, settings, api)
    wanted = resume.steps_per_execution or settings.steps_per_execution
    with fused_normalization(model, api):
        run_together(model, batches, wanted, per_epoch, settings.epochs)
        model.fit(
            batches,
            initial_epoch=resume.epoch,
            epochs=resume.epoch if resume.stopped else resume.begun + settings.epochs,
            steps_per_epoch=per_epoch,
            validation_data=plain_batches(
                task.validation, max(settings.batch, 256), classes=classes
            ),
            shuffle=False,
            callbacks=list(callbacks),
            verbose=0,
        )


def _batches(task: Task, settings: Fit, classes: int, first: int) -> Any:
    """Training batches from the one numbered `first` on, as the loss wants them."""
    batches = task.batches(settings.batch, settings.seed, classes, first)
    batches = weighed(batches, class_weights(settings.class_weights, task.labels, classes))
    return taught(smoothed(batches, settings.label_smoothing, task.several), task.teacher)


def _compile(model: Any, task: Task, settings: Fit, api: ModuleType) -> None:
    """Compile for one step a call, with an optimizer that has its variables and rates."""
    answers = label_weights(settings.class_weights, task.labels)
    model.compile(
        optimizer=optimizer(settings, task.steps_per_epoch(settings), api),
        loss=weighted(loss(settings, api, task.several), answers),
        metrics=[accuracy(task.several)],
        steps_per_execution=1,
        jit_compile=isinstance(settings, Train) and settings.jit_compile,
    )
    model.optimizer.build(model.trainable_variables)
    if isinstance(settings, Train):
        set_rates(model, settings.layer_rates, "train.layer_rates")
