import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from pipeline.data.operations import tones
from pipeline.data.operations.base import by_choice
from pipeline.data.operations.moves import MOVES, moved

PILLOW = {
    "brightened": lambda picture, by: ImageEnhance.Brightness(picture).enhance(by),
    "contrasted": lambda picture, by: ImageEnhance.Contrast(picture).enhance(by),
    "coloured": lambda picture, by: ImageEnhance.Color(picture).enhance(by),
    "sharpened": lambda picture, by: ImageEnhance.Sharpness(picture).enhance(by),
    "solarized": lambda picture, by: ImageOps.solarize(picture, int(100 * by)),
    "posterized": lambda picture, by: ImageOps.posterize(picture, 1 + int(2 * by)),
}
AMOUNT = {"solarized": lambda by: int(100 * by), "posterized": lambda by: 1 + int(2 * by)}


@pytest.fixture
def photos():
    """Four colour pictures of 20 x 16, smooth with some noise, no tone missing at either end."""
    rng = np.random.default_rng(0)
    slopes = rng.uniform(0, 1, (4, 20, 16, 3)).cumsum(axis=1).cumsum(axis=2)
    lowest, highest = slopes.min((1, 2), keepdims=True), slopes.max((1, 2), keepdims=True)
    return np.round(40 + 180 * (slopes - lowest) / (highest - lowest)).astype(np.float32)


def pillow(photo):
    return Image.fromarray(photo.astype(np.uint8))


@pytest.mark.parametrize("name", PILLOW)
def test_a_tone_is_what_pillow_makes_of_it_each_picture_by_its_own_amount(name, photos):
    amounts = np.array([0.1, 0.7, 1.0, 1.9], np.float32)
    given = np.array([AMOUNT.get(name, float)(float(by)) for by in amounts], np.float32)
    ours = getattr(tones, name)(photos, given).numpy()
    for picture, by, changed in zip(photos, amounts, ours, strict=True):
        theirs = np.asarray(PILLOW[name](pillow(picture), float(by)), np.float32)
        assert np.abs(changed - theirs).max() < 3  # Pillow rounds the mean and each step


def test_smooth_is_pillows_filter(photos):
    theirs = np.stack([pillow(photo).filter(ImageFilter.SMOOTH) for photo in photos])
    assert np.abs(tones.smooth(photos).numpy() - theirs).max() <= 1


def test_stretching_is_pillows_autocontrast_and_leaves_a_single_tone(photos):
    theirs = np.stack([ImageOps.autocontrast(pillow(photo)) for photo in photos])
    assert np.abs(tones.stretched(photos).numpy() - theirs).max() <= 1.01
    flat = np.full((1, 4, 4, 1), 77, np.float32)
    assert np.array_equal(tones.stretched(flat), flat)


def test_an_equalized_channel_has_as_many_pixels_in_each_quarter(photos):
    levelled = tones.equalized(photos).numpy()
    for channel in levelled.transpose(0, 3, 1, 2).reshape(12, -1):
        counts = np.histogram(channel, bins=4, range=(0, 256))[0]
        assert np.abs(counts / channel.size - 0.25).max() < 0.04
        assert (channel.min(), channel.max()) == (0, 255)
    order = np.argsort(photos[0, ..., 0].ravel(), kind="stable")
    assert (np.diff(levelled[0, ..., 0].ravel()[order]) >= 0).all()
    flat = np.full((2, 4, 4, 1), 77, np.float32)
    assert np.array_equal(tones.equalized(flat), flat)


def test_a_part_that_nobody_chose_is_no_problem(photos):
    none = tf.zeros((0, 20, 16, 3))
    for name in PILLOW:
        assert getattr(tones, name)(none, tf.zeros(0)).shape == none.shape
    for change in (tones.smooth, tones.stretched, tones.equalized):
        assert change(none).shape == none.shape
    assert moved(none, tf.zeros((0, 5))).shape == none.shape


def test_each_picture_goes_where_its_choice_says(photos):
    three = (tf.identity, tf.zeros_like, tf.negative)  # the second is chosen by none
    together = by_choice(photos, tf.constant([2, 0, 2, 0]), three)
    assert np.array_equal(together, [-photos[0], photos[1], -photos[2], photos[3]])


def amounts(**shares):
    return np.array([[shares.get(name, 0) for name in MOVES]] * 4, np.float32)


def test_no_move_leaves_every_bit(photos):
    assert np.array_equal(moved(photos, amounts()), photos)


@pytest.mark.parametrize(("name", "axis", "pixels"), [("translate_x", 2, 4), ("translate_y", 1, 5)])
def test_a_shift_moves_right_or_down_and_black_comes_in(name, axis, pixels, photos):
    shifted = moved(photos, amounts(**{name: 0.25})).numpy()
    length = photos.shape[axis]
    head = np.take(shifted, range(pixels), axis=axis)
    assert not head.any()
    tail = np.take(shifted, range(pixels, length), axis=axis)
    assert np.abs(tail - np.take(photos, range(length - pixels), axis=axis)).max() < 0.01


def test_a_quarter_circle_is_a_quarter_turn(photos):
    square = photos[:, 2:18]
    turned = moved(square, amounts(rotate=0.25)).numpy()
    assert np.abs(turned - np.rot90(square, axes=(1, 2))).max() < 0.5


def test_shears_slide_lines_or_columns_and_keep_the_middle():
    upright = np.zeros((4, 9, 9, 1), np.float32)
    upright[:, :, 4] = 255
    slanted = moved(upright, amounts(shear_x=1.0)).numpy()[0, ..., 0]
    assert np.array_equal(slanted, 255 * np.fliplr(np.eye(9)))
    level = upright.transpose(0, 2, 1, 3)
    slanted = moved(level, amounts(shear_y=1.0)).numpy()[0, ..., 0]
    assert np.array_equal(slanted, 255 * np.fliplr(np.eye(9)))
