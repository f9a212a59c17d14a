import keras
import numpy as np
import pytest

from pipeline.fit.ensembles import soup


def network(seed=0):
    keras.utils.set_random_seed(seed)
    images = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(12)(x))
    x = keras.layers.Dropout(0.2)(keras.layers.ReLU()(x))
    return keras.Model(images, keras.layers.Dense(10, activation="softmax")(x))


def judged_by(scores):
    """Judge models in turn by given accuracies."""
    left = iter(scores)
    return lambda model: (next(left), 1.0)


def test_members_that_do_not_help_stay_out():
    one = network()
    members = [[weight + shift for weight in one.get_weights()] for shift in (0, 1, 2, 3)]
    scores = [(0.7, 1.0), (0.9, 1.0), (0.8, 1.0), (0.6, 1.0)]
    # Tried from better to worse: 2, 0, 3 beside 1. With 2 it is better, with 0 worse, with 3 level.
    found = soup.stir(one, members, scores, lambda: iter(()), judged_by([0.95, 0.94, 0.95]))
    assert found == soup.Soup((1, 2, 3), (0.95, 1.0))
    for weight, (_, first, second, third) in zip(
        one.get_weights(), zip(*members, strict=True), strict=True
    ):
        assert weight == pytest.approx(np.mean([first, second, third], axis=0), abs=1e-5)


def test_where_no_mean_is_better_the_best_member_is_left():
    one = network()
    members = [[weight + shift for weight in one.get_weights()] for shift in (0, 1)]
    found = soup.stir(one, members, [(0.7, 1.0), (0.9, 1.0)], lambda: iter(()), judged_by([0.8]))
    assert found == soup.Soup((1,), (0.9, 1.0))
    for weight, kept in zip(one.get_weights(), members[1], strict=True):
        assert np.array_equal(weight, kept)


def test_among_equals_the_lower_loss_decides():
    one = network()
    members = [one.get_weights(), one.get_weights()]
    scores = [(0.9, 1.0), (0.9, 0.5)]
    found = soup.stir(one, members, scores, lambda: iter(()), lambda model: (0.9, 0.7))
    assert found.members == (1,)
