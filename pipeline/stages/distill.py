"""Distill: teach a network what the candidate answers."""

import json
from pathlib import Path
from typing import Any

import keras

from pipeline.compress.distillation import pupil
from pipeline.compress.features import Matching
from pipeline.compress.pairing import pairs
from pipeline.errors import ConfigError
from pipeline.fit import optimizers
from pipeline.fit.ensembles.answers import answers
from pipeline.fit.files import load_model, save_model
from pipeline.fit.history import write_history
from pipeline.fit.loop import Task, fit
from pipeline.measure.statistics import accuracy, agreement
from pipeline.progress import say
from pipeline.settings import Distill, Inputs, Metrics

MATCHED = ("build", "candidate")  # roles of the pupil and of its teacher


def check(settings: Distill) -> None:
    """Refuse what the optimizer does not take, and pairs without a weight, before anything runs."""
    optimizers.check(settings, keras, "distill")
    if settings.feature_layers and not settings.features:
        raise ConfigError(
            "distill.feature_layers: nothing is matched at distill.features 0: give it a weight"
        )


def check_network(settings: Distill, inputs: Inputs) -> None:
    """Refuse layers to be matched that are not there, or do not go together."""
    if settings.features:
        network, teacher = (load_model(inputs[role] / "model.keras") for role in MATCHED)
        pairs(network, teacher, settings.feature_loss, settings.feature_layers)


def run(settings: Distill, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, the pupil, `history.csv`, `distillation.json`, TensorBoard's `logs/`.

    Raises:
        ConfigError: layers are to be matched that are not there or do not go together.
    """
    task = Task.read(inputs)
    teacher = load_model(inputs["candidate"] / "model.keras")
    teacher.trainable = False
    network = load_model(inputs[settings.start] / "model.keras")
    matching = _matching(settings, network, teacher)
    before = matching.apart(task.validation) if matching else []
    fitted = fit(
        pupil(
            network,
            lambda images: teacher(images, training=False),
            settings.temperature,
            settings.weight,
            task.several,
            matching,
        ),
        task,
        settings,
        out=out,
    )
    save_model(network, out / "model.keras")
    write_history(out, fitted.history)
    facts = _facts(network, teacher, task)
    if matching:
        facts["features"] = matching.facts(before, matching.apart(task.validation))
    (out / "distillation.json").write_text(json.dumps(facts, indent=1))
    return {
        "val_accuracy": facts["val_accuracy"],
        "teacher": facts["teacher_val_accuracy"],
        "best_epoch": fitted.best_epoch + 1,
        "resumed_from_epoch": fitted.resumed_from_epoch,
    }


def _matching(settings: Distill, network: keras.Model, teacher: keras.Model) -> Matching | None:
    """What of the two networks is matched; None where that has no weight."""
    if not settings.features:
        return None
    found = pairs(network, teacher, settings.feature_loss, settings.feature_layers)
    named = ", ".join(f"{one.pupil} to {one.teacher}" for one in found)
    say(f"  {settings.feature_loss} of {named}")
    return Matching(network, teacher, found, settings.feature_loss, settings.features)


def _facts(network: keras.Model, teacher: keras.Model, task: Task) -> dict[str, Any]:
    """How pupil and teacher stand on validation, and how often they say the same."""
    labels = task.validation[1]
    taught, teaching = answers([network, teacher], task.validation)
    return {
        "network": network.name,
        "params": network.count_params(),
        "val_accuracy": accuracy(taught, labels),
        "teacher_params": teacher.count_params(),
        "teacher_val_accuracy": accuracy(teaching, labels),
        "agreement": agreement(taught, teaching, task.several),
    }
