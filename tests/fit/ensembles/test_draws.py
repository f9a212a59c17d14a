import numpy as np
import pytest

from pipeline.fit.ensembles.draws import boosted, bootstrap, samme


def test_a_bootstrap_sample_leaves_out_about_a_third_and_is_decided_by_the_seed():
    drawn = bootstrap(20_000, 3)
    assert len(drawn) == 20_000
    assert len(set(drawn)) / 20_000 == pytest.approx(1 - np.exp(-1), abs=0.01)
    assert np.array_equal(drawn, bootstrap(20_000, 3))
    assert not np.array_equal(drawn, bootstrap(20_000, 4))


def test_samme_weighs_as_its_authors_say():
    # Four pictures, three classes. The first member is wrong about one of them: e = 1/4, its vote
    # log(3) + log(2), and that picture weighs 6 times as much as each other: 6/9 in sum.
    wrong = np.array([[True, False, False, False], [False, True, True, False]])
    first = samme(wrong[:1], 3, 1.0)
    assert first.votes == pytest.approx([np.log(6)])
    assert first.weights == pytest.approx([6 / 9, 1 / 9, 1 / 9, 1 / 9])
    # The second is wrong about two of 1/9 each: e = 2/9, its vote log(7/2 * 2).
    both = samme(wrong, 3, 1.0)
    assert both.votes == pytest.approx([np.log(6), np.log(7)])
    assert both.weights == pytest.approx(np.array([6, 7, 7, 1]) / 21)


def test_shrinkage_takes_a_part_of_each_step():
    wrong = np.array([[True, False, False, False]])
    half = samme(wrong, 3, 0.5)
    assert half.votes == pytest.approx([np.log(6) / 2])
    assert half.weights[0] / half.weights[1] == pytest.approx(np.sqrt(6))


def test_a_member_no_better_than_guessing_has_no_vote_and_changes_nothing():
    found = samme(np.array([[True, True, True, False]]), 2, 1.0)
    assert found.votes == [0.0]
    assert found.weights == pytest.approx([0.25] * 4)


def test_a_member_that_is_never_wrong_has_a_vote_that_is_a_number():
    found = samme(np.zeros((1, 5), bool), 10, 1.0)
    assert np.isfinite(found.votes).all()
    assert found.weights == pytest.approx([0.2] * 5)


def test_pictures_are_drawn_as_they_weigh():
    weights = np.array([0.7, 0.1, 0.1, 0.1] + [0.0] * 9996)
    drawn = boosted(weights, 0)
    shares = np.bincount(drawn, minlength=5)[:5] / len(drawn)
    assert shares == pytest.approx([0.7, 0.1, 0.1, 0.1, 0.0], abs=0.02)
    assert np.array_equal(drawn, boosted(weights, 0))
