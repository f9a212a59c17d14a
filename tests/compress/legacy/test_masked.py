"""Weights that are zero have no gradients, in every kind of layer that is pruned."""

import keras
import numpy as np
import pytest
from keras import layers as L

from pipeline.compress.kernels import KERNELS, kernel, leaves
from pipeline.compress.legacy.pruning import prune
from pipeline.compress.schedule import Ramp


def network():
    images = x = keras.Input((8, 8, 1))
    x = L.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = L.SeparableConv2D(6, 3, padding="same", activation="relu")(x)
    x = L.Conv2DTranspose(4, 3, activation="relu")(x)
    return keras.Model(images, L.Dense(10, activation="softmax")(L.Flatten()(x)))


@pytest.fixture(scope="module")
def tuned(digits):
    """The wrappers of a model pruned at once, their momenta, and what calls computed with."""
    images, labels = digits
    images, labels = images[:256], labels[:256]
    found = {}

    def fit(model, *, api, callbacks):
        model.compile(api.optimizers.SGD(0.001, momentum=0.9), "sparse_categorical_crossentropy")
        model.fit(images, labels, batch_size=64, verbose=0, callbacks=callbacks)
        momenta = zip(model.trainable_variables, model.optimizer.momentums, strict=True)
        momentum = {variable.ref(): one.numpy() for variable, one in momenta}
        for _, wrapper in leaves(model):
            if hasattr(wrapper, "pruning_vars"):
                weight, mask, _ = wrapper.pruning_vars[0]
                name = type(wrapper.layer).__name__
                found[name] = (wrapper.layer, weight, mask.numpy(), momentum[weight.ref()])
        found["answers"] = model.predict(images, verbose=0)

    keras.utils.set_random_seed(0)
    ramp = Ramp.over(4, 0.5, kind="constant", end=0.5)
    found["pruned"] = prune(network(), fit, ramp, images[:32]).model
    found["expected"] = found["pruned"].predict(images, verbose=0)
    return found


@pytest.mark.parametrize("kind", KERNELS)
def test_only_weights_that_are_there_have_momentum(tuned, kind):
    _, _, mask, momentum = tuned[kind]
    assert mask.mean() == pytest.approx(0.5, abs=0.1)
    assert not momentum[mask == 0].any()
    assert np.mean(momentum[mask == 1] != 0) > 0.9


@pytest.mark.parametrize("kind", KERNELS)
def test_afterwards_a_layer_is_as_it_was(tuned, kind):
    layer, weight, _, _ = tuned[kind]
    assert "call" not in vars(layer)
    assert kernel(layer) is weight
    assert any(one is weight for one in layer.trainable_weights)


def test_answers_are_those_of_the_weights_with_zeros(tuned):
    np.testing.assert_allclose(tuned["answers"], tuned["expected"], atol=1e-6)
