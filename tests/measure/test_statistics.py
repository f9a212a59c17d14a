import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import top_k_accuracy_score
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint

from pipeline.measure.statistics import (
    accuracy,
    agreement,
    answers,
    drop_pp,
    mcnemar,
    right,
    top_k,
    wilson,
)

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.4, 0.4, 0.2]], np.float32)


COUNTS = [
    *((correct, n) for n in (1, 2, 3, 7, 40) for correct in range(n + 1)),
    *((correct, n) for n in (360, 10_000) for correct in (0, 1, n // 3, n // 2, n - 7, n - 1, n)),
    *((correct, 10**9) for correct in (0, 1, 12_345_678, 5 * 10**8, 10**9 - 1, 10**9)),
]


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_is_what_scipy_and_statsmodels_say(confidence):
    for correct, n in COUNTS:
        found = wilson(correct, n, confidence)
        by_scipy = binomtest(correct, n).proportion_ci(confidence, method="wilson")
        by_statsmodels = proportion_confint(correct, n, alpha=1 - confidence, method="wilson")
        assert found == pytest.approx(tuple(by_scipy), abs=1e-12, rel=0), (correct, n)
        assert found == pytest.approx(by_statsmodels, abs=1e-12, rel=0), (correct, n)


@pytest.mark.parametrize(("correct", "n"), [(1, 0), (0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(correct, n):
    with pytest.raises(ValueError, match="is no share"):
        wilson(correct, n)


PAIRS = [
    *((a, b) for a in range(9) for b in range(9) if a + b),
    *((7, 12), (40, 41), (0, 100), (900, 1_000), (2, 3_000), (30_000, 30_000), (30_300, 29_700)),
]


def test_mcnemar_is_the_exact_binomial_test_of_scipy_and_statsmodels():
    for only_a, only_b in PAIRS:
        a_right = np.array([True] * only_a + [False] * only_b + [True, False])
        b_right = np.array([False] * only_a + [True] * only_b + [True, False])
        found = mcnemar(a_right, b_right)
        by_scipy = binomtest(only_a, only_a + only_b).pvalue
        by_statsmodels = statsmodels_mcnemar([[1, only_a], [only_b, 1]], exact=True).pvalue
        assert found == pytest.approx(by_scipy, abs=1e-12, rel=0), (only_a, only_b)
        assert found == pytest.approx(by_statsmodels, abs=1e-12, rel=0), (only_a, only_b)
        assert mcnemar(b_right, a_right) == found


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


@pytest.mark.parametrize(("classes", "k"), [(6, 5), (10, 5), (10, 1), (10, 3), (100, 5)])
def test_top_k_is_what_scikit_learn_says(classes, k):
    rng = np.random.default_rng(classes)
    labels = rng.integers(classes, size=400)
    scores = rng.random((400, classes)) + 0.4 * np.eye(classes)[labels]
    expected = top_k_accuracy_score(labels, scores, k=k, labels=range(classes))
    assert 0 < expected < 1
    assert top_k(scores, labels, k) == pytest.approx(expected, abs=1e-15)


def test_of_equal_probabilities_the_first_is_the_likelier():
    rng = np.random.default_rng(1)
    labels = rng.integers(10, size=500)
    coarse = np.round(3 * rng.random((500, 10)) + np.eye(10)[labels]) / 4  # as int8 rounds to zeros
    # scikit-learn takes the last of equals: it is asked with the classes the other way round
    turned = top_k_accuracy_score(9 - labels, coarse[:, ::-1], k=5, labels=range(10))
    straight = top_k_accuracy_score(labels, coarse, k=5, labels=range(10))
    assert top_k(coarse, labels) == pytest.approx(turned, abs=1e-15)
    assert turned != straight, "the scores hold equals that matter"
    assert top_k(coarse, labels, k=1) == accuracy(coarse, labels)


def test_top_k_is_said_only_where_it_says_something():
    labels = np.array([0, 1])
    assert top_k(np.full((2, 5), 0.2), labels) is None
    assert top_k(np.full((2, 6), 1 / 6), labels) == 1
    assert top_k(np.full((2, 6), 0.5), np.ones((2, 6), np.uint8)) is None, "several labels"


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
