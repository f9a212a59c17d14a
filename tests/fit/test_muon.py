import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.compress.legacy import mirror
from pipeline.fit import session
from pipeline.fit.loop import fit
from pipeline.fit.muon import Muon, is_matrix, of, orthogonal
from pipeline.settings import Train
from tests.marks import slow_but

APIS = pytest.mark.parametrize("api", [keras, tf_keras])
SHAPES = {"first": (3, 3, 1, 4), "hidden": (3, 3, 4, 8), "dense": (12, 7), "last": (7, 5)}


def iterated(matrix):
    """Five steps of Newton-Schulz as the paper writes them, in float64."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / np.linalg.norm(matrix)
    x = x.T if len(x) > len(x.T) else x
    for _ in range(5):
        x = a * x + (b * (x @ x.T) + c * (x @ x.T) @ (x @ x.T)) @ x
    return x.T if len(matrix) > len(matrix.T) else x


def by_hand(weight, gradients, rate, decay, matrix):
    """What the optimizer should make of a weight, in plain NumPy."""
    m, v = np.zeros_like(weight), np.zeros_like(weight)
    for step, g in enumerate(gradients, 1):
        weight = weight * (1 - rate * decay)
        if matrix:
            m = 0.95 * m + g
            flat = (g + 0.95 * m).reshape(-1, g.shape[-1])
            weight = weight - rate * 0.2 * max(flat.shape) ** 0.5 * iterated(flat).reshape(g.shape)
        else:
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            weight = weight - rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-7)
    return weight


def kernels(shapes=SHAPES):
    random = np.random.default_rng(0)
    return [
        tf.Variable(random.normal(size=shape).astype(np.float32), name=f"{name}/kernel")
        for name, shape in shapes.items()
    ]


def stepped(made, weights, steps=1):
    """The gradients of so many steps, which are taken."""
    random = np.random.default_rng(1)
    gradients = [[random.normal(size=w.shape) for w in weights] for _ in range(steps)]
    made.build(weights)
    for now in gradients:
        made.apply_gradients(
            [(tf.constant(g, tf.float32), w) for g, w in zip(now, weights, strict=True)]
        )
    return gradients


@APIS
@pytest.mark.parametrize("ends", [False, True])
def test_steps_are_those_of_plain_numpy(ends, api):
    weights = kernels(SHAPES | {"bias": (5,), "depthwise": (3, 3, 4, 1)})
    before = [w.numpy().astype(float) for w in weights]
    made = of(Muon, api)(0.05, first=ends, last=ends, weight_decay=0.1)
    gradients = stepped(made, weights, steps=4)
    matrices = [ends, True, True, ends, False, False]
    for place, (weight, matrix) in enumerate(zip(weights, matrices, strict=True)):
        own = [now[place] for now in gradients]
        expected = by_hand(before[place], own, 0.05, 0.1, matrix)
        assert weight.numpy() == pytest.approx(expected, abs=3e-5), weight.name


@APIS
def test_the_step_of_a_convolution_is_near_an_orthogonal_matrix_and_as_long_as_said(api):
    weights = kernels()
    before = [w.numpy() for w in weights]
    stepped(of(Muon, api)(1.0, rms=0.2), weights)
    for old, new in list(zip(before, weights, strict=True))[1:3]:
        step = (old - new.numpy()).reshape(-1, old.shape[-1])
        values = np.linalg.svd(step / (0.2 * max(step.shape) ** 0.5), compute_uv=False)
        assert 0.6 < values.min() <= values.max() < 1.3
        assert np.sqrt(np.mean(step**2)) == pytest.approx(0.2, rel=0.25)


@pytest.mark.parametrize("shape", [(40, 8), (8, 40), (8, 8), (300, 2)])
def test_singular_values_come_near_one_and_singular_vectors_stay(shape):
    matrix = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    turned = u.T @ orthogonal(tf.constant(matrix)).numpy() @ vt.T
    values = np.diag(turned)
    assert turned == pytest.approx(np.diag(values), abs=1e-4)
    assert 0.3 < values.min() <= values.max() < 1.3


def test_a_kernel_without_a_gradient_stays_and_is_no_nan():
    assert (orthogonal(tf.zeros((6, 3))).numpy() == 0).all()


@APIS
def test_depthwise_kernels_biases_and_normalization_are_no_matrices(api):
    layers = api.layers
    images = layers.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(images)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.DepthwiseConv2D(3, name="apart")(x)
    x = layers.SeparableConv2D(6, 3, name="separable")(x)
    x = layers.Dense(5, name="dense")(layers.Flatten()(x))
    weights = api.Model(images, x).trainable_variables
    named = [(getattr(w, "path", w.name).split(":")[0], w) for w in weights]
    assert [name for name, w in named if is_matrix(w)] == [
        "conv/kernel",
        "separable/pointwise_kernel",
        "dense/kernel",
    ]


@APIS
def test_all_it_knows_is_in_its_variables(api):
    whole, first, second = (kernels() for _ in range(3))
    made = of(Muon, api)(0.05)
    stepped(made, whole)
    stepped(made, whole)
    one, two = of(Muon, api)(0.05), of(Muon, api)(0.05)
    stepped(one, first)
    two.build(second)
    variables = (lambda o: o.variables) if api is keras else (lambda o: o.variables())
    for into, value in zip([*variables(two), *second], [*variables(one), *first], strict=True):
        into.assign(value)
    stepped(two, second)
    assert all(np.array_equal(a, b) for a, b in zip(whole, second, strict=True))


@APIS
def test_it_is_made_again_from_what_is_saved_of_it(api):
    made = of(Muon, api)(0.05, momentum=0.8, last=True, weight_decay=0.1)
    saved = api.optimizers.serialize(made)
    again = api.optimizers.deserialize(json.loads(json.dumps(saved)))
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()
    assert (again.momentum, again.first, again.last) == (0.8, False, True)


def convolutions():
    layers = keras.layers
    images = x = layers.Input((8, 8, 1))
    x = layers.Rescaling(1 / 255)(x)
    for channels in (8, 16, 16):
        x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, layers.Dense(10, activation="softmax")(x))


@pytest.mark.parametrize("api", slow_but([keras], [keras, tf_keras]))
def test_it_learns_digits_in_fewer_steps_than_adam(api, task):
    losses = {}
    for name, rate in (("adam", 0.01), ("adam", 0.03), ("muon", 0.03)):
        session.begin(0)
        model = convolutions() if api is keras else mirror(convolutions())
        settings = Train(epochs=3, batch=32, warmup_epochs=0.5, learning_rate=rate, optimizer=name)
        losses[name, rate] = fit(model, task, settings, api=api).history["val_loss"][-1]
    assert losses.pop(("muon", 0.03)) < min(losses.values())
