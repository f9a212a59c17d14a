"""Replicas: a run done several times, over seeds or over folds, and what that says of a variant."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.show.records import Amount, Count, Record, Share

Points = Annotated[float, Field(ge=-100, le=100)]


class OverSeeds(Record):
    """Mean and sample standard deviation of something over replicas; none of a single one."""

    mean: float
    sd: Amount | None


class Seeds(Record):
    """Test accuracy over the `n` replicas in which a variant came to a file that was measured.

    `sd` is the sample standard deviation, in the unit of the mean. `validation_accuracy` is each
    on its own validation pictures; `drop_pp` is taken against float32 within each replica.
    """

    n: Annotated[int, Field(ge=1)]
    mean: Share
    sd: Amount | None
    validation_accuracy: OverSeeds | None = None
    drop_pp: OverSeeds | None = None


class Measured(Record):
    """A variant in one replica; one that is not `ok` says why in `reason`."""

    name: str
    status: Literal["ok", "failed", "refused"]
    reason: str | None = None
    accuracy: Share | None = None
    validation_accuracy: Share | None = None
    drop_pp: Points | None = None

    @model_validator(mode="after")
    def _says_what_its_status_promises(self) -> Self:
        missing = self.accuracy is None if self.status == "ok" else not self.reason
        if missing:
            lacks = "accuracy" if self.status == "ok" else "reason"
            raise ValueError(f"variant {self.name} is {self.status}: its {lacks} is missing")
        return self


class Replica(Record):
    """One of the runs, from 1: its seed, its fold of the training pictures, what came of it.

    `epochs` and `best_epoch` are of its training, where that was done.
    """

    number: Annotated[int, Field(ge=1)]
    seed: Count
    fold: Annotated[int, Field(ge=1)] | None = None
    train: Count | None = None
    validation: Count | None = None
    epochs: Count | None = None
    best_epoch: Count | None = None
    variants: tuple[Measured, ...]


def label(replica: Replica) -> str:
    """What sets a replica apart: `seed 0`, `fold 1`."""
    return f"seed {replica.seed}" if replica.fold is None else f"fold {replica.fold}"
