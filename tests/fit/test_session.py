import random

import keras
import numpy as np
import tensorflow as tf

from models import MODELS
from pipeline.fit import session


def names_and_draws():
    """Everything of a session that could depend on what ran before in the process."""
    model = MODELS["small_cnn"]((8, 8, 1), 10, width=4)
    dropped = keras.layers.Dropout(0.5)(np.ones((1, 64), np.float32), training=True)
    draws = [
        random.random(),
        np.random.random(),  # noqa: NPY002  the global generator is what is asked about
        float(tf.random.uniform(())),
        float(keras.random.uniform(())),
        *np.asarray(dropped).ravel().tolist(),
    ]
    return [layer.name for layer in model.layers], [w.tolist() for w in model.get_weights()], draws


def test_names_and_random_draws_do_not_depend_on_what_ran_before():
    session.begin(5)
    alone = names_and_draws()
    names_and_draws()
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).predict(np.ones((1, 3)), verbose=0)
    session.begin(5)
    assert names_and_draws() == alone


def test_another_seed_draws_otherwise():
    session.begin(5)
    names, weights, draws = names_and_draws()
    session.begin(6)
    other_names, other_weights, other_draws = names_and_draws()
    assert names == other_names
    assert weights != other_weights
    assert draws != other_draws
