import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, recall_score

from pipeline.measure.changes import Change, changes, confusion_change

LABELS = np.array([0, 0, 0, 1, 1, 2])


def sure_of(*classes, of=4):
    return np.eye(of)[list(classes)] * 0.8 + 0.05


REFERENCE = sure_of(0, 0, 1, 1, 0, 2)
OWN = sure_of(0, 1, 0, 0, 1, 0)


def test_each_class_has_what_was_gained_and_lost_of_it():
    zero, one, two, three = changes(OWN, REFERENCE, LABELS)
    assert zero == Change(pictures=3, gained=1, lost=1, drop_pp=0)
    assert one == Change(pictures=2, gained=1, lost=1, drop_pp=0)
    assert two == Change(pictures=1, gained=0, lost=1, drop_pp=100)
    assert three == Change(pictures=0, gained=0, lost=0, drop_pp=None)


def test_the_drop_is_the_difference_of_recalls():
    rng = np.random.default_rng(0)
    labels = rng.integers(7, size=300)
    reference = rng.random((300, 7)) + np.eye(7)[labels]
    own = reference + 0.6 * rng.random((300, 7))
    before, after = (
        recall_score(labels, one.argmax(axis=1), average=None) for one in (reference, own)
    )
    found = changes(own, reference, labels)
    assert [one.drop_pp for one in found] == pytest.approx((100 * (before - after)).tolist())
    assert any(one.drop_pp > 0 for one in found)
    assert [one.pictures for one in found] == np.bincount(labels).tolist()


def test_of_several_labels_a_class_is_recognised_whatever_is_said_of_others():
    shown = np.array([[1, 1], [1, 0], [0, 1]], np.uint8)
    reference = np.array([[0.9, 0.9], [0.9, 0.9], [0.1, 0.2]])
    own = np.array([[0.9, 0.1], [0.4, 0.1], [0.9, 0.7]])
    first, second = changes(own, reference, shown)
    assert first == Change(pictures=2, gained=0, lost=1, drop_pp=50), "not the third, spurious"
    assert second == Change(pictures=2, gained=1, lost=1, drop_pp=0)


def test_the_change_of_the_confusion_is_one_matrix_less_the_other():
    own, reference = (
        confusion_matrix(LABELS, one.argmax(axis=1), labels=range(4)) for one in (OWN, REFERENCE)
    )
    found = confusion_change(OWN, REFERENCE, LABELS)
    np.testing.assert_array_equal(found, own - reference)
    assert found.any()
    assert not confusion_change(OWN, OWN, LABELS).any()
