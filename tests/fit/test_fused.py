"""Batch normalization by the fused kernel: the same numbers, and nothing left behind."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.compress.legacy import mirror, tf_keras
from pipeline.data.augmentation import complete
from pipeline.fit import session
from pipeline.fit.fused import fused_normalization
from pipeline.fit.loop import Task, fit
from pipeline.settings import Train

layers = keras.layers
KERNEL = "FusedBatchNormV3"


def convolutional(normalization=None):
    """A network with one normalization, inside a model of its own, and another behind it."""
    inner = keras.Sequential(
        [layers.Input((6, 6, 3)), layers.Conv2D(5, 3), normalization or layers.BatchNormalization()]
    )
    images = layers.Input((6, 6, 3))
    x = layers.ReLU()(inner(images))
    x = layers.BatchNormalization()(layers.Conv2D(4, 2)(x))
    return keras.Model(images, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def pictures(count=8):
    return tf.constant(np.random.default_rng(3).normal(5, 3, (count, 6, 6, 3)), tf.float32)


def step(model, training=True):
    """Kernels, outputs, gradients and non-trainable weights of one step."""

    @tf.function
    def graph(images):
        with tf.GradientTape() as tape:
            outputs = model(images, training=training)
            value = tf.reduce_sum(outputs**2 + outputs)
        return outputs, tape.gradient(value, model.trainable_variables)

    ran = graph.get_concrete_function(pictures())
    outputs, gradients = ran(pictures())
    return (
        [operation.type for operation in ran.graph.get_operations()].count(KERNEL),
        [outputs, *gradients, *map(np.array, model.non_trainable_weights)],
    )


def both(make, training=True, api=keras):
    """A step of the layers' own, and one by the kernel from the same weights."""
    keras.utils.set_random_seed(1)
    model = make()
    before = model.get_weights()
    kernels, wanted = step(model, training)
    assert kernels == 0
    model.set_weights(before)
    with fused_normalization(model, api):
        kernels, found = step(model, training)
    return kernels, wanted, found


@pytest.mark.parametrize(
    "options",
    [{}, {"scale": False}, {"center": False}, {"momentum": 0.5, "epsilon": 1e-6}, {"axis": 3}],
    ids=str,
)
def test_outputs_gradients_and_statistics_are_those_of_keras(options):
    kernels, wanted, found = both(lambda: convolutional(layers.BatchNormalization(**options)))
    assert kernels == 2, "the nested one and the other"
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    moved = found[-4:]
    assert all(np.abs(value).max() > 1e-3 for value in moved), "statistics moved"


def test_the_mirror_of_a_model_trains_by_it_too():
    kernels, wanted, found = both(lambda: mirror(convolutional()), api=tf_keras)
    assert kernels == 2
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_one_picture_of_one_pixel_has_no_variance():
    layer = layers.BatchNormalization()
    model = keras.Sequential([layers.Input((1, 1, 2)), layer])
    with fused_normalization(model):
        outputs = model(tf.ones((1, 1, 1, 2)), training=True)
    assert np.array_equal(outputs, np.zeros((1, 1, 1, 2)))
    np.testing.assert_allclose(layer.moving_variance, [0.99, 0.99])


def test_inference_is_the_layers_own():
    kernels, wanted, found = both(convolutional, training=False)
    assert kernels == 0
    assert all(np.array_equal(*pair) for pair in zip(wanted, found, strict=True))


@pytest.mark.parametrize(
    "normalization",
    [
        layers.BatchNormalization(trainable=False),
        layers.BatchNormalization(axis=1),
        layers.BatchNormalization(renorm=True),
    ],
    ids=["held", "axis", "renorm"],
)
def test_what_the_kernel_cannot_do_is_left_to_the_layer(normalization):
    kernels, wanted, found = both(lambda: convolutional(normalization))
    assert kernels == 1, "that of the other layer"
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_normalization_of_vectors_is_left_alone():
    model = keras.Sequential([layers.Input((7,)), layers.BatchNormalization()])
    with fused_normalization(model):
        assert "call" not in vars(model.layers[0])


def test_nothing_is_left_behind_and_what_is_saved_meanwhile_is_stock(tmp_path):
    model = convolutional()
    normalizations = [
        layer for layer in model._flatten_layers() if isinstance(layer, layers.BatchNormalization)
    ]

    def fail():
        with fused_normalization(model):
            assert all("call" in vars(layer) for layer in normalizations)
            model.save(tmp_path / "meanwhile.keras")
            raise RuntimeError("a fit that fails")

    with pytest.raises(RuntimeError, match="a fit that fails"):
        fail()
    assert not any("call" in vars(layer) for layer in normalizations)
    assert b"pix2pocket" not in (tmp_path / "meanwhile.keras").read_bytes()
    same = keras.saving.load_model(tmp_path / "meanwhile.keras", safe_mode=True)
    assert np.array_equal(same(pictures()), model(pictures()))


def test_a_fit_trains_by_the_kernel(monkeypatch):
    used = []
    kernel = tf.raw_ops.FusedBatchNormV3
    monkeypatch.setattr(
        tf.raw_ops, "FusedBatchNormV3", lambda **given: used.append(1) or kernel(**given)
    )
    images = np.random.default_rng(0).integers(0, 256, (16, 6, 6, 3), np.uint8)
    labels = np.arange(16) % 3
    session.begin(0)
    model = keras.Sequential([convolutional(), layers.Softmax()])
    task = Task((images, labels), (images, labels), complete([]))
    fit(model, task, Train(epochs=2, batch=8, warmup_epochs=0))
    assert len(used) >= 2
