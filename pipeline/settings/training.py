"""Which network, and how it is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

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
from pipeline.settings.base import Options, Section, Whole


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
    """What every stage that trains can be told; the others inherit from `train`.

    With `last_of_equals` the last of those epochs is kept that validation cannot tell apart.
    """

    last_of_equals: ClassVar[bool] = False
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
