"""Averaged weights are what is validated and kept, the weights what goes on learning."""

import keras
import numpy as np
import pytest

from pipeline.fit import session
from pipeline.fit.loop import fit
from pipeline.settings import Train
from tests.keras_accuracy import accuracy

EMA = 0.8


class Follow(keras.callbacks.Callback):
    """Average the weights after each step by hand, and note what validation meets."""

    def __init__(self):
        super().__init__()
        self.average, self.met, self.weights = None, [], []

    def learned(self):
        return [np.array(variable) for variable in self.model.trainable_variables]

    def on_train_batch_end(self, batch, logs=None):
        now = self.learned()
        if self.average is None:  # as Keras, whose first average is the first weights
            self.average = now
        else:
            pairs = zip(self.average, now, strict=True)
            self.average = [EMA * old + (1 - EMA) * new for old, new in pairs]

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0:
            self.weights.append(self.learned())

    def on_epoch_end(self, epoch, logs=None):
        self.met.append((self.learned(), self.average))


def test_validation_meets_the_average_and_training_goes_on_from_the_weights(shorter, network):
    session.begin(0)
    model, follow = network(keras), Follow()
    settings = Train(epochs=3, batch=32, learning_rate=0.01, ema=EMA)
    done = fit(model, shorter(128), settings, callbacks=[follow])
    for met, average in follow.met:
        for one, other in zip(met, average, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    for weights, (average, _) in zip(follow.weights[1:], follow.met[:-1], strict=True):
        assert not np.allclose(weights[0], average[0], atol=1e-4)
    best = follow.met[done.best_epoch][0]
    kept = [np.array(variable) for variable in model.trainable_variables]
    assert all(np.array_equal(one, two) for one, two in zip(kept, best, strict=True))
    correct = accuracy(model, shorter(128).validation)
    assert correct == pytest.approx(done.best["val_accuracy"])
