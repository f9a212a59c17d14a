import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

from pipeline.compress.aware import calibrate, quantization_aware
from pipeline.compress.aware.layers import FakeQuantize, QuantizedKernel, round_kernel

LAYERS = {
    "conv": (lambda: L.Conv2D(5, 3), (3, 3, 4, 5)),
    "grouped": (lambda: L.Conv2D(6, 3, groups=2), (3, 3, 2, 6)),
    "depthwise": (lambda: L.DepthwiseConv2D(3, depth_multiplier=2), (3, 3, 4, 2)),
    "transposed": (lambda: L.Conv2DTranspose(5, 3), (3, 3, 5, 4)),
    "dense": (lambda: L.Dense(5), (4, 5)),
}
CHANNELS = {"depthwise": (2, 3), "transposed": (2,)}


@pytest.fixture(params=LAYERS)
def layer(request):
    make, shape = LAYERS[request.param]
    made = make()
    made.build((None, 6, 6, 4) if len(shape) == 4 else (None, 4))
    assert tuple(made.kernel.shape) == shape
    axes = CHANNELS.get(request.param, (len(shape) - 1,))
    others = tuple(axis for axis in range(len(shape)) if axis not in axes)
    return made, np.random.default_rng(0).normal(size=shape).astype("float32"), others


def test_each_channel_has_its_own_255_values_about_zero(layer):
    made, kernel, others = layer
    rounded = np.asarray(round_kernel(tf.constant(kernel), made))
    step = np.abs(kernel).max(axis=others, keepdims=True) / 127
    numbers = rounded / step
    np.testing.assert_allclose(numbers, np.rint(numbers), atol=1e-4)
    assert np.abs(numbers).max() == pytest.approx(127)
    assert np.abs(rounded - kernel).max() <= step.max() / 2 * 1.001


def test_rounding_again_changes_nothing(layer):
    made, kernel, _ = layer
    rounded = round_kernel(tf.constant(kernel), made)
    np.testing.assert_allclose(round_kernel(rounded, made), rounded, rtol=1e-6)


def test_zeros_stay_zero_and_a_channel_of_zeros_is_no_trouble(layer):
    made, kernel, _ = layer
    kernel[..., 0] = 0
    rounded = np.asarray(round_kernel(tf.constant(kernel), made))
    assert np.isfinite(rounded).all()
    assert (rounded[..., 0] == 0).all()


def test_gradients_of_kernels_pass_the_rounding(layer):
    made, kernel, _ = layer
    weights = tf.constant(kernel)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        total = tf.reduce_sum(round_kernel(weights, made))
    np.testing.assert_array_equal(tape.gradient(total, weights), np.ones_like(kernel))


def small(filters=8):
    images = keras.Input((6, 6, 1))
    x = L.Conv2D(filters, 3, name="conv")(images)
    return keras.Model(images, L.Dense(3, activation="softmax", name="head")(L.Flatten()(x)))


def pictures(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (64, 6, 6, 1)).astype("float32")


def train(model, steps=3):
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    model.fit(pictures(), np.arange(64) % 3, epochs=steps, verbose=0)


def ranges(model):
    layers = [layer for layer in model.layers if isinstance(layer, FakeQuantize)]
    return {layer.name: (float(layer.low), float(layer.high)) for layer in layers}


def test_a_range_is_what_calibration_saw_then_follows_training_and_stays_at_inference():
    keras.utils.set_random_seed(0)
    model = small()
    aware = quantization_aware(model)
    calibrate(aware, pictures())
    seen = model.get_layer("conv")(pictures())
    found = ranges(aware)["conv.scale"]
    assert found == pytest.approx(
        (float(tf.reduce_min(seen)), float(tf.reduce_max(seen))), rel=0.02
    )
    train(aware)
    moved = ranges(aware)["conv.scale"]
    assert moved != found
    assert moved == pytest.approx(found, rel=0.2)
    aware.predict(10 * pictures(), verbose=0)
    assert ranges(aware)["conv.scale"] == moved


def test_fixed_ranges_stay():
    aware = quantization_aware(small())
    calibrate(aware, pictures() / 2)
    train(aware)
    assert ranges(aware)["pixels.scale"] == (0.0, 255.0)
    assert ranges(aware)["head.softmax.scale"] == (0.0, pytest.approx(255 / 256))


def test_pixels_are_rounded_to_bytes():
    aware = quantization_aware(small())
    calibrate(aware, pictures())
    exact, between = pictures(), pictures() + 0.3
    np.testing.assert_array_equal(
        aware.predict(exact, verbose=0), aware.predict(np.minimum(between, 255), verbose=0)
    )


def test_zeros_of_a_kernel_stay_through_training():
    keras.utils.set_random_seed(0)
    model = small(16)
    kernel = np.asarray(model.get_layer("conv").kernel)
    kernel = np.where(np.random.default_rng(0).random(kernel.shape) < 0.7, 0, kernel)
    model.get_layer("conv").set_weights([kernel, np.zeros(16)])
    aware = quantization_aware(model)
    calibrate(aware, pictures())
    layer = aware.get_layer("conv.rounded")
    before = np.asarray(layer.kernel())
    train(aware)
    after = np.asarray(layer.kernel())
    assert (after[kernel == 0] == 0).all()
    assert (after != before).any()
    assert not aware.get_layer("head.rounded").sparse


def test_clusters_of_a_kernel_stay_through_training_and_move():
    keras.utils.set_random_seed(0)
    model = small(16)
    values = np.array([-0.3, -0.1, 0.0, 0.2], "float32")
    numbers = np.random.default_rng(0).integers(0, 4, (3, 3, 1, 16))
    model.get_layer("conv").set_weights([values[numbers], np.zeros(16)])
    aware = quantization_aware(model)
    calibrate(aware, pictures())
    layer = aware.get_layer("conv.rounded")
    train(aware)
    after = np.asarray(layer.kernel())
    assert not np.isin(after, values).all()
    for channel in range(16):
        assert len(np.unique(after[..., channel])) <= 4
    np.testing.assert_array_equal(after[numbers == 2], 0)


def test_a_kernel_of_many_values_is_not_taken_for_clustered():
    aware = quantization_aware(small())
    layers = [layer for layer in aware.layers if isinstance(layer, QuantizedKernel)]
    assert [(layer.sparse, layer.clusters) for layer in layers] == [(False, 0), (False, 0)]
