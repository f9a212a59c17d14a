"""A clean start for a stage that uses Keras."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf


def begin(seed: int) -> None:
    """Clear Keras' global state, seed everything, and make operations deterministic.

    Layer names count what was built before and random state runs on, so without this a stage
    would give other bytes after another stage than alone.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
