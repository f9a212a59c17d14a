"""Qat: train as the int8 file will compute, and write that file."""

import json
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from pipeline.compress.aware import calibrate, quantization_aware, settle
from pipeline.compress.formats import rounded
from pipeline.compress.inventory import kernels
from pipeline.data.dataset import training_sample
from pipeline.errors import ConfigError, ConversionError
from pipeline.fit import optimizers
from pipeline.fit.ensembles.answers import answers
from pipeline.fit.files import load_model, save_model
from pipeline.fit.history import write_history
from pipeline.fit.loop import Task, fit
from pipeline.measure.closeness import closeness
from pipeline.measure.kernels import sparsity, write_kernels
from pipeline.measure.litert import LiteRT
from pipeline.measure.statistics import accuracy
from pipeline.settings import Inputs, Metrics, Qat

COMPARED = 512  # validation pictures on which the model and its file are compared
STEP = 1 / 256  # of a probability in the file
LEAST_AGREEMENT = 0.98  # a file below answers something else than the model that was trained


def check(settings: Qat) -> None:
    """Refuse what the optimizer does not take, before anything runs."""
    optimizers.check(settings, keras, "qat")


def check_network(settings: Qat, inputs: Inputs) -> None:
    """Refuse a network with a layer whose file cannot be imitated."""
    try:
        quantization_aware(load_model(inputs["candidate"] / "model.keras"))
    except ConversionError as error:
        raise ConfigError(str(error)) from error


def run(settings: Qat, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, rounded as its file, `model.tflite`, `history.csv`, `aware.json`,
    `kernels.json`.

    Raises:
        ConversionError: a layer cannot be imitated; the file answers differently, or lacks zeros or
            clusters of the candidate.
    """
    task = Task.read(inputs, settings.teacher)
    candidate = load_model(inputs["candidate"] / "model.keras")
    model = quantization_aware(candidate)
    calibrate(model, training_sample(inputs["ingest"], settings.calibration_images, settings.seed))
    fitted = fit(model, task, settings, out=out)
    settle(model)
    save_model(model, out / "model.keras")
    write_history(out, fitted.history)
    path = out / "model.tflite"
    path.write_bytes(rounded(model, settings.io))
    zeros = sparsity(write_kernels(kernels(candidate), path, out))
    images, labels = task.validation
    (said,) = answers([model], task.validation)
    close = closeness(said[:COMPARED], LiteRT(path).predict(np.asarray(images[:COMPARED])), STEP)
    facts = {
        "epochs": len(fitted.history["loss"]),
        "best_epoch": fitted.best_epoch + 1,
        "val_accuracy": accuracy(said, labels),
        **asdict(close),
    }
    (out / "aware.json").write_text(json.dumps(facts, indent=1))
    if not close.agreement >= LEAST_AGREEMENT:
        raise ConversionError(
            f"qat: the file agrees with the model it was trained as on {close.agreement:.1%} of "
            f"{close.pictures} validation pictures; take int8"
        )
    return {
        "bytes": path.stat().st_size,
        **{name: facts[name] for name in ("val_accuracy", "best_epoch", "agreement")},
        "sparsity": zeros,
        "resumed_from_epoch": fitted.resumed_from_epoch,
    }
