import math
from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from models.blocks.normalization import normalize
from pipeline.compress.legacy import mirror
from pipeline.fit.optimizers import optimizer
from pipeline.settings import Fit, Train

APIS = pytest.mark.parametrize("api", [keras, tf_keras])
NAMES = get_args(Fit.model_fields["optimizer"].annotation)


def rates(settings, steps_per_epoch, api, count):
    rate = optimizer(settings, steps_per_epoch, api)._learning_rate
    return [float(rate(step)) if callable(rate) else float(rate) for step in range(count)]


@APIS
def test_the_rate_rises_to_its_height_and_falls_along_a_cosine_to_zero(api):
    settings = Train(epochs=3, warmup_epochs=1.0, learning_rate=0.1)
    expected = [
        *(0, 0.025, 0.05, 0.075),
        *(0.1 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(9)),
    ]
    assert expected[4] == 0.1
    assert expected[8] == pytest.approx(0.05)
    assert expected[12] == 0
    assert rates(settings, 4, api, 13) == pytest.approx(expected, abs=1e-8)


@APIS
def test_without_warm_up_the_cosine_begins_at_its_height(api):
    settings = Train(epochs=2, warmup_epochs=0.0, learning_rate=0.2)
    assert rates(settings, 2, api, 5) == pytest.approx(
        [0.2, 0.1 * (1 + math.sqrt(0.5)), 0.1, 0.1 * (1 - math.sqrt(0.5)), 0], abs=1e-7
    )


@APIS
def test_a_constant_rate_stays_after_its_warm_up(api):
    settings = Train(epochs=3, warmup_epochs=0.5, learning_rate=0.1, schedule="constant")
    assert rates(settings, 4, api, 12) == pytest.approx([0, 0.05, *[0.1] * 10], abs=1e-8)
    settings = Train(epochs=3, warmup_epochs=0.0, learning_rate=0.1, schedule="constant")
    assert rates(settings, 4, api, 12) == pytest.approx([0.1] * 12)


@APIS
def test_a_run_of_one_step_has_its_full_rate(api):
    assert rates(Train(epochs=1, warmup_epochs=0.9, learning_rate=0.1), 1, api, 1) == [
        pytest.approx(0.1)
    ]


@APIS
@pytest.mark.parametrize("name", NAMES)
def test_every_optimizer_moves_weights_downhill(name, api):
    settings = Train(epochs=2, warmup_epochs=0.0, learning_rate=0.1, optimizer=name)
    made = optimizer(settings, 10, api)
    assert isinstance(made, api.optimizers.Optimizer)
    weight = tf.Variable([1.0, -1.0])
    made.build([weight])
    for _ in range(3):
        made.apply_gradients([(2 * weight, weight)])
    assert np.all(np.abs(weight.numpy()) < 1)


@APIS
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_weight_decay_spares_biases_and_normalization(name, api):
    layers = api.layers
    model = api.Sequential(
        [
            layers.Input((6, 6, 2)),
            layers.Conv2D(3, 3, use_bias=False, name="unbiased"),
            layers.BatchNormalization(name="gamma_ray"),
            layers.Flatten(),
            layers.Dense(4, name="dense"),
        ]
    )
    for weight in model.trainable_variables:
        weight.assign(tf.ones(weight.shape))
    settings = Train(warmup_epochs=0.0, learning_rate=0.1, optimizer=name, weight_decay=0.5)
    made = optimizer(settings, 10, api)
    made.build(model.trainable_variables)
    made.apply_gradients([(tf.zeros(w.shape), w) for w in model.trainable_variables])
    left = [float(np.max(weight)) for weight in model.trainable_variables]
    conv, gamma, beta, kernel, bias = left
    assert (gamma, beta, bias) == (1, 1, 1)
    assert (conv, kernel) == pytest.approx((0.95, 0.95))


@pytest.mark.parametrize("named", [None, "3.left.normalization"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_weight_decay_spares_the_scale_of_a_normalization_made_of_operations(named, mirrored):
    images = keras.Input((6, 6, 2))
    maps = keras.layers.Conv2D(8, 3, use_bias=False, name="scale")(images)
    model = keras.Model(images, normalize(maps, "group", name=named))
    model = mirror(model) if mirrored else model
    for weight in model.trainable_variables:
        weight.assign(tf.ones(weight.shape))
    settings = Train(warmup_epochs=0.0, learning_rate=0.1, optimizer="adamw", weight_decay=0.5)
    made = optimizer(settings, 10, tf_keras if mirrored else keras)
    made.build(model.trainable_variables)
    made.apply_gradients([(tf.zeros(w.shape), w) for w in model.trainable_variables])
    conv, scale, offset = (float(np.max(weight)) for weight in model.trainable_variables)
    assert (scale, offset) == (1, 1)
    assert conv == pytest.approx(0.95)


@APIS
@pytest.mark.parametrize("name", NAMES)
def test_no_weight_decay_is_asked_for_no_weight_decays(name, api):
    weight = tf.Variable([1.0, -1.0], name="kernel")
    made = optimizer(Train(optimizer=name, learning_rate=0.1), 10, api)
    made.build([weight])
    made.apply_gradients([(tf.zeros(2), weight)])
    assert weight.numpy().tolist() == [1, -1]
