"""How one network is taught by another."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_serializer, field_validator, model_validator

from pipeline.choices import NotNegative, Positive
from pipeline.settings.training import Build, Fit, Train
from pipeline.settings.transforms import TRAINING, Transform


class Distill(Transform, Fit):
    """A network taught by the model that the variant's path has reached."""

    inherited: ClassVar[frozenset[str]] = TRAINING | {"epochs", "warmup_epochs"}
    pupil: Build | None = Field(
        None, description="the network that is taught, said as in a section `build` of its own: "
        "`{model: lenet5}`; default: the network of `build`"
    )  # fmt: skip
    start: Literal["build", "train"] = Field(
        "build",
        description="what the pupil begins as: as built; or the network of `build` as trained",
    )
    temperature: Positive = Field(
        3.0, description="softens teacher and pupil alike: above 1, unlikely classes count more"
    )
    weight: Annotated[float, Field(strict=True, ge=0, le=1)] = Field(
        0.7, description="share of the teacher in the loss; the labels have the rest"
    )
    features: NotNegative = Field(
        0.0, description="weight of feature matching, added to the loss: how far layers of the "
        "pupil are from the teacher's; 0 is none"
    )  # fmt: skip
    feature_loss: Literal["attention", "hints"] = Field(
        "attention", description="what is compared: where in a picture a layer is active; or all "
        "its channels, through a projection that is learned and then thrown away"
    )  # fmt: skip
    feature_layers: Mapping[str, str] = Field(
        {}, description="which layers, as in `{pupil's: teacher's}`; default: the last of each "
        "height and width that both have, and for hints what the last dense layer takes"
    )  # fmt: skip

    @field_validator("pupil", mode="before")
    @classmethod
    def _has_no_seed(cls, said: Any) -> Any:
        if isinstance(said, Mapping) and Build.given & set(said):
            raise ValueError("seed is not set here: it is `seed` at the top")
        return said

    @model_validator(mode="after")
    def _begins_as_what_there_is(self) -> Self:
        if self.pupil is not None and self.start == "train":
            raise ValueError(
                "start is train, but `train` has only trained the network of `build`: leave out "
                "start, or pupil"
            )
        return self

    @field_serializer("pupil")
    def _as_said(self, pupil: Build | None) -> dict[str, Any] | None:
        return None if pupil is None else pupil.model_dump(exclude=set(Build.given))

    def first_rate(self, train: Train) -> float:
        """A pupil that begins anew begins at the first rate."""
        return train.learning_rate if self.start == "build" else super().first_rate(train)

    def epochs_behind(self, before: int) -> int:
        """Its own are all, where the pupil begins anew."""
        return self.epochs + (before if self.start == "train" else 0)
