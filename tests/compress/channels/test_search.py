import numpy as np
import pytest

from pipeline.compress.channels import largest_within
from pipeline.errors import ConfigError


def choose(size):
    """A choice that is known by its size."""
    return (np.array([size]),)


def looking(measured, seen):
    """Look at choices by a function of their size, and note the sizes of each look."""

    def look(tried):
        seen.append([float(masks[0][0]) for masks in tried])
        return [measured(size) for size in seen[-1]]

    return look


@pytest.mark.parametrize("target", [0.9, 0.5, 0.31])
def test_the_largest_that_is_small_enough_is_found_between_two_of_the_first_look(target):
    seen = []
    found = largest_within(target, choose, 0.1, looking(lambda size: 0.2 + 0.8 * size, seen))
    assert found.share == pytest.approx(0.2 + 0.8 * float(found.masks[0][0]))
    assert target - 0.8 * 0.9 / 35 <= found.share <= target
    first, second = seen
    assert first[-1] == 0.1
    assert max(first) < 1, "the whole model is not looked at"
    assert first == sorted(first, reverse=True)
    assert not set(first) & set(second)


@pytest.mark.parametrize("target", [0.9, 0.5, 0.31])
def test_a_third_look_comes_closer_still(target):
    seen = []
    look = looking(lambda size: 0.2 + 0.8 * size, seen)
    found = largest_within(target, choose, 0.1, look, looks=3)
    assert target - 0.8 * 0.9 / 35 / 7 <= found.share <= target
    assert len(seen) == 3


def test_of_noisy_figures_one_that_was_seen_to_fit_is_taken():
    figures = iter([0.9, 0.8, 0.55, 0.62, 0.4, 0.3, 0.61, 0.605, 0.6, 0.7, 0.59, 0.58])
    found = largest_within(0.6, choose, 0.1, lambda tried: [next(figures) for _ in tried])
    assert found.share == 0.6


def test_where_nothing_of_the_second_look_fits_that_of_the_first_stands():
    def steep(size):
        return 0.5 if size < 0.41 else 0.9

    found = largest_within(0.6, choose, 0.1, looking(steep, []))
    assert (float(found.masks[0][0]), found.share) == (pytest.approx(0.4), 0.5)


@pytest.mark.parametrize(("target", "end"), [(0.25, None), (0.6, 0.25)])
def test_what_nothing_reaches_says_how_far_it_got(target, end):
    message = "25.0% is out of reach: with all removed that can be, 28.0% remains"
    with pytest.raises(ConfigError, match=message):
        largest_within(target, choose, 0.1, looking(lambda size: 0.2 + 0.8 * size, []), end)


def test_a_choice_that_several_sizes_come_to_is_looked_at_once():
    seen = []
    look = looking(lambda size: size, seen)
    found = largest_within(0.6, lambda size: choose(0.5 if size < 0.8 else 0.9), 0.1, look)
    assert seen == [[0.9, 0.5]]
    assert found.share == 0.5
