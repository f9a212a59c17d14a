"""Ensembles and pupils: who is in one, what it gains, and what of it one network has learned."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.show import numbers
from pipeline.show.records import Amount, Count, Record, Share

METHODS = {
    "seeds": "trained on all pictures, each with another seed",
    "bagging": "each trained on pictures drawn anew with replacement",
    "boosting": "each trained the more on what those before it were wrong about",
}
COMBINED = {
    "soft_voting": "mean of their probabilities",
    "weighted": "weighted mean of their probabilities",
    "stacking": "logistic regression on their scores",
    "weight_averaging": "one network with the mean of their weights",
}
MATCHED = {
    "attention": (
        "by attention: where in a picture they are active",
        "0 where both look at the same places, at most 2",
    ),
    "hints": (
        "by hints: all channels, through learned projections",
        "the part of the teacher's that the pupil's does not say, 1 for all of it",
    ),
}


class OnValidation(Record):
    """How a network stands on the validation pictures; `val_loss` is cross-entropy, in nats."""

    val_accuracy: Share
    val_loss: Amount


class Member(OnValidation):
    """One of the networks; `weight` is its part in the mean, if there is one."""

    weight: Share | None = None


class Ensemble(OnValidation):
    """Networks that answer as one, by the part of a variant's path that ends with it.

    `unseen` is how it stands on validation pictures that its own fit left out, where it was fitted
    on validation; `val_accuracy` and `val_loss` flatter it then.
    """

    name: str
    method: Literal["seeds", "bagging", "boosting"]
    combine: Literal["soft_voting", "weighted", "stacking", "weight_averaging"]
    params: Count
    members: Annotated[tuple[Member, ...], Field(min_length=2)]
    unseen: OnValidation | None = None

    @model_validator(mode="after")
    def _weights_make_a_mean(self) -> Self:
        weights = [one.weight for one in self.members if one.weight is not None]
        if weights and abs(sum(weights) - 1) > 1e-6:
            raise ValueError(f"ensemble {self.name}: weights of members sum to {sum(weights):.6f}")
        return self

    @property
    def honest(self) -> OnValidation:
        """How it stands on pictures that it was not fitted on."""
        return self.unseen or self


class Matched(Record):
    """A layer of a pupil and the one of its teacher it was matched to, of one height and width.

    `size` is these two, or nothing for a vector. `before` and `after` training, how far apart they
    are on validation: by attention 0 to 2; by hints the part of the teacher's that the pupil's does
    not say, 1 for all of it.
    """

    pupil: str
    teacher: str
    size: Annotated[tuple[Count, ...], Field(max_length=2)]
    before: Amount
    after: Amount


class Features(Record):
    """Feature matching beside answers; `members` is how many networks the teacher is made of."""

    method: Literal["attention", "hints"]
    weight: Amount
    members: Annotated[Count, Field(ge=1)]
    pairs: Annotated[tuple[Matched, ...], Field(min_length=1)]


class Pupil(Record):
    """A network that was taught by another; `agreement` is the share of equal answers.

    `network` is what its architecture is called.
    """

    name: str
    network: str = ""
    params: Count
    val_accuracy: Share
    teacher_params: Count
    teacher_val_accuracy: Share
    agreement: Share
    features: Features | None = None


def told(ensemble: Ensemble) -> list[str]:
    """What an ensemble is and what it gains, in sentences."""
    accuracies = [one.val_accuracy for one in ensemble.members]
    reached = ensemble.honest.val_accuracy
    lines = [
        f"{len(accuracies)} networks, {METHODS[ensemble.method]}; together: the "
        f"{COMBINED[ensemble.combine]}.",
        f"On validation {numbers.percent(reached)}: {_gain(reached - max(accuracies))} the best "
        f"of them, {_gain(reached - sum(accuracies) / len(accuracies))} their mean.",
    ]
    if ensemble.unseen:
        lines.append(
            "It was fitted on the validation pictures, which read "
            f"{numbers.percent(ensemble.val_accuracy)} that way; the figure above is of parts that "
            "each fit left out."
        )
    idle = sum(one.weight == 0 for one in ensemble.members)
    if idle:
        lines.append(f"{idle} of them {'has' if idle == 1 else 'have'} no part in it.")
    return lines


def matched(features: Features) -> str:
    """What of a pupil's layers was matched, how, and how distances read, in two sentences."""
    count = len(features.pairs)
    layers = "one layer" if count == 1 else f"{count} layers"
    whose = "its teacher's" if features.members == 1 else f"those of {features.members} members"
    return (
        f"Beside answers, {layers} matched to {whose} {MATCHED[features.method][0]}, with weight "
        f"{features.weight:g} in the loss. Distances: {MATCHED[features.method][1]}."
    )


def _gain(share: float) -> str:
    points = f"{abs(100 * share):.2f} points"
    return "level with" if round(100 * share, 2) == 0 else (
        f"{points} {'above' if share > 0 else 'below'}"
    )  # fmt: skip
