import keras
import numpy as np
import pytest

from pipeline.fit.normalization import settle


def network(seed=0):
    keras.utils.set_random_seed(seed)
    images = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(12)(x))
    x = keras.layers.Dropout(0.2)(keras.layers.ReLU()(x))
    return keras.Model(images, keras.layers.Dense(10, activation="softmax")(x))


def test_statistics_are_the_mean_over_batches_and_momentum_is_as_before(digits):
    model = network()
    (norm,) = [
        layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    batches = [digits[0][start : start + 50].astype(np.float32) for start in (0, 50, 100)]
    before = keras.Model(model.input, norm.input)
    means = [before.predict(batch, verbose=0).mean(0) for batch in batches]
    settle(model, lambda: iter((batch, None) for batch in batches))
    assert np.asarray(norm.moving_mean) == pytest.approx(np.mean(means, axis=0), abs=1e-5)
    assert norm.momentum == 0.99
