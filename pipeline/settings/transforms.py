"""What the words of a variant's path do to the trained network."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from pipeline.choices import Count, NotNegative, Positive, Share
from pipeline.errors import ConfigError
from pipeline.lazy import nearest
from pipeline.settings.base import Options, Section
from pipeline.settings.problems import first_problem
from pipeline.settings.training import Fit, Train

# What a stage that trains takes from `train` where the recipe does not say.
TRAINING = frozenset(
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

    rate_said: ClassVar[str] = "as `train.learning_rate`"
    alternatives: ClassVar[frozenset[str]] = frozenset()  # of which a recipe says one
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
        over = dict(self.presets[name])
        replaced = self.alternatives if self.alternatives & over.keys() else frozenset()
        said = self.model_dump(include=self.model_fields_set - replaced) | over
        try:
            return type(self).model_validate(said)
        except ValidationError as error:
            fields = set(type(self).model_fields) - self.given - {"presets"}
            problem = first_problem(error, lambda _: fields, section, "presets", name)
            raise ConfigError(problem) from error

    def inherit(self, train: Train) -> Self:
        """Fill what the recipe does not say of this section from its `train` section."""
        values = {name: getattr(train, name) for name in self.inherited}
        if "learning_rate" in values:
            values["learning_rate"] = self.first_rate(train)
        said = {name: getattr(self, name) for name in self.model_fields_set}
        return self.model_copy(update=values | said | {"presets": {}})

    def first_rate(self, train: Train) -> float:
        """The learning rate it inherits: of the last phase, which trained the whole network.

        `rate_said` says so in the page of settings.
        """
        return train.phases()[-1].learning_rate

    def epochs_behind(self, before: int) -> int:
        """Epochs that made the model it leaves, where so many made the one it takes."""
        return before


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


def _joined(said: Any) -> Any:
    """Take `[{first: 0.5}, {conv*: 0.9}]` for the mapping it comes to."""
    if isinstance(said, list) and all(isinstance(one, Mapping) for one in said):
        return {word: share for one in said for word, share in one.items()}
    return said


# Written out as a list: in a mapping's digest order does not count, and here it does.
_IN_ORDER = PlainSerializer(lambda said: [{word: said[word]} for word in said], when_used="json")
LayerShares = Annotated[
    Mapping[str, Annotated[float, Field(strict=True, ge=0, lt=1)]],
    BeforeValidator(_joined),
    _IN_ORDER,
]
Clusters = Annotated[int, Field(strict=True, ge=2, le=256)]
LayerClusters = Annotated[Mapping[str, Clusters], BeforeValidator(_joined), _IN_ORDER]


Teaching = Annotated[
    float,
    Field(
        strict=True, ge=0, le=1, description="share that the model as it came has in the training "
        "targets, by what it answers; the labels have the rest"
    ),
]  # fmt: skip


class Taught(Transform, Fit):
    """A tuning in which the model that the variant's path has reached may be the teacher."""

    last_of_equals: ClassVar[bool] = True
    teacher: Teaching = 0.0

    def epochs_behind(self, before: int) -> int:
        """Its own come to those before."""
        return before + self.epochs


def _pattern(said: Any) -> Any:
    """Refuse what is neither `unstructured` nor m:n with m below n nor RxC of more than one."""
    found = re.fullmatch(r"unstructured|([1-9]\d?)([:x])([1-9]\d?)", str(said))
    if not found:
        raise ValueError(f"unstructured, m:n as in 2:4, or a block as in 4x1, not {said!r}")
    m, sign, n = found.groups()
    if sign == ":" and int(m) >= int(n):
        raise ValueError(f"{said} are {m} zeros of every {n} weights: leave some")
    if said == "1x1":
        raise ValueError("a block of 1x1 is a weight: say unstructured")
    return said


class Prune(Taught):
    """Magnitude pruning while fine-tuning."""

    inherited: ClassVar[frozenset[str]] = TRAINING
    epochs: Count = Field(6, description="times over the training pictures")
    warmup_epochs: NotNegative = Field(0.5, description="linear rise from zero, in epochs")
    steps_per_execution: Literal[1] = Field(1, description="masks are made between steps")
    sparsity: Share | Literal["auto"] = Field(
        0.8, description="share of zeros in each pruned kernel at the end; auto: as many as "
        "`max_drop_pp` allows, found in rounds of `epochs` each; a pattern m:n has its own"
    )  # fmt: skip
    max_drop_pp: NotNegative = Field(
        0.3, description="points of validation accuracy that `sparsity: auto` may lose"
    )
    layers: LayerShares = Field(
        {}, description="sparsities by patterns of layer names, `first` and `last`, as in `{first: "
        "0.5, dense*: 0.9}`; 0 is dense; the last that matches counts"
    )  # fmt: skip
    exclude: tuple[str, ...] = Field(
        (), description="left dense: patterns of layer names, and `first` and `last` of those with "
        "a kernel"
    )  # fmt: skip
    pattern: Annotated[str, BeforeValidator(_pattern)] = Field(
        "unstructured", description="where zeros lie: `unstructured`; `2:4`, 2 zeros of every 4 "
        "weights along the input channels; `4x1`, whole blocks of 4 input by 1 output channels"
    )  # fmt: skip
    scan: bool = Field(
        True, description="first measure how much each layer minds zeros, for the report"
    )
    ramp: Literal["polynomial", "constant"] = Field("polynomial", description="how zeros come")
    begin: NotNegative = Field(0.0, lt=1, description="share of the run after which pruning starts")
    end: Share = Field(0.5, description="share of the run at which all zeros are there")

    @model_validator(mode="after")
    def _begin_before_end(self) -> Self:
        if self.begin >= self.end:
            raise ValueError(f"begin {self.begin:g} is not before end {self.end:g}")
        return self

    @model_validator(mode="after")
    def _fixed_by_the_pattern(self) -> Self:
        if ":" not in self.pattern:
            return self
        if self.sparsity == "auto":
            raise ValueError(f"pattern {self.pattern} fixes the sparsity: nothing is left to auto")
        if wrong := [word for word, share in self.layers.items() if share]:
            raise ValueError(
                f"pattern {self.pattern} fixes the sparsity: of layers only 0, dense, goes with "
                f"it, not {wrong[0]}: {self.layers[wrong[0]]:g}"
            )
        return self


class Cluster(Taught):
    """Few different weights in each kernel, found by k-means, while fine-tuning."""

    inherited: ClassVar[frozenset[str]] = TRAINING
    rate_said: ClassVar[str] = "`train.learning_rate` times `train.fine_tune_rate`"
    epochs: Count = Field(4, description="times over the training pictures")
    warmup_epochs: NotNegative = Field(0.5, description="linear rise from zero, in epochs")
    clusters: Clusters = Field(16, description="different weights in each kernel, zero among them")
    layers: LayerClusters = Field(
        {}, description="clusters by patterns of layer names, `first` and `last`, as in `{first: "
        "32, dense*: 8}`; the last that matches counts"
    )  # fmt: skip
    exclude: tuple[str, ...] = Field(
        (), description="left as they are: patterns of layer names, and `first` and `last` of "
        "those with a kernel"
    )  # fmt: skip

    def first_rate(self, train: Train) -> float:
        """Weights that are shared move together, so a step is to be a small one."""
        return train.learning_rate * train.fine_tune_rate


class Qat(Taught):
    """Quantization-aware training: the last word of a variant, instead of `int8`.

    Its file takes and gives what `quantize.io` says; `quantize.calibration_images` set the ranges
    that training begins with.
    """

    given = frozenset({"seed", "io", "calibration_images"})
    inherited: ClassVar[frozenset[str]] = TRAINING
    rate_said: ClassVar[str] = "`train.learning_rate` times `rate_factor`"
    epochs: Count = Field(4, description="times over the training pictures")
    rate_factor: Positive = Field(
        0.05, description="of the learning rate that `train` ended its warm-up with"
    )
    warmup_epochs: NotNegative = Field(0.5, description="linear rise from zero, in epochs")
    io: Literal["uint8", "int8"] = "uint8"
    calibration_images: Count = 256

    def first_rate(self, train: Train) -> float:
        """A fraction of the rate the network was trained with: it only settles."""
        return super().first_rate(train) * self.rate_factor
