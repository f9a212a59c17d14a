"""Export: lay out what is deployed, once each file has been loaded again and agrees."""

import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipeline.compress.formats import INPUT, OUTPUT, SIGNATURE, save_signature
from pipeline.data.dataset import validation_split
from pipeline.data.sources import Images
from pipeline.errors import ConversionError
from pipeline.fit.files import load_model
from pipeline.measure.litert import LiteRT
from pipeline.settings import REFERENCE, Export, Inputs, Metrics

SAME_GRAPH = 1e-5  # largest difference of probabilities that a SavedModel may show
SAME_NUMBERS = 1e-4  # and the float32 .tflite, whose kernels add in another order


def run(settings: Export, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, `saved_model/` and `tflite/<variant>.tflite`.

    Raises:
        ConversionError: a file cannot be loaded, or differs from the Keras model by more than it
            may.
    """
    shutil.copy(inputs["train"] / "model.keras", out / "model.keras")
    model = load_model(out / "model.keras")
    images = validation_split(inputs["ingest"])[0][: settings.pictures]
    expected = model.predict(images.astype(np.float32), verbose=0)
    save_signature(model, out / "saved_model")
    saved = _agree(
        _run_saved_model(out / "saved_model", images), expected, SAME_GRAPH, "saved_model"
    )
    (out / "tflite").mkdir()
    variants = [role for role in inputs if role not in {"ingest", "train"}]
    for variant in variants:
        shutil.copy(inputs[variant] / "model.tflite", out / "tflite" / f"{variant}.tflite")
    reference = out / "tflite" / f"{REFERENCE}.tflite"
    _agree(LiteRT(reference).predict(images), expected, SAME_NUMBERS, reference.name)
    return {"files": len(variants), "saved_model_difference": saved}


def _run_saved_model(folder: Path, images: Images) -> np.ndarray:
    signature = tf.saved_model.load(str(folder)).signatures[SIGNATURE]
    answer: np.ndarray = signature(**{INPUT: tf.cast(images, tf.float32)})[OUTPUT].numpy()
    return answer


def _agree(answers: np.ndarray, expected: np.ndarray, most: float, name: str) -> float:
    """Return the largest difference, or refuse the file when it is above `most`."""
    difference = float(np.max(np.abs(answers - expected)))
    if not difference <= most:
        raise ConversionError(
            f"{name}: its probabilities differ by {difference:.2g} from the Keras model's; at most "
            f"{most:.0e} may"
        )
    return difference
