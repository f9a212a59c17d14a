import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from pipeline.data.operations.base import Batch
from pipeline.data.operations.mixing import CutMix, MixUp, beta, stretches

KINDS = pytest.mark.parametrize("kind", [MixUp, CutMix])


def shares(images):
    return np.asarray(images).mean((1, 2)) / 255


@KINDS
@pytest.mark.parametrize("count", [1, 2, 3, 64])
def test_targets_are_the_shares_of_what_is_seen(kind, count, coloured_by_class, seeds):
    for epoch in range(5):
        mixed = kind(alpha=1.0)(coloured_by_class(count), seeds(epoch))
        assert np.abs(shares(mixed.images) - mixed.targets).max() < 1e-6
        assert np.abs(np.sum(mixed.targets, axis=1) - 1).max() < 1e-6


def test_targets_stay_the_shares_when_both_mix_one_after_the_other(coloured_by_class, seeds):
    once = MixUp(alpha=1.0)(coloured_by_class(64), seeds(operation=0))
    twice = CutMix()(once, seeds(operation=1))
    # A box of a blend holds what its whole does, since each picture here is of one tone throughout.
    assert np.abs(shares(twice.images) - twice.targets).max() < 1e-6
    assert (np.count_nonzero(twice.targets, axis=1) > 2).any()


def test_a_box_is_counted_pixel_by_pixel_also_where_the_edge_cuts_it(coloured_by_class, seeds):
    mixed = CutMix()(coloured_by_class(256), seeds())
    pixels = np.count_nonzero(np.asarray(mixed.images), axis=(1, 2))
    assert np.array_equal(np.round(np.asarray(mixed.targets) * 63, 3), pixels)
    tones = np.unique(np.asarray(mixed.images))
    assert tones.tolist() == [0, 255]  # pasted, not blended


def test_a_box_is_one_rectangle_in_its_partners_own_place(seeds):
    places = np.arange(9 * 7, dtype=np.float32).reshape(1, 9, 7, 1)
    images = np.concatenate([places, 100 + places])
    batch = Batch(images, np.eye(2, dtype=np.float32), np.arange(2))
    sizes = set()
    for epoch in range(20):
        mixed = np.asarray(CutMix()(batch, seeds(epoch)).images)
        assert np.array_equal(mixed % 100, np.tile(places, (2, 1, 1, 1)))
        other = mixed[0, ..., 0] >= 100
        lines, columns = other.any(axis=1), other.any(axis=0)
        assert np.array_equal(other, lines[:, None] & columns[None])
        for side in (lines, columns):
            assert np.count_nonzero(np.diff(side.astype(int), prepend=0) == 1) <= 1
        sizes.add((np.count_nonzero(lines), np.count_nonzero(columns)))
    assert len(sizes) > 5


@pytest.mark.parametrize(
    ("share", "centre", "covered"),
    [
        (0.0, 0.5, []),
        (1.0, 0.5, [0, 1, 2, 3, 4, 5, 6, 7]),
        (0.5, 0.5, [2, 3, 4, 5]),
        (0.5, 0.0, [0, 1]),
        (0.5, 0.99, [5, 6, 7]),
        (0.49, 0.5, [3, 4, 5]),
    ],
)
def test_a_stretch_is_cut_at_the_ends(share, centre, covered):
    (inside,) = stretches(tf.constant([share]), 8, tf.constant([centre])).numpy()
    assert np.flatnonzero(inside).tolist() == covered


@pytest.mark.parametrize("alpha", [0.02, 0.2, 1.0, 5.0])
def test_shares_follow_the_beta_distribution(alpha, seeds):
    drawn = beta(alpha, 4000, seeds()).numpy()
    assert np.isfinite(drawn).all()
    # Beta(0.02, 0.02) has much of its mass closer to 0 and 1 than float32 tells apart.
    expected = np.random.default_rng(0).beta(alpha, alpha, 4000).astype(np.float32)
    assert stats.ks_2samp(drawn, expected).pvalue > 0.001


def test_a_small_alpha_is_no_division_of_nothing_by_nothing(seeds):
    drawn = beta(1e-3, 10_000, seeds()).numpy()
    assert np.isfinite(drawn).all()
    assert abs(drawn.mean() - 0.5) < 0.05


@KINDS
def test_so_many_are_mixed_as_probability_says_and_the_others_keep_every_bit(
    kind, coloured_by_class, seeds
):
    batch = coloured_by_class(2000, classes=200, height=8, width=8)
    mixed = kind(alpha=1.0, probability=0.3)(batch, seeds())
    kept = (np.asarray(mixed.images) == np.asarray(batch.images)).all((1, 2, 3))
    assert 0.65 < kept.mean() < 0.78
    assert np.array_equal(np.asarray(mixed.targets)[kept], np.asarray(batch.targets)[kept])
    never = kind(alpha=1.0, probability=0.0)(batch, seeds())
    assert np.array_equal(never.images, batch.images)


@KINDS
def test_partners_and_shares_change_with_the_epoch_and_the_place_in_the_policy(
    kind, coloured_by_class, seeds
):
    drawn = [
        np.asarray(kind(1.0)(coloured_by_class(32), made).targets)
        for made in (seeds(), seeds(), seeds(epoch=1), seeds(batch=1), seeds(operation=1))
    ]
    assert np.array_equal(drawn[0], drawn[1])
    assert all(not np.array_equal(drawn[0], other) for other in drawn[2:])


def test_each_picture_has_a_share_of_its_own(coloured_by_class, seeds):
    mixed = MixUp(alpha=1.0)(coloured_by_class(64, classes=64), seeds())
    assert len(np.unique(np.asarray(mixed.targets).max(axis=1).round(4))) > 40
