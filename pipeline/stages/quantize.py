"""Quantize: give a trained model its numeric form, as a .tflite file."""

import json
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline.compress.formats import FORMATS, calibrated, quantized
from pipeline.compress.fresh import stir
from pipeline.compress.inventory import kernels
from pipeline.compress.tensors import layers_behind
from pipeline.data.batches import plain_batches
from pipeline.data.dataset import training_sample, validation_split
from pipeline.data.sources import Images
from pipeline.errors import ConversionError
from pipeline.fit.files import load_model
from pipeline.measure.consultation import FILE, consultation
from pipeline.measure.doctor import Patient, Treatment, treat
from pipeline.measure.kernels import sparsity, write_kernels
from pipeline.measure.litert import LiteRT
from pipeline.measure.statistics import accuracy
from pipeline.progress import bar
from pipeline.settings import Inputs, Metrics, Quantize

TRIED = 8  # pictures every file is run on before it counts
WATCHED = 64  # pictures whose activations are compared
BATCH = 256


def run(settings: Quantize, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.tflite` and `kernels.json`, of an int8 file `doctor.json` too.

    Training pictures alone calibrate; what goes back to float32 is chosen on validation.

    Raises:
        ConversionError: the converter refuses the model, or LiteRT its file; or zeros or clusters
            of the model are lost in it.
    """
    model = load_model(inputs["candidate"] / "model.keras")
    if settings.untrained:
        stir(model)
    sample = training_sample(inputs["ingest"], settings.calibration_images, settings.seed)
    path = out / "model.tflite"
    found: Metrics = {}
    if settings.format == "int8" and not settings.untrained:
        found = _seen_by_the_doctor(settings, inputs["ingest"], model, sample, out)
    else:
        path.write_bytes(FORMATS[settings.format](model, sample, settings.io))
    answers = LiteRT(path).predict(sample[:TRIED])
    if not np.isfinite(answers).all():
        raise ConversionError(f"{settings.format}: the file answers with NaN or infinity")
    zeros = sparsity(write_kernels(kernels(model), path, out))
    return {"bytes": path.stat().st_size, "sparsity": zeros, **found}


def _seen_by_the_doctor(
    settings: Quantize, ingest: Path, model: keras.Model, sample: Images, out: Path
) -> Metrics:
    """Write the int8 file, mended where it loses too much, and `doctor.json`."""
    images, labels = validation_split(ingest)
    original = calibrated(model, sample)
    with tempfile.TemporaryDirectory(prefix="pix2pocket-") as folder, bar() as shown:
        task = shown.add_task("quantizing", total=None, note="")

        def make(in_float: Collection[str]) -> bytes:
            shown.advance(task)
            return quantized(original, settings.io, in_float)

        path = Path(folder) / "calibrated.tflite"
        path.write_bytes(original)
        patient = Patient(
            original=path,
            make=make,
            accuracy=accuracy(
                model.predict(plain_batches((images, labels), BATCH), verbose=0), labels
            ),
            pictures=images,
            labels=labels,
            sample=sample[:WATCHED],
            max_drop_pp=settings.max_drop_pp,
            max_float_share=settings.max_float_share,
        )
        treatment = treat(patient, Path(folder))
        told = consultation(patient, treatment, layers_behind(model), Path(folder))
    (out / "model.tflite").write_bytes(treatment.ship.blob)
    (out / FILE).write_text(json.dumps(told, indent=1, allow_nan=False))
    return _metrics(treatment)


def _metrics(treatment: Treatment) -> dict[str, Any]:
    return {
        "drop_pp": treatment.ship.drop_pp,
        "in_float": len(treatment.ship.in_float),
    }
