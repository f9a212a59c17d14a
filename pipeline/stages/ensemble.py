"""Ensemble: members that were trained each by itself, combined to one model."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline.data.dataset import facts as facts_of
from pipeline.data.sources import Labels
from pipeline.errors import ConfigError
from pipeline.fit.ensembles import soup
from pipeline.fit.ensembles.answers import answers, boosting, members_of
from pipeline.fit.ensembles.members import scoring, stacking, voting
from pipeline.fit.ensembles.votes import (
    Answers,
    Weights,
    cross_entropy,
    least_cross_entropy,
    out_of_part,
    stacked,
    weighted,
)
from pipeline.fit.files import save_model
from pipeline.fit.loop import Task
from pipeline.measure.statistics import accuracy
from pipeline.settings import Ensemble, Inputs, Metrics

SINGLE = {"boosting", "weighted", "stacking"}  # what is defined for one class a picture
BATCH = 128  # pictures that statistics of normalization are taken over at once


@dataclass(frozen=True)
class Combined:
    """One model, and what each member counts in it, `(M,)`; none where that is no one number.

    `unseen` are answers `(N, K)` to validation pictures by what was fitted on the others, where
    the combination was fitted on validation.
    """

    model: keras.Model
    weights: Weights | None = None
    unseen: Answers | None = None

    def parts(self, members: int) -> list[float | None]:
        """What each member counts."""
        return [None] * members if self.weights is None else [float(one) for one in self.weights]


@dataclass(frozen=True)
class Members:
    """The networks to combine, the pictures at hand, and what each answers on validation."""

    networks: list[keras.Model]
    task: Task
    answers: Answers

    @property
    def labels(self) -> Labels:
        """Of the validation pictures."""
        return self.task.validation[1]


def check_pictures(settings: Ensemble, ingest: Path) -> None:
    """Refuse what wants one class a picture, where a picture may show several."""
    if facts_of(ingest).get("multi_label"):
        for name in ("method", "combine"):
            if (said := getattr(settings, name)) in SINGLE:
                raise ConfigError(
                    f"ensemble.{name}: {said} is for one class a picture, and these may show "
                    f"several; set soft_voting or weight_averaging, of seeds or bagging"
                )


def run(settings: Ensemble, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras` and `ensemble.json`: members, what each counts, and how all do.

    Raises:
        ConfigError: stacking members that do not end in a softmax, or too few validation pictures
            to fit on.
    """
    networks, task = members_of(inputs), Task.read(inputs)
    members = Members(networks, task, answers(networks, task.validation))
    combined = COMBINE[settings.combine](settings, members)
    save_model(combined.model, out / "model.keras")
    (found,) = answers([combined.model], task.validation)
    facts: dict[str, Any] = {
        "method": settings.method,
        "combine": settings.combine,
        "params": combined.model.count_params(),
        "members": [
            {**_standing(one, members.labels), "weight": weight}
            for one, weight in zip(members.answers, combined.parts(len(networks)), strict=True)
        ],
        **_standing(found, members.labels),
        "unseen": None if combined.unseen is None else _standing(combined.unseen, members.labels),
    }
    (out / "ensemble.json").write_text(json.dumps(facts, indent=1))
    best = max(one["val_accuracy"] for one in facts["members"])
    return {"members": len(networks), "best": best, "val_accuracy": facts["val_accuracy"]}


def _standing(probabilities: Answers, labels: Labels) -> dict[str, float]:
    return {
        "val_accuracy": accuracy(probabilities, labels),
        "val_loss": cross_entropy(probabilities, labels),
    }


def _soft_voting(settings: Ensemble, members: Members) -> Combined:
    weights = np.full(len(members.networks), 1.0)
    if settings.method == "boosting":
        votes = boosting(members.networks, members.task.train, settings.shrinkage).votes
        weights = votes if votes.any() else weights
    weights /= weights.sum()
    return Combined(voting(members.networks, weights), weights)


def _weighted(settings: Ensemble, members: Members) -> Combined:
    unseen = out_of_part(weighted, members.answers, members.labels, settings.seed)
    weights = least_cross_entropy(members.answers, members.labels)
    return Combined(voting(members.networks, weights), weights, unseen)


def _stacking(settings: Ensemble, members: Members) -> Combined:
    networks = [scoring(one) for one in members.networks]
    scores = answers(networks, members.task.validation)
    fitted, unseen = stacked(scores, members.labels, settings.seed)
    return Combined(stacking(networks, fitted), None, unseen)


def _weight_averaging(settings: Ensemble, members: Members) -> Combined:
    model = members.networks[0]
    weights = [one.get_weights() for one in members.networks]
    task = members.task

    def judge(one: keras.Model) -> soup.Score:
        (found,) = answers([one], task.validation)
        return accuracy(found, members.labels), cross_entropy(found, members.labels)

    stirred = soup.stir(
        model,
        weights,
        [(accuracy(one, members.labels), cross_entropy(one, members.labels))
         for one in members.answers],
        lambda: task.batches(BATCH, settings.seed, model.output_shape[-1]),
        judge,
    )  # fmt: skip
    shares = np.zeros(len(weights))
    shares[list(stirred.members)] = 1 / len(stirred.members)
    return Combined(model, shares)


COMBINE: Mapping[str, Callable[[Ensemble, Members], Combined]] = {
    "soft_voting": _soft_voting,
    "weighted": _weighted,
    "stacking": _stacking,
    "weight_averaging": _weight_averaging,
}
