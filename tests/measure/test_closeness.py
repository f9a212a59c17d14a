import numpy as np
import pytest

from pipeline.measure.closeness import closeness

MODEL = np.array([[1.0, 0.0, -1.0], [0.5, 0.4, 0.0], [0.0, 2.0, 1.0]])


def test_equal_answers_agree_without_difference():
    found = closeness(MODEL, MODEL.copy(), step=0.01)
    assert (found.pictures, found.rms, found.ties, found.agreement) == (3, 0.0, 0, 1.0)


def test_differences_are_over_the_spread_of_the_answers():
    found = closeness(MODEL, MODEL + 0.1, step=0.01)
    assert found.rms == pytest.approx(0.1 / MODEL.std())


def test_a_near_tie_is_counted_and_left_out():
    other = MODEL.copy()
    other[1] = [0.4, 0.5, 0.0]
    assert closeness(MODEL, other, step=0.1).ties == 1
    assert closeness(MODEL, other, step=0.1).agreement == 1.0
    assert closeness(MODEL, other, step=0.01).ties == 0
    assert closeness(MODEL, other, step=0.01).agreement == pytest.approx(2 / 3)


def test_where_all_are_ties_none_disagrees():
    found = closeness(MODEL, -MODEL, step=10.0)
    assert (found.ties, found.agreement) == (3, 1.0)
