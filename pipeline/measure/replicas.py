"""Replicas: what several runs over seeds or folds say of one variant together."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.measure.statistics import mean_sd

Row = Mapping[str, Any]


def over(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Mean and sample standard deviation over the rows of one variant, a row a replica.

    Of those that are `ok`, `n` in all; None where none is. Accuracy is of the test split;
    `validation_accuracy` of each replica's own. A drop is taken within its replica, against the
    reference with the same seed and pictures, so its spread holds no more than what differs
    between the two.

    Over folds the deviation is no honest error of the mean: they share most of their training
    pictures, and no unbiased one exists (Bengio and Grandvalet 2004, "No Unbiased Estimator of
    the Variance of K-Fold Cross-Validation").
    """
    done = [row for row in rows if row["status"] == "ok"]
    if not done:
        return None
    found = {
        key: dict(zip(("mean", "sd"), mean_sd([row[key] for row in done]), strict=True))
        for key in ("accuracy", "validation_accuracy", "drop_pp")
    }
    return {"n": len(done), **found.pop("accuracy"), **found}
