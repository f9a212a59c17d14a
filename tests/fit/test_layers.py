"""Layers that do not learn, and those that learn at a rate of their own."""

import keras
import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.fit import session
from pipeline.fit.loop import fit
from pipeline.settings import Train
from tests.marks import slow_but

STILL = {"batch": 32, "learning_rate": 0.01, "warmup_epochs": 0.0}


@pytest.fixture
def three():
    session.begin(0)
    layers = keras.layers
    images = layers.Input((8, 8, 1), name="images")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(images))
    x = layers.Dense(16, activation="relu", name="block_1a")(x)
    x = layers.BatchNormalization(momentum=0.5, name="norm")(x)
    x = layers.Dense(16, activation="relu", name="block_2a")(x)
    return keras.Model(images, layers.Dense(10, activation="softmax", name="out")(x))


def moved(model, task, **settings):
    """How far a fit moves each layer with weights, as the largest difference."""
    before = {layer.name: layer.get_weights() for layer in model.layers}
    fit(model, task, Train(**STILL | settings))
    return {
        layer.name: max(
            float(np.abs(new - old).max())
            for new, old in zip(layer.get_weights(), before[layer.name], strict=True)
        )
        for layer in model.layers
        if layer.weights
    }


def test_frozen_layers_stay_as_they_are_their_statistics_too_and_can_learn_again(three, shorter):
    found = moved(three, shorter(128), epochs=2, freeze=["block_1*", "norm"])
    assert (found["block_1a"], found["norm"]) == (0, 0)
    assert min(found["block_2a"], found["out"]) > 0
    assert all(layer.trainable for layer in three.layers)


@pytest.mark.parametrize("optimizer", slow_but(["adam"], ["adam", "nesterov", "muon"]))
def test_a_layer_with_a_rate_of_its_own_moves_by_that_factor(optimizer, three, shorter):
    """One step from the same weights: what differs is the factor alone."""
    initial = three.get_weights()
    plain = moved(three, shorter(32), epochs=1, optimizer=optimizer)
    three.set_weights(initial)
    rates = {"block_*": 0.5, "block_2*": 0.25, "out": 0.0}
    scaled = moved(three, shorter(32), epochs=1, optimizer=optimizer, layer_rates=rates)
    assert scaled["block_1a"] == pytest.approx(0.5 * plain["block_1a"], rel=1e-4)
    assert scaled["block_2a"] == pytest.approx(0.25 * plain["block_2a"], rel=1e-4)
    assert scaled["out"] == 0 < plain["out"]
    assert scaled["norm"] == pytest.approx(plain["norm"])


@pytest.mark.parametrize("setting", [{"freeze": ["blok_1a"]}, {"layer_rates": {"blok_1a": 0.1}}])
def test_a_pattern_that_matches_no_layer_is_refused_with_the_nearest(setting, three, shorter):
    with pytest.raises(ConfigError, match=r"'blok_1a' matches no layer .*'block_1a'"):
        fit(three, shorter(32), Train(**STILL, epochs=1, **setting))
