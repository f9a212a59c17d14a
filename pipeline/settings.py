"""The sections of a recipe: what can be set, its type, range, unit and default.

A leaf: it imports no room, so every stage may name its own section in its signature. Sections are
frozen, refuse unknown keys, and hold values only, so that a stage's cache key can be read off them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.choices import (
    Cosine,
    Count,
    CrossEntropy,
    Loss,
    NotNegative,
    OneCycle,
    Optimizer,
    Positive,
    Schedule,
    Share,
)
from pipeline.errors import ConfigError
from pipeline.lazy import nearest

Whole = Annotated[int, Field(strict=True, ge=0)]
SEEDS = 10**9  # seeds lie below it
Seed = Annotated[int, Field(strict=True, ge=0, lt=SEEDS)]
Options = Mapping[str, Any]
Metrics = Mapping[str, Any]  # what a stage says of its work: a few figures for the log
Inputs = Mapping[str, Path]  # folders of a stage's inputs, by role

REFERENCE = "float32"  # the variant every other is compared with
AUDIT = "audit.json"  # what ingest says of the pictures: for the report, and no other stage
THRESHOLD = 0.5  # from which an output counts as yes, where a picture may show several classes
LAYERS = "layers.json"  # what build says of the network: likewise
LOGS = "logs"  # a stage's folder of this name counts in no digest: it may hold times
CHECKPOINTS = "checkpoints"  # a stage's folder of this name outlives a stage that did not finish


def nth(name: str, replica: int) -> str:
    """What a step or a variant is called in a replica of a run, from 1: `train`, `train#2`."""
    return name if replica == 1 else f"{name}#{replica}"


class Section(BaseModel):
    """Settings of one stage.

    Those in `given` are filled in by the engine, not by a recipe; those in `inherited` come from
    the section `train` where the recipe does not say.
    """

    given: ClassVar[frozenset[str]] = frozenset({"seed"})
    inherited: ClassVar[frozenset[str]] = frozenset()
    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: Seed = Field(0, description="decides everything random in this stage")


class Ingest(Section):
    """Where the pictures come from, what becomes of each, and how they are split.

    Its seed is its own: another `seed` at the top of a recipe trains again on the same split.
    """

    given = frozenset()
    dataset: str = Field("digits", description="a row of `show datasets`; `tfds:NAME` with a name")
    path: Path | None = Field(None, description="folder or file of the source, where it takes one")
    data_dir: Path | None = Field(
        None, description="where tensorflow-datasets keeps its files; default: where it always does"
    )
    classes: tuple[str, ...] | None = Field(
        None, description="names in the order of their numbers; default: those found, sorted"
    )
    separator: str | None = Field(
        None,
        min_length=1,
        description="stands between the labels of a picture in a table, which may then have "
        "several or none; default: `;` in a column `labels`, a column `label` holds one",
    )
    size: Count | tuple[Count, Count] | None = Field(
        None, description="height and width in pixels; default: arrays as they are, files 96"
    )
    fit: Literal["crop", "pad", "stretch"] = Field(
        "crop", description="how a picture of other proportions comes to size"
    )
    interpolation: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] = Field(
        "bilinear", description="Pillow's filter, which averages when it shrinks"
    )
    color: Literal["gray", "rgb"] | None = Field(
        None, description="channels; default: arrays as they are, files rgb"
    )
    background: Literal["white", "gray", "black"] = Field(
        "white", description="behind transparent pixels, and around padded pictures"
    )
    max_pixels: Count = Field(100_000_000, description="a picture of more is set aside unread")
    max_bad_fraction: Annotated[float, Field(strict=True, ge=0, le=1)] = Field(
        0.05, description="share of pictures set aside above which the run stops"
    )
    duplicates: Literal["error", "drop"] = Field(
        "error", description="one picture in two given splits: stop, or keep one of each picture"
    )
    validation: Share = Field(0.1, description="share of the training pictures kept apart")
    test: Share = Field(0.2, description="share kept for test where the source has no split")
    folds: Annotated[int, Field(strict=True, ge=2)] | None = Field(
        None, description="parts for cross-validation: validation is then one of so many"
    )
    fold: Count = Field(1, description="which part validation is, from 1")
    limit: Count | None = Field(
        None, description="stratified part: at most so many training pictures, the others alike"
    )

    @field_validator("path", "data_dir", mode="before")
    @classmethod
    def _path_says_something(cls, path: Any) -> Any:
        if isinstance(path, str) and not path.strip():  # to pathlib, that is the working folder
            raise ValueError("empty; leave it out, or name a file or folder")
        return path

    @field_validator("classes")
    @classmethod
    def _classes_differ(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in classes or ():
            if not name.strip() or (classes or ()).count(name) > 1:
                raise ValueError(f"class {name!r} {'twice' if name.strip() else 'has no name'}")
        if classes is not None and len(classes) < 2:
            raise ValueError("two classes at least are needed to tell apart")
        return classes

    @model_validator(mode="after")
    def _data_dir_is_of_use(self) -> Self:
        if self.data_dir is not None and self.dataset.partition(":")[0] not in {"tfds", "idx"}:
            raise ValueError(f"data_dir is for tfds:NAME; {self.dataset} takes path")
        return self

    @model_validator(mode="after")
    def _separator_is_of_use(self) -> Self:
        if self.separator is not None and self.dataset != "table":
            raise ValueError(f"separator is for tables; {self.dataset} has no cells to cut")
        return self

    @model_validator(mode="after")
    def _fold_is_there(self) -> Self:
        if self.fold > (self.folds or 1):
            raise ValueError(f"fold {self.fold} of {self.folds or 1}: there are not so many")
        return self


class Augment(Section):
    """Random changes to training pictures."""

    policy: str | tuple[str | dict[str, Options | None], ...] = Field(
        "none", description="a policy's name, or a list of `show augmentations` with arguments"
    )
    strength: Positive = Field(
        1.0, description="times the policy's factors: 0.5 halves turns, shifts, mixup's alpha; "
        "`show augmentations` marks what is scaled"
    )  # fmt: skip
    preview: Count = Field(6, description="pictures in the preview figure")


class Build(Section):
    """Which network, and the preprocessing in front of it.

    Any further key is an option of the network (`build.width=48`), checked against its signature.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    model: str = Field("small_cnn", description="a row of `show models`")
    preprocess: Literal["scale", "centre", "standardize", "own"] | None = Field(
        None,
        description="scale: pixels to 0..1; centre: each channel also to mean 0 over the train "
        "split; standardize: to mean 0 and deviation 1; own: left to the network, which takes "
        "0..255; default: scale, for backbone own",
    )


@dataclass(frozen=True)
class Phase:
    """A part of a fit: its epochs, its highest learning rate, and what of the network is frozen.

    Frozen is all but the last layer with weights.
    """

    epochs: int
    learning_rate: float
    frozen: bool


class Fit(Section):
    """What every stage that trains can be told; the others inherit from `train`."""

    epochs: Count = Field(12, description="times over the training pictures")
    batch: Count = Field(64, description="pictures a step")
    optimizer: Optimizer = Field(
        "adam", description="`sgd`, `nesterov` (both with momentum 0.9), `rmsprop`, `adagrad`, "
        "`adadelta`, `adam`, `adamw`, `adamax`, `nadam`, `lion`, `adafactor`, `ftrl`, `lamb` or "
        "`muon`; with Keras' arguments as in `{adamw: {beta_2: 0.99}}`"
    )  # fmt: skip
    learning_rate: Positive = Field(0.002, description="at its highest, after warm-up")
    schedule: Schedule = Field(Cosine(), description="of the learning rate, after warm-up")
    warmup_epochs: NotNegative = Field(
        1.0, description="linear rise from zero, in epochs; `one_cycle` has its own"
    )
    weight_decay: NotNegative = Field(
        0.0, description="what a step takes off a weight, as a share of it and times the learning "
        "rate; not off biases or normalization"
    )  # fmt: skip
    clip_norm: Positive | None = Field(
        None, description="length to which the gradient of all weights together is cut"
    )
    loss: Loss = Field(
        CrossEntropy(), description="what training makes small; of several labels a picture, "
        "`cross_entropy` and `focal` are binary ones, each class by itself"
    )  # fmt: skip
    label_smoothing: NotNegative = Field(
        0.0, lt=1, description="share of each training target spread evenly over all classes; "
        "val_loss is without it; of several labels a picture, a share of the way to 0.5"
    )  # fmt: skip
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: an error weighs more, the rarer its class is in train; of "
        "several labels a picture, presence and absence of each class weigh alike, in val_loss too"
    )  # fmt: skip
    patience: Count | None = Field(None, description="epochs without a better one before it stops")
    steps_per_execution: Count | Literal["auto"] = Field(
        "auto", description="steps run in one call, which is faster for tiny networks; auto: by "
        "timing a few, where there are enough of them"
    )  # fmt: skip

    @model_validator(mode="after")
    def _leave_time_to_train(self) -> Self:
        if self.warmup >= self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs:g} of {self.epochs} epochs leaves none at full "
                f"learning rate"
            )
        return self

    @property
    def warmup(self) -> float:
        """Epochs of the rise in front of the schedule."""
        return 0.0 if isinstance(self.schedule, OneCycle) else self.warmup_epochs

    def phases(self) -> tuple[Phase, ...]:
        """The parts of the fit, in order: one, in which everything learns."""
        return (Phase(self.epochs, self.learning_rate, frozen=False),)

    def during(self, phase: Phase) -> Self:
        """The settings of one phase by itself, so that warm-up and schedule span it."""
        return self.model_copy(
            update={"epochs": phase.epochs, "learning_rate": phase.learning_rate}
        )


class Train(Fit):
    """The first training, from the initial weights.

    With `frozen_epochs` in two phases, each with its own warm-up and schedule: first the output
    layer alone, then the whole network. The best epoch is chosen over both.
    """

    given = frozenset({"seed", "draw", "shrinkage"})
    frozen_epochs: Whole = Field(
        0, description="the first of the epochs, in which a pretrained network's output layer "
        "learns alone"
    )  # fmt: skip
    fine_tune_rate: Positive = Field(
        0.1, description="factor on the learning rate after those, and for fine-tuning stages"
    )
    freeze: tuple[str, ...] = Field(
        (), description="patterns of names of layers that do not learn, as in `[conv2d, block_1*]`"
    )
    layer_rates: Mapping[str, NotNegative] = Field(
        {}, description="factors on the learning rate by patterns of names of layers, as in "
        "`{block_1*: 0.1}`; the last that matches counts"
    )  # fmt: skip
    ema: Share | None = Field(
        None,
        description="what a step leaves of the weights' moving average, as 0.999; default: none",
    )
    callbacks: tuple[str | dict[str, Options | None], ...] = Field(
        (), description="Keras callbacks of your own by import path, as in `[my_module:Mine]` or "
        "`[{my_module:Mine: {argument: 1}}]`"
    )  # fmt: skip
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "float32", description="what the network computes in while it trains; half the bits are "
        "slower on most CPUs"
    )  # fmt: skip
    jit_compile: bool = Field(False, description="compile steps by XLA: slower on CPUs")
    draw: Literal["all", "bootstrap", "boosting"] = "all"  # pictures of a member of an ensemble
    shrinkage: Positive = 1.0  # of boosting

    @model_validator(mode="after")
    def _leave_time_in_each_phase(self) -> Self:
        if self.frozen_epochs >= self.epochs:
            raise ValueError(
                f"frozen_epochs {self.frozen_epochs} of {self.epochs} epochs leaves none to train "
                "the whole network"
            )
        for phase in self.phases():
            if self.warmup >= phase.epochs:
                raise ValueError(
                    f"warmup_epochs {self.warmup_epochs:g} is for each phase, and one is of "
                    f"{phase.epochs}: it leaves none at full learning rate"
                )
        return self

    def phases(self) -> tuple[Phase, ...]:
        """The output layer alone, then everything at a lower rate; or everything at once."""
        if not self.frozen_epochs:
            return super().phases()
        rest = self.epochs - self.frozen_epochs
        return (
            Phase(self.frozen_epochs, self.learning_rate, frozen=True),
            Phase(rest, self.learning_rate * self.fine_tune_rate, frozen=False),
        )


class Evaluate(Section):
    """What is looked at on the test split."""

    batch: Count = Field(256, description="pictures a step; changes speed, not results")
    pictures: Count = Field(24, description="pictures in the figures of wrong and unsure ones")
    bars: Count = Field(8, description="pictures shown beside their probability bars")


# What a stage that trains takes from `train` where the recipe does not say.
_TRAINING = frozenset(
    {
        "batch",
        "optimizer",
        "learning_rate",
        "schedule",
        "weight_decay",
        "clip_norm",
        "loss",
        "label_smoothing",
        "class_weights",
        "patience",
    }
)


class Transform(Section):
    """What a word of a variant's path does; with presets, so that several strengths compare."""

    presets: Mapping[str, Options] = Field(
        {}, description="one of these is laid over the section by its name in a variant, as in "
        "`prune.NAME+int8`"
    )  # fmt: skip

    def preset(self, name: str | None) -> Self:
        """Lay a preset over the section; raises `ConfigError` for an unknown one."""
        if name is None:
            return self
        section = type(self).__name__.lower()
        if name not in self.presets:
            raise ConfigError(f"{section}.{name}: no such preset: {nearest(name, self.presets)}")
        said = self.model_dump(include=self.model_fields_set) | dict(self.presets[name])
        try:
            return type(self).model_validate(said)
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join([section, "presets", name, *map(str, problem["loc"])])
            raise ConfigError(f"{place}: {problem['msg']}") from error

    def inherit(self, train: Train) -> Self:
        """Fill what the recipe does not say of this section from its `train` section."""
        values = {name: getattr(train, name) for name in self.inherited}
        if "learning_rate" in values:
            values["learning_rate"] = self.first_rate(train)
        said = {name: getattr(self, name) for name in self.model_fields_set}
        return self.model_copy(update=values | said | {"presets": {}})

    def first_rate(self, train: Train) -> float:
        """The learning rate it inherits: of the last phase, which trained the whole network."""
        return train.phases()[-1].learning_rate


class Ensemble(Transform):
    """Several networks that answer as one.

    Members are trainings of their own, by the settings of `train`, each with another seed. The
    first is the trained network itself where it would come to the same.
    """

    members: Annotated[int, Field(strict=True, ge=2, le=100)] = Field(
        3, description="networks in it"
    )
    method: Literal["seeds", "bagging", "boosting"] = Field(
        "seeds", description="what sets members apart: the seed alone; training pictures drawn "
        "anew with replacement for each (bagging); drawn the likelier, the oftener members before "
        "were wrong about them (boosting)"
    )  # fmt: skip
    combine: Literal["soft_voting", "weighted", "stacking", "weight_averaging"] = Field(
        "soft_voting", description="how they answer: the mean of probabilities; their weighted "
        "mean, with the weights of the least cross-entropy on validation; a logistic regression "
        "on all scores, fitted on validation; or one network with the mean of those members' "
        "weights that are better together on validation"
    )  # fmt: skip
    start: Literal["fresh", "build", "candidate"] = Field(
        "fresh", description="what each begins from: initial weights of its own; those of `build`, "
        "the same for all; or the model that the variant's path has reached, which is tuned on"
    )  # fmt: skip
    epochs: Count | None = Field(None, description="of each member; default: those of `train`")
    learning_rate: Positive | None = Field(
        None, description="of each member; default: that of `train`"
    )
    shrinkage: Annotated[float, Field(strict=True, gt=0, le=1)] = Field(
        0.2, description="factor on boosting's steps; 1 is the algorithm as published, which "
        "leaves a network that is wrong about few pictures with those few"
    )  # fmt: skip

    @model_validator(mode="after")
    def _share_a_start(self) -> Self:
        if self.combine == "weight_averaging" and self.start == "fresh":
            raise ValueError(
                "weight_averaging is of members that share a start: set start to build or candidate"
            )
        return self

    @property
    def first_is_trained(self) -> bool:
        """Whether the first member is what `train` comes to."""
        as_it_is = self.epochs is None and self.learning_rate is None
        return self.start != "candidate" and self.method != "bagging" and as_it_is

    def of_train(self, train: Train, member: int) -> Train:
        """The settings a member is trained with, from 1; its seed is not among them."""
        draw = {"seeds": "all", "bagging": "bootstrap", "boosting": "boosting"}[self.method]
        said = {
            "epochs": self.epochs,
            "learning_rate": self.learning_rate,
            "draw": "all" if self.method == "boosting" and member == 1 else draw,
        }
        if said["draw"] == "boosting":
            said["shrinkage"] = self.shrinkage
        said = {name: value for name, value in said.items() if value is not None}
        return Train.model_validate(train.model_dump() | said)


class Distill(Transform, Fit):
    """The network of `build`, taught by the model that the variant's path has reached."""

    inherited: ClassVar[frozenset[str]] = _TRAINING | {"epochs", "warmup_epochs"}
    start: Literal["build", "train"] = Field(
        "build", description="what the pupil begins as: the network as built, or as trained"
    )
    temperature: Positive = Field(
        3.0, description="softens teacher and pupil alike: above 1, unlikely classes count more"
    )
    weight: Annotated[float, Field(strict=True, ge=0, le=1)] = Field(
        0.7, description="share of the teacher in the loss; the labels have the rest"
    )

    def first_rate(self, train: Train) -> float:
        """A pupil that begins anew begins at the first rate."""
        return train.learning_rate if self.start == "build" else super().first_rate(train)


class Prune(Transform, Fit):
    """Magnitude pruning while fine-tuning."""

    inherited: ClassVar[frozenset[str]] = _TRAINING
    epochs: Count = Field(6, description="times over the training pictures")
    warmup_epochs: NotNegative = Field(0.5, description="linear rise from zero, in epochs")
    steps_per_execution: Literal[1] = Field(1, description="masks are made between steps")
    sparsity: Share = Field(0.8, description="share of zeros in each pruned kernel at the end")
    ramp: Literal["polynomial", "constant"] = Field("polynomial", description="how zeros come")
    begin: NotNegative = Field(0.0, lt=1, description="share of the run after which pruning starts")
    end: Share = Field(0.5, description="share of the run at which all zeros are there")
    exclude: tuple[str, ...] = Field(
        (), description="left dense: patterns of layer names, and `first` and `last` of those with "
        "a kernel"
    )  # fmt: skip

    @model_validator(mode="after")
    def _begin_before_end(self) -> Self:
        if self.begin >= self.end:
            raise ValueError(f"begin {self.begin:g} is not before end {self.end:g}")
        return self


class Quantize(Section):
    """The numeric form of a deployed file; `format` is the variant's last word."""

    given = frozenset({"seed", "format"})
    format: str = "float32"
    io: Literal["uint8", "int8"] = Field("uint8", description="pixels in: raw bytes, or int8 in "
                                         "and out for microcontrollers")  # fmt: skip
    calibration_images: Count = Field(256, description="training pictures that set the ranges")


class Export(Section):
    """SavedModel and the deployed files, each compared before it counts."""

    pictures: Count = Field(64, description="validation pictures compared")


class Benchmark(Section):
    """How latency is measured.

    The engine gives `rounds` 0 to replicas of a run: of their files the accuracy alone is of use.
    """

    threads: Count = Field(1, description="threads of LiteRT; fixed when a file is loaded")
    warmup: Whole = Field(50, description="runs before any is timed")
    rounds: Count = Field(20, description="times all variants take turns")
    runs: Count = Field(50, description="timed runs of one variant in a round")


class Report(Section):
    """What the report recommends."""

    given = frozenset({"seed", "config", "problems", "replicas"})
    max_drop_pp: NotNegative = Field(
        1.0, description="points of validation accuracy the recommended file may lose"
    )
    config: Options = {}  # the whole recipe
    problems: Mapping[str, Mapping[str, str]] = {}  # status and reason of variants without a file
    replicas: tuple[Mapping[str, int | None], ...] = ()  # seed and fold of each; none of one run


SECTIONS: Mapping[str, type[Section]] = {
    "ingest": Ingest,
    "augment": Augment,
    "build": Build,
    "train": Train,
    "evaluate": Evaluate,
    "ensemble": Ensemble,
    "distill": Distill,
    "prune": Prune,
    "quantize": Quantize,
    "export": Export,
    "benchmark": Benchmark,
    "report": Report,
}
