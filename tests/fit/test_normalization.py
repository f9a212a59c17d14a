import keras
import numpy as np
import pytest

from pipeline.fit.normalization import settle
from tests.fit.ensembles.test_soup import network


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
