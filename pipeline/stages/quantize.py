"""Quantize: give a trained model its numeric form, as a .tflite file."""

from pathlib import Path

import numpy as np

from pipeline.compress.formats import FORMATS
from pipeline.compress.fresh import stir
from pipeline.compress.inventory import kernels
from pipeline.data.dataset import training_sample
from pipeline.errors import ConversionError
from pipeline.fit.files import load_model
from pipeline.measure.kernels import sparsity, write_kernels
from pipeline.measure.litert import LiteRT
from pipeline.settings import Inputs, Metrics, Quantize

TRIED = 8  # pictures every file is run on before it counts


def run(settings: Quantize, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.tflite` and `kernels.json`; calibrate on training pictures only.

    Raises:
        ConversionError: the converter refuses the model, or LiteRT its file; or zeros or clusters
            of the model are lost in it.
    """
    model = load_model(inputs["candidate"] / "model.keras")
    if settings.untrained:
        stir(model)
    sample = training_sample(inputs["ingest"], settings.calibration_images, settings.seed)
    flatbuffer = FORMATS[settings.format](model, sample, settings.io)
    path = out / "model.tflite"
    path.write_bytes(flatbuffer)
    answers = LiteRT(path).predict(sample[:TRIED])
    if not np.isfinite(answers).all():
        raise ConversionError(f"{settings.format}: the file answers with NaN or infinity")
    zeros = sparsity(write_kernels(kernels(model), path, out))
    return {"bytes": len(flatbuffer), "sparsity": zeros}
