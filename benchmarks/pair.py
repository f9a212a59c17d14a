"""One network as two files, float32 and int8, for benchmarks of how files are measured."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

MODEL, SIDE, CLASSES = "small_cnn", 28, 10
FORMS = ("float32", "int8")


def write_pair(folder: Path, side: int = SIDE) -> list[Path]:
    """Write both files of `MODEL` for pictures `(side, side, 1)`.

    Its weights stay as they are drawn, and it is calibrated on noise: neither changes how long an
    inference takes.
    """
    import numpy as np

    from models import MODELS
    from pipeline.compress.formats import FORMATS
    from pipeline.fit import session
    from pipeline.stages.build import with_preprocessing

    session.begin(0)
    shape = (side, side, 1)
    sample = np.random.default_rng(0).integers(0, 256, (64, *shape), np.uint8)
    model = with_preprocessing(MODELS[MODEL](shape, CLASSES), "scale", sample)
    paths = [folder / f"{form}.tflite" for form in FORMS]
    for form, path in zip(FORMS, paths, strict=True):
        path.write_bytes(FORMATS[form](model, sample, "uint8"))
    return paths
