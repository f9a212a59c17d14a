"""How often a Keras model is right: what tests hold against the figures a stage gave."""

import numpy as np

from pipeline.data.batches import plain_batches


def accuracy(model, split):
    """Share of a split that a Keras model gets right."""
    predicted = model.predict(plain_batches(split, 256), verbose=0).argmax(axis=-1)
    return float(np.mean(predicted == split[1]))
