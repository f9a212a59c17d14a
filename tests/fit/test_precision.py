"""Half the bits while training, whole ones in what is kept."""

import keras
import numpy as np
import pytest

from pipeline.fit import session
from pipeline.fit.loop import fit
from pipeline.fit.precision import recast
from pipeline.settings import Train
from tests.marks import slow_but


def test_whole_precision_is_the_model_itself(network):
    model = network(keras)
    assert recast(model, "float32") is model


@pytest.mark.parametrize(
    "precision", slow_but(["mixed_bfloat16"], ["mixed_bfloat16", "mixed_float16"])
)
def test_a_twin_computes_in_half_the_bits_and_learns_whole_weights(precision, task, network):
    session.begin(0)
    model = network(keras)
    model.layers[2].trainable = False
    twin = recast(model, precision)
    assert [layer.compute_dtype for layer in twin.layers[1:-1]] == [precision[6:]] * 4
    assert twin.layers[-1].compute_dtype == "float32"
    assert {weight.dtype for weight in twin.weights} == {"float32"}
    assert [layer.trainable for layer in twin.layers] == [layer.trainable for layer in model.layers]
    assert all(
        np.array_equal(one, two)
        for one, two in zip(model.get_weights(), twin.get_weights(), strict=True)
    )
    model.layers[2].trainable = twin.layers[2].trainable = True
    done = fit(twin, task, Train(epochs=3, batch=32, learning_rate=0.01))
    assert done.best["val_accuracy"] > 0.6
    model.set_weights(twin.get_weights())
    images = task.validation[0].astype(np.float32)
    ours, theirs = (net.predict(images, verbose=0).argmax(-1) for net in (model, twin))
    assert np.mean(ours == theirs) > 0.97
