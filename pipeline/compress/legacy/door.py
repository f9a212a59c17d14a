"""Import tfmot without letting it change the process it is imported into."""

import os
import warnings
from types import ModuleType

import tensorflow as tf

FLAG = "TF_USE_LEGACY_KERAS"


def import_tfmot() -> ModuleType:
    """Return tensorflow_model_optimization; what it sets on import is put back.

    It sets `TF_USE_LEGACY_KERAS`, and then asks TensorFlow for its Keras, which is looked up once
    for the whole process. Asking first, while the environment is the user's, keeps it Keras 3.
    """
    _ = tf.keras.Model
    before = os.environ.get(FLAG)
    try:
        with warnings.catch_warnings():
            # Its version check uses distutils' LooseVersion.
            warnings.filterwarnings(
                "ignore", "distutils Version classes are deprecated", DeprecationWarning
            )
            import tensorflow_model_optimization as tfmot
    finally:
        if before is None:
            os.environ.pop(FLAG, None)
        else:
            os.environ[FLAG] = before
    return tfmot  # type: ignore[no-any-return]  # the package ships no types


tfmot = import_tfmot()
