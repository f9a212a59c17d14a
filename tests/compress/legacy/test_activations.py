import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.compress.legacy import mirror
from pipeline.compress.legacy.activations import ACTIVATIONS, ONLY_KERAS_3
from pipeline.errors import ConversionError


@pytest.fixture(scope="module")
def values():
    grid = np.linspace(-8, 8, 4001, dtype="float32")
    return np.stack([grid, grid[::-1] * np.float32(0.37)] * 2, axis=-1)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_gives_the_same_bits(name, values):
    twin = tf_keras.activations.get(ACTIVATIONS[name])
    values = tf.constant(values)
    np.testing.assert_array_equal(twin(values), keras.activations.get(name)(values))


def test_every_activation_of_keras_3_is_listed():
    from keras.src.activations import ALL_OBJECTS

    # `threshold` takes two more arguments, so no layer can be given it by name.
    assert {function.__name__ for function in ALL_OBJECTS} - {"threshold"} == set(ACTIVATIONS)


@pytest.mark.parametrize("name", ONLY_KERAS_3)
def test_a_cloned_twin_does_not_fall_back_to_a_tf_keras_activation_of_that_name(name, values):
    images = keras.Input((4,))
    model = keras.Model(images, keras.layers.Activation(name)(images))
    clone = tf_keras.models.clone_model(mirror(model))
    np.testing.assert_array_equal(clone(values), model(values))


def test_an_activation_of_ones_own_is_refused_by_name():
    def mine(x):
        return x * 2

    images = keras.Input((4,))
    model = keras.Model(images, keras.layers.Dense(2, activation=mine, name="head")(images))
    with pytest.raises(ConversionError, match=r"'head' has the activation .*mine"):
        mirror(model)


def test_a_layer_as_activation_is_refused_by_name():
    images = keras.Input((4,))
    dense = keras.layers.Dense(2, activation=keras.layers.LeakyReLU(), name="head")
    with pytest.raises(ConversionError, match=r"'head' has the activation 'LeakyReLU'"):
        mirror(keras.Model(images, dense(images)))
