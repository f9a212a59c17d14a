import numpy as np
import pytest
from scipy.stats import binomtest

from pipeline.measure.statistics import (
    accuracy,
    agreement,
    answers,
    drop_pp,
    mcnemar,
    right,
    wilson,
)

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.4, 0.4, 0.2]], np.float32)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(
    ("correct", "n"), [(0, 1), (1, 1), (0, 360), (360, 360), (353, 360), (9422, 10_000)]
)
def test_wilson_is_what_scipy_says(correct, n, confidence):
    expected = binomtest(correct, n).proportion_ci(confidence, method="wilson")
    assert wilson(correct, n, confidence) == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize(("correct", "n"), [(1, 0), (0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(correct, n):
    with pytest.raises(ValueError, match="is no share"):
        wilson(correct, n)


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(0, 1), (5, 0), (3, 3), (7, 12), (40, 41), (900, 1_000), (2, 3_000)]
)
def test_mcnemar_is_the_exact_binomial_test(only_a, only_b):
    a_right = np.array([True] * only_a + [False] * only_b + [True, False])
    b_right = np.array([False] * only_a + [True] * only_b + [True, False])
    expected = binomtest(only_a, only_a + only_b).pvalue
    assert mcnemar(a_right, b_right) == pytest.approx(expected, abs=1e-12, rel=1e-9)
    assert mcnemar(b_right, a_right) == mcnemar(a_right, b_right)


def test_models_that_err_on_the_same_pictures_do_not_differ():
    same = np.array([True, False, True])
    assert mcnemar(same, same) == 1.0
    with pytest.raises(ValueError, match="not the same pictures"):
        mcnemar(same, same[:2])


def test_accuracy_counts_the_first_of_equal_tops():
    labels = np.array([0, 2, 0], np.int64)
    assert right(PROBABILITIES, labels).tolist() == [True, True, True]
    assert accuracy(PROBABILITIES, np.array([0, 2, 1], np.int64)) == pytest.approx(2 / 3)


@pytest.mark.parametrize("labels", [np.zeros(2, np.int64), np.zeros((3, 2), np.uint8)])
def test_labels_of_other_pictures_are_refused(labels):
    with pytest.raises(ValueError, match="do not fit"):
        right(PROBABILITIES, labels)
    with pytest.raises(ValueError, match="do not fit"):
        right(PROBABILITIES[:0], labels[:0])


def test_agreement_looks_at_the_top_class_only():
    blunt = np.array([[0.5, 0.4, 0.1], [0.3, 0.4, 0.3], [0.9, 0.0, 0.1]], np.float32)
    assert agreement(PROBABILITIES, blunt) == pytest.approx(2 / 3)
    assert agreement(PROBABILITIES, PROBABILITIES) == 1.0


def test_a_drop_is_counted_in_points_and_a_gain_is_negative():
    assert drop_pp(0.93, 0.95) == pytest.approx(2.0)
    assert drop_pp(0.96, 0.95) == pytest.approx(-1.0)


SHOWN = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 0]], np.uint8)
SAID = np.array([[0.9, 0.1, 0.5], [0.2, 0.4, 0.49], [0.3, 0.8, 0.6], [0.9, 0.2, 0.1]])


def test_of_several_labels_right_is_a_picture_with_every_class_right():
    assert right(SAID, SHOWN).tolist() == [True, True, False, False]
    assert accuracy(SAID, SHOWN) == 0.5
    assert answers(SAID, several=True).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 1], [1, 0, 0]]
    with pytest.raises(ValueError, match="do not fit"):
        right(SAID, SHOWN[:, :2])


def test_of_several_labels_models_agree_where_all_their_answers_do():
    other = SAID.copy()
    other[0, 0] = 0.55  # surer or less sure, the answer is the same
    other[1, 2] = 0.51
    assert agreement(other, SAID, several=True) == 0.75
    assert agreement(SAID, SAID, several=True) == 1
    assert agreement(other, SAID) == 1, "by the top class alone nothing would be seen"
