import colorsys

import numpy as np
import pytest

from pipeline.data.operations.base import Batch
from pipeline.data.operations.colours import ColorJitter, Grayscale, Posterize, Sharpness, Solarize

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def batch_of(images):
    return Batch(np.asarray(images, np.float32), np.eye(len(images)), np.arange(len(images)))


def muted(count=200, channels=3):
    """Pictures of 4 x 4 so far from black and white that little is cut."""
    return batch_of(np.random.default_rng(0).uniform(90, 130, (count, 4, 4, channels)))


def jittered(seeds, images=None, **reach):
    batch = images or muted()
    return np.asarray(batch.images), np.asarray(ColorJitter(**reach)(batch, seeds()).images)


@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_is_a_factor_a_picture_within_reach(channels, seeds):
    before, after = jittered(seeds, muted(channels=channels), brightness=0.4)
    factors = (after / before).reshape(200, -1)
    assert np.ptp(factors, axis=1).max() < 1e-5
    assert 0.6 <= factors.min() < 0.62
    assert 1.38 < factors.max() <= 1.4001


@pytest.mark.parametrize("channels", [1, 3])
def test_contrast_keeps_the_mean_brightness_and_stretches_about_it(channels, seeds):
    before, after = jittered(seeds, muted(channels=channels), contrast=0.5)
    luma = LUMA if channels == 3 else np.ones(1, np.float32)
    means = [(images @ luma).mean((1, 2)) for images in (before, after)]
    assert np.abs(means[0] - means[1]).max() < 1e-3
    stretched = after.std((1, 2, 3)) / before.std((1, 2, 3))
    assert 0.5 <= stretched.min() < 0.55
    assert 1.45 < stretched.max() <= 1.52


def test_contrast_stretches_about_the_brightness_that_was_drawn_before(seeds):
    brightened = jittered(seeds, brightness=0.4)[1]
    both = jittered(seeds, brightness=0.4, contrast=0.3)[1]
    assert np.abs((both @ LUMA).mean((1, 2)) - (brightened @ LUMA).mean((1, 2))).max() < 1e-3
    assert np.abs(both - brightened).max() > 2


def test_saturation_keeps_brightness_and_stretches_colour(seeds):
    before, after = jittered(seeds, saturation=1.0)
    assert np.abs(before @ LUMA - after @ LUMA).max() < 0.05
    colour = [images - (images @ LUMA)[..., None] for images in (before, after)]
    factor = np.sqrt((colour[1] ** 2).sum((1, 2, 3)) / (colour[0] ** 2).sum((1, 2, 3)))
    assert factor.min() < 0.05
    assert factor.max() > 1.95


def test_hue_turns_colours_keeps_brightness_and_leaves_grays(seeds):
    red = np.tile(np.float32([150, 100, 100]), (300, 2, 2, 1))
    before, after = jittered(seeds, batch_of(red), hue=0.25)
    assert np.abs(before @ LUMA - after @ LUMA).max() < 0.05
    hues = np.array([colorsys.rgb_to_hsv(*pixel / 255)[0] for pixel in after[:, 0, 0]])
    turns = (hues + 0.5) % 1 - 0.5
    assert -0.32 < turns.min() < -0.15
    assert 0.15 < turns.max() < 0.32
    gray = batch_of(np.full((20, 2, 2, 3), 77))
    assert np.abs(jittered(seeds, gray, hue=0.5, saturation=1.0)[1] - 77).max() < 0.05


def test_jitter_without_reach_changes_nothing(seeds):
    before, after = jittered(seeds)
    assert np.array_equal(before, after)


def test_gray_pictures_may_be_jittered_in_brightness_and_contrast_alone(seeds):
    gray = muted(channels=1)
    ColorJitter(brightness=0.2, contrast=0.2)(gray, seeds())
    for reach in ({"saturation": 0.1}, {"hue": 0.1}):
        with pytest.raises(ValueError, match="gray"):
            ColorJitter(**reach)(gray, seeds())


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Grayscale, lambda images: np.repeat((images @ LUMA)[..., None], 3, axis=-1)),
        (Solarize, lambda images: np.where(images >= 128, 255 - images, images)),
        (Posterize, lambda images: np.round(images) // 16 * 16),
    ],
)
def test_some_pictures_are_changed_whole_and_the_others_not_at_all(kind, expected, seeds):
    batch = muted(400)
    after = np.asarray(kind(probability=0.3)(batch, seeds()).images)
    kept = (after == batch.images).all((1, 2, 3))
    assert 0.6 < kept.mean() < 0.8
    assert np.abs(after[~kept] - expected(batch.images[~kept])).max() < 0.01


def test_sharpness_goes_both_ways(seeds):
    batch = batch_of(np.random.default_rng(0).uniform(90, 130, (100, 9, 9, 1)))
    after = np.asarray(Sharpness(0.8)(batch, seeds()).images)
    ratio = after.std((1, 2, 3)) / batch.images.std((1, 2, 3))
    assert 0.4 < (ratio < 1).mean() < 0.6
