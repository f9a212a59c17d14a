import numpy as np
import pytest

from pipeline.measure.calibration import BINS, calibration_error, reliability
from pipeline.measure.statistics import wilson


def plainly(sure, hit):
    """The expected calibration error from its definition, picture by picture."""
    bins = [[] for _ in range(15)]
    for one, right in zip(sure, hit, strict=True):
        place = next(number for number in range(15) if one <= (number + 1) / 15)
        bins[place].append((float(one), bool(right)))
    total = 0.0
    for inside in bins:
        if inside:
            confidence = sum(one for one, _ in inside) / len(inside)
            accuracy = sum(right for _, right in inside) / len(inside)
            total += len(inside) / len(sure) * abs(accuracy - confidence)
    return total


def answers(classes, count=700, seed=0):
    """Probabilities `(count, classes)` that are surer than they are right, and labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, classes))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(classes, p=row) for row in shares])
    sharp = np.exp(2.5 * logits)
    return sharp / sharp.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_the_error_is_what_its_definition_says(classes):
    probabilities, labels = answers(classes)
    hit = probabilities.argmax(axis=1) == labels
    expected = plainly(probabilities.max(axis=1), hit)
    assert expected > 0.05
    assert calibration_error(reliability(probabilities, labels)) == pytest.approx(expected, 1e-12)


def test_in_steps_of_an_int8_file_it_is_the_same():
    probabilities, labels = answers(10)
    coarse = (np.round(probabilities * 256) / 256).astype(np.float32)
    hit = coarse.argmax(axis=1) == labels
    expected = plainly(coarse.max(axis=1).astype(float), hit)
    assert calibration_error(reliability(coarse, labels)) == pytest.approx(expected, 1e-12)


def test_of_several_labels_every_class_of_every_picture_is_an_answer():
    rng = np.random.default_rng(2)
    probabilities = rng.random((200, 4))
    shown = (rng.random((200, 4)) < probabilities**2).astype(np.uint8)
    found = reliability(probabilities, shown)
    assert sum(one.count for one in found) == 800
    expected = plainly(probabilities.ravel(), shown.ravel())
    assert calibration_error(found) == pytest.approx(expected, 1e-12)


def test_a_model_that_is_as_sure_as_it_is_right_has_no_error():
    sure = np.array([[0.75, 0.25]] * 8)
    labels = np.array([0] * 6 + [1] * 2)
    assert calibration_error(reliability(sure, labels)) == 0
    assert calibration_error(reliability(sure, 1 - labels)) == pytest.approx(0.5)


def test_bins_cover_everything_and_their_upper_edge_is_theirs():
    probabilities = np.array([[1.0, 0.0], [1 / 3, 0.2], [0.0, 0.0], [0.6, 0.4]], np.float64)
    found = reliability(probabilities, np.array([0, 1, 0, 0]))
    assert len(found) == BINS
    assert [one.low for one in found[1:]] == [one.high for one in found[:-1]]
    assert (found[0].low, found[-1].high) == (0, 1)
    filled = {number: one for number, one in enumerate(found) if one.count}
    assert list(filled) == [0, 4, 8, 14], "0, a third, 0.6 and 1"
    assert (filled[4].confidence, filled[4].accuracy) == (pytest.approx(1 / 3), 0)
    assert filled[14].interval == wilson(1, 1)
    assert found[1].accuracy is found[1].confidence is found[1].interval is None
