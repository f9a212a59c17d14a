"""Which pictures are shown: by hand."""

import numpy as np

from pipeline.show.choosing import NONE, in_turn, mistakes, surest_right, surest_wrong

LABELS = np.array([0, 1, 1, 0, 1])
SHARES = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.7, 0.3], [0.2, 0.8]])

SHOWN = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], np.uint8)
SAID = np.array([[0.9, 0.7, 0.8], [0.8, 0.1, 0.2], [0.1, 0.2, 0.9], [0.4, 0.3, 0.1]])


def test_the_surest_come_first():
    assert surest_wrong(LABELS, SHARES).tolist() == [2, 1]
    assert surest_right(LABELS, SHARES).tolist() == [0, 4, 3]


def test_of_several_labels_one_mistake_is_wrong_and_the_nearest_to_half_decides():
    assert surest_wrong(SHOWN, SAID).tolist() == [1, 0], "0.1 is farther from a half than 0.8"
    assert surest_right(SHOWN, SAID).tolist() == [2, 3]


def test_a_mistake_is_what_was_said_and_what_is_true():
    assert mistakes(LABELS[1:3], SHARES[1:3]).tolist() == [[0, 1], [0, 1]]


def test_of_several_labels_it_is_the_surest_of_each_kind_if_there_is_one():
    pairs = mistakes(SHOWN, SAID)
    assert pairs.tolist() == [[2, NONE], [NONE, 1], [NONE, NONE], [NONE, NONE]]


def test_right_and_wrong_take_turns_and_fill_up_for_each_other():
    right, wrong, none = np.array([7, 8, 9]), np.array([1, 2]), np.array([], int)
    assert in_turn(right, wrong, 2) == [7, 1]
    assert in_turn(right, wrong, 3) == [7, 1, 8]
    assert in_turn(right, wrong, 9) == [7, 1, 8, 2, 9]
    assert in_turn(right, none, 2) == [7, 8]
    assert in_turn(none, wrong, 2) == [1, 2]
    assert in_turn(right, wrong, 0) == []
    assert in_turn(none, none, 2) == []
