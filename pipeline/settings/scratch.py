"""How the control of a slimming is trained."""

from collections.abc import Iterable

from pydantic import Field

from pipeline.choices import Count
from pipeline.settings.training import Train
from pipeline.settings.transforms import Transform


class Scratch(Transform):
    """The control: the network that the path has reached, with fresh weights and trained anew.

    By the settings of `train`, in one phase. If it reads as well as what it is the control of,
    then the weights that were handed on were not worth the work.
    """

    epochs: Count | None = Field(
        None, description="times over the training pictures; default: as many as went into what "
        "it is the control of, `train` and the words before it together"
    )  # fmt: skip

    def of_train(self, train: Train, before: Iterable[Transform]) -> Train:
        """The settings it is trained with, after these words of its path."""
        epochs = train.epochs
        for transform in before:
            epochs = transform.epochs_behind(epochs)
        said = {"epochs": self.epochs or epochs, "frozen_epochs": 0}
        return Train.model_validate(train.model_dump() | said)
