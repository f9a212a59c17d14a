"""Keras models as files whose bytes are a function of the model alone."""

import json
import zipfile
from pathlib import Path

import keras

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold


def save_model(model: keras.Model, path: Path) -> None:
    """Save as `.keras` in canonical form: no dates, no optimizer, members in order of their names.

    Keras writes the time of saving into `metadata.json` and into the zip's directory, and the
    optimizer of a compiled model into both others; equal models would differ. What a model has
    for its training alone, as the projections of a pupil, comes last in its weights and stays out.
    """
    bare = model.__class__.from_config(model.get_config())
    bare.set_weights(model.get_weights()[: len(bare.weights)])
    draft = path.with_name(f"draft-{path.name}")
    keras.saving.save_model(bare, draft)
    with zipfile.ZipFile(draft) as given, zipfile.ZipFile(path, "w") as canonical:
        for name in sorted(given.namelist()):
            content = given.read(name)
            if name == "metadata.json":
                facts = json.loads(content)
                content = json.dumps({"keras_version": facts["keras_version"]}).encode()
            canonical.writestr(zipfile.ZipInfo(name, EPOCH), content)
    draft.unlink()


def load_model(path: Path) -> keras.Model:
    """Load a `.keras` of our own making: built-in layers and those registered as pix2pocket."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)
