import numpy as np
import pytest

from pipeline.compress.patterns import UNSTRUCTURED, Pattern, kept

TWO_OF_FOUR, BLOCKS = Pattern(m_by_n=(2, 4)), Pattern(block=(4, 1))


def kernel(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("unstructured", UNSTRUCTURED),
        ("2:4", TWO_OF_FOUR),
        ("4x1", BLOCKS),
        ("1x16", Pattern(block=(1, 16))),
    ],
)
def test_a_pattern_is_read_as_it_is_written(text, pattern):
    assert Pattern.read(text) == pattern


def test_m_by_n_fixes_its_sparsity():
    assert TWO_OF_FOUR.share == 0.5
    assert Pattern(m_by_n=(1, 8)).share == 0.125
    assert UNSTRUCTURED.share is BLOCKS.share is None


@pytest.mark.parametrize("shape", [(12, 5), (3, 3, 8, 6)])
def test_of_every_four_inputs_the_two_largest_stay(shape):
    weights = kernel(*shape)
    stays = TWO_OF_FOUR.mask(weights, 0.9)
    by_group = np.moveaxis(stays, -2, -1).reshape(-1, 4)
    sizes = np.moveaxis(np.abs(weights), -2, -1).reshape(-1, 4)
    assert (by_group.sum(axis=1) == 2).all()
    smallest = np.where(by_group, sizes, np.inf).min(axis=1)
    assert (smallest > np.where(by_group, -np.inf, sizes).max(axis=1)).all()


def test_a_last_group_that_is_cut_counts_as_filled_up_with_zeros():
    stays = TWO_OF_FOUR.mask(kernel(3, 3, 7, 2), 0)
    assert (stays[..., :4, :].sum(axis=-2) == 2).all()
    assert (stays[..., 4:, :].sum(axis=-2) == 2).all()
    assert TWO_OF_FOUR.mask(kernel(3, 3, 1, 8), 0).all(), "one gray channel: nothing to leave out"


def test_blocks_stay_or_go_as_a_whole_those_of_least_mean_first():
    weights = kernel(3, 3, 8, 5)
    stays = BLOCKS.mask(weights, 0.75)
    blocks = stays.reshape(9, 2, 4, 5)
    assert (blocks.all(axis=2) | ~blocks.any(axis=2)).all()
    means = np.abs(weights).reshape(9, 2, 4, 5).mean(axis=2)
    whole = blocks.all(axis=2)
    assert whole.sum() == kept(90, 0.75) == 22
    assert means[whole].min() > means[~whole].max()


def test_a_block_cut_by_the_edge_is_judged_by_the_mean_of_what_is_there():
    weights = np.full((5, 2), 0.2, np.float32)
    weights[4] = 0.3  # a quarter of a block, the largest there is
    stays = BLOCKS.mask(weights, 0.5)
    assert stays[4].all()
    assert not stays[:4].any()


def test_single_weights_go_smallest_first_and_one_is_always_left():
    weights = kernel(10, 10)
    stays = UNSTRUCTURED.mask(weights, 0.8)
    assert stays.sum() == 20
    assert np.abs(weights)[stays].min() > np.abs(weights)[~stays].max()
    assert UNSTRUCTURED.mask(weights, 0.9999).sum() == 1
    assert UNSTRUCTURED.mask(weights, 0.0).all()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (UNSTRUCTURED, "53 zeros of 108 weights, 54 were due"),
        (TWO_OF_FOUR, "1 of 27 groups of 4 have fewer than 2 zeros"),
        (BLOCKS, "12 zero blocks of 27, 13 were due"),
    ],
)
def test_one_weight_that_came_back_is_missed(pattern, message):
    weights = kernel(3, 3, 4, 3)
    stays = pattern.mask(weights, 0.5)
    left = weights * stays
    assert pattern.lacking(left, 0.5) is None
    left[tuple(np.argwhere(~stays)[0])] = 1e-6
    assert message in pattern.lacking(left, 0.5)
