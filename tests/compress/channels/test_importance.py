import keras
import numpy as np
import pytest
from keras import layers as L

from pipeline.compress.channels import by_scale, by_taylor, by_weights, trace
from pipeline.errors import ConfigError


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 1))
    x = L.ReLU()(L.BatchNormalization(name="norm")(L.Conv2D(6, 3, name="first")(images)))
    x = L.Conv2D(5, 3, name="second", activation="relu")(x)
    x = L.Dense(10, activation="softmax", name="dense")(L.GlobalAveragePooling2D()(x))
    return keras.Model(images, x)


@pytest.mark.parametrize("norm", [1, 2])
def test_weights_are_added_up_over_all_that_a_channel_touches(model, norm, shake):
    shake(model)
    first, second = by_weights(trace(model), norm)
    made = model.get_layer("first").kernel.numpy().reshape(-1, 6)
    read = np.moveaxis(model.get_layer("second").kernel.numpy(), 2, 0).reshape(6, -1)
    gamma = model.get_layer("norm").gamma.numpy()
    each = np.concatenate([made.T, gamma[:, None], read], axis=1)
    expected = np.linalg.norm(each, norm, axis=1)
    np.testing.assert_allclose(first, expected / expected.mean(), rtol=1e-5)
    assert second.mean() == pytest.approx(1)


def test_scales_are_those_of_batch_normalization_and_others_stay(model):
    model.get_layer("norm").gamma.assign([1, -2, 3, 0, 4, 2])
    first, second = by_scale(trace(model))
    np.testing.assert_allclose(first, np.array([1, 2, 3, 0, 4, 2]) / 2)
    assert np.isinf(second).all()


def test_scales_are_refused_where_there_are_none():
    plain = keras.Sequential([keras.Input((4,)), L.Dense(8), L.Dense(2)])
    with pytest.raises(ConfigError, match="has a batch normalization with a scale"):
        by_scale(trace(plain))


def test_gradients_tell_what_the_loss_would_lose(model, digits):
    """Against the loss with each channel's reader silenced a little, by differences."""
    model.get_layer("dense").trainable = False  # frozen weights count as others do
    images, labels = digits[0][:64] / 255, digits[1][:64]
    loss = keras.losses.SparseCategoricalCrossentropy()
    traced = trace(model)
    _, second = by_taylor(traced, [(images, labels)], loss)
    _, losses = by_taylor(traced, [(images, labels)], loss, even=False)
    kernels = [model.get_layer("second").kernel, model.get_layer("dense").kernel]
    expected = np.zeros(5)
    for kernel, axis in zip(kernels, (3, 0), strict=True):
        whole = kernel.numpy()
        for channel in range(5):
            values = []
            for factor in (1.01, 0.99):
                changed = np.moveaxis(whole.copy(), axis, 0)
                changed[channel] *= factor
                kernel.assign(np.moveaxis(changed, 0, axis))
                values.append(float(loss(labels, model(images))))
            kernel.assign(whole)
            expected[channel] += abs(values[0] - values[1]) / 0.02
    np.testing.assert_allclose(second, expected / expected.mean(), rtol=0.02, atol=0.01)
    np.testing.assert_allclose(losses / losses.mean(), second, rtol=1e-5)
    np.testing.assert_allclose(losses, expected, rtol=0.02, atol=0.01 * expected.mean())


def test_gradients_average_over_batches_of_any_size(model, digits):
    images, labels = digits[0][:48] / 255, digits[1][:48]
    traced, name = trace(model), "sparse_categorical_crossentropy"
    once = by_taylor(traced, [(images, labels)], name)
    twice = by_taylor(traced, iter([(images, labels), (images, labels)]), name)
    np.testing.assert_allclose(once[0], twice[0], rtol=1e-5)
    uneven = by_taylor(traced, [(images[:32], labels[:32]), (images[32:], labels[32:])], name)
    assert np.isfinite(uneven[0]).all()


def test_what_says_nothing_is_refused(model, digits):
    with pytest.raises(ConfigError, match="got none"):
        by_taylor(trace(model), [], "mse")
    with pytest.raises(ConfigError, match="the norm is 3"):
        by_weights(trace(model), 3)
    images = np.full((2, 8, 8, 1), np.nan, "float32")
    with pytest.raises(ConfigError, match="not finite"):
        by_taylor(trace(model), [(images, np.zeros(2, int))], "sparse_categorical_crossentropy")
