"""What a network draws while it trains is decided by seed, epoch and batch, in either Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L
from keras.src.applications import convnext

from pipeline.compress import legacy
from pipeline.fit import session
from pipeline.fit.randomness import begin_epoch, give_states, states
from tests.marks import slow_but

DRAWING = {
    "dropout": lambda: L.Dropout(0.4),
    "spatial_dropout": lambda: L.SpatialDropout2D(0.4),
    "alpha_dropout": lambda: L.AlphaDropout(0.4),
    "gaussian_dropout": lambda: L.GaussianDropout(0.4),
    "gaussian_noise": lambda: L.GaussianNoise(0.4),
}
ONES = np.ones((8, 4, 4, 3), np.float32)


def plain(model):
    return model


def mirror(model):
    twin = legacy.mirror(model)
    give_states(twin)
    return twin


def twice(layer):
    """A network of two such layers side by side, which are not to draw the same."""
    images = keras.Input(ONES.shape[1:])
    return keras.Model(images, [layer()(images), layer()(images)])


def drawn(model, seed, epoch, batches=2):
    """What both layers draw in the first batches of an epoch, in a graph as `fit` makes one."""
    step = tf.function(lambda images: model(images, training=True))
    begin_epoch(model, seed, epoch)
    return [np.asarray(noise) for _ in range(batches) for noise in step(tf.constant(ONES))]


@pytest.mark.parametrize("form", [plain, mirror])
@pytest.mark.parametrize("name", slow_but(["dropout", "gaussian_noise"], DRAWING))
def test_noise_is_decided_by_seed_epoch_and_batch(name, form):
    session.begin(0)
    first = form(twice(DRAWING[name]))
    noise = drawn(first, 3, 5)
    session.begin(1)
    other = form(twice(DRAWING[name]))
    drawn(other, 7, 0)
    assert all(map(np.array_equal, noise, drawn(other, 3, 5))), "whatever was before"
    everything = [*noise, *drawn(other, 3, 6), *drawn(other, 4, 5)]
    assert len({array.tobytes() for array in everything}) == len(everything), "nothing comes twice"
    assert all((array != 1).any() for array in everything)


@pytest.mark.parametrize("form", [plain, mirror])
def test_noise_goes_on_from_states_that_were_kept(form):
    model = form(twice(DRAWING["dropout"]))
    drawn(model, 3, 5, batches=1)
    kept = [np.array(state) for state in states(model)]
    assert len(kept) == 2
    wanted = drawn(model, 3, 5)[2:]
    for state, value in zip(states(model), kept, strict=True):
        state.assign(value)
    assert all(map(np.array_equal, wanted, model(ONES, training=True)))


def test_a_mirrored_stochastic_depth_drops_whole_pictures():
    model = mirror(twice(lambda: convnext.StochasticDepth(0.5)))
    noise = drawn(model, 0, 0)
    for pictures in noise:
        of_each = pictures.reshape(len(pictures), -1)
        assert (of_each == of_each[:, :1]).all()
        assert set(of_each[:, 0]) == {0, 2}
    assert all(map(np.array_equal, noise, drawn(model, 0, 0)))
