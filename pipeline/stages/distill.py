"""Distill: teach the network of `build` what the candidate answers."""

import json
from pathlib import Path

import keras

from pipeline.compress.distillation import pupil
from pipeline.fit import optimizers
from pipeline.fit.ensembles.answers import answers
from pipeline.fit.files import load_model, save_model
from pipeline.fit.history import write_history
from pipeline.fit.loop import Task, fit
from pipeline.measure.statistics import accuracy, agreement
from pipeline.settings import Distill, Inputs, Metrics


def check(settings: Distill) -> None:
    """Refuse what the optimizer does not take, before anything runs."""
    optimizers.check(settings, keras, "distill")


def run(settings: Distill, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, the pupil, `history.csv`, `distillation.json`, TensorBoard's `logs/`."""
    task = Task.read(inputs)
    teacher = load_model(inputs["candidate"] / "model.keras")
    teacher.trainable = False
    network = load_model(inputs[settings.start] / "model.keras")
    fitted = fit(
        pupil(
            network,
            lambda images: teacher(images, training=False),
            settings.temperature,
            settings.weight,
            task.several,
        ),
        task,
        settings,
        out=out,
    )
    save_model(network, out / "model.keras")
    write_history(out, fitted.history)
    labels = task.validation[1]
    taught, teaching = answers([network, teacher], task.validation)
    facts = {
        "params": network.count_params(),
        "val_accuracy": accuracy(taught, labels),
        "teacher_params": teacher.count_params(),
        "teacher_val_accuracy": accuracy(teaching, labels),
        "agreement": agreement(taught, teaching, task.several),
    }
    (out / "distillation.json").write_text(json.dumps(facts, indent=1))
    return {
        "val_accuracy": facts["val_accuracy"],
        "teacher": facts["teacher_val_accuracy"],
        "best_epoch": fitted.best_epoch + 1,
        "resumed_from_epoch": fitted.resumed_from_epoch,
    }
