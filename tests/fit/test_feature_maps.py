"""The strongest channels of layers spread over a network."""

import keras
import numpy as np
import pytest

from models import MODELS
from pipeline.fit.feature_maps import feature_maps


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1)).astype(np.uint8)


def test_a_layers_maps_are_what_the_next_one_takes_the_strongest_first(noise):
    model = MODELS["small_cnn"]((28, 28, 1), 3)
    first, _, last = feature_maps(model, noise, channels=5)
    relus = [one for one in model.layers if isinstance(one, keras.layers.ReLU)]
    for found, relu in ((first, relus[0]), (last, relus[-1])):
        given = keras.Model(model.input, relu.output).predict(noise.astype("float32"), verbose=0)
        assert found.shape == given.shape[1:]
        assert found.maps.shape == (2, *found.shape[:2], 5)
        for picture in range(2):
            means = given[picture].mean(axis=(0, 1))
            order = np.argsort(-means, kind="stable")[:5]
            np.testing.assert_allclose(means[found.channels[picture]], means[order], rtol=1e-5)
            shown = given[picture][:, :, found.channels[picture]]
            np.testing.assert_allclose(found.maps[picture], shown, atol=1e-4)


def test_layers_are_spread_from_the_first_to_the_last(noise):
    model = MODELS["resnet18"]((28, 28, 1), 3)
    names = [one.name for one in model.layers if isinstance(one, keras.layers.Conv2D)]
    found = [layer.name for layer in feature_maps(model, noise)]
    assert len(found) == 4
    assert (found[0], found[-1]) == (names[0], names[-1])
    assert [layer.name for layer in feature_maps(model, noise, depth=2)] == [names[0], names[-1]]


def test_few_channels_are_all_shown(noise):
    images = keras.Input((28, 28, 1))
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 3, name="only")(images))
    model = keras.Model(images, keras.layers.Dense(3, activation="softmax")(x))
    (found,) = feature_maps(model, noise)
    assert found.maps.shape == (2, 26, 26, 2)
    given = keras.Model(images, model.get_layer("only").output).predict(
        noise.astype("float32"), verbose=0
    )
    assert set(found.channels[0].tolist()) == {0, 1}
    np.testing.assert_allclose(np.sort(found.maps[0], axis=2), np.sort(given[0], axis=2), atol=1e-3)


def test_a_network_without_maps_has_none_to_show(noise):
    assert feature_maps(MODELS["mlp"]((28, 28, 1), 3), noise) == []
