"""How one network is taught by another."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pipeline.choices import NotNegative, Positive
from pipeline.settings.training import Fit, Train
from pipeline.settings.transforms import TRAINING, Transform


class Distill(Transform, Fit):
    """The network of `build`, taught by the model that the variant's path has reached."""

    inherited: ClassVar[frozenset[str]] = TRAINING | {"epochs", "warmup_epochs"}
    start: Literal["build", "train"] = Field(
        "build", description="what the pupil begins as: the network as built, or as trained"
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

    def first_rate(self, train: Train) -> float:
        """A pupil that begins anew begins at the first rate."""
        return train.learning_rate if self.start == "build" else super().first_rate(train)

    def epochs_behind(self, before: int) -> int:
        """Its own are all, where the pupil begins anew."""
        return self.epochs + (before if self.start == "train" else 0)
