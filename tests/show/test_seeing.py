"""The figures of what a network looks at: what is laid over what, and names that are odd."""

import numpy as np
import pytest

from pipeline.show import figures
from pipeline.show.choosing import NONE, mistakes, surest_wrong
from pipeline.show.feature_maps import Row, scaled
from pipeline.show.grad_cam import laid_over
from tests.show.drawn import ODD, pictures, saved, words


def explained(digits, classes, count=3):
    chosen = surest_wrong(digits.labels, digits.probabilities)[:count]
    shares = digits.probabilities[chosen]
    pairs = mistakes(digits.labels[chosen], shares)
    maps = [np.random.default_rng(side).random((count, 2, 2)) for side in (0, 1)]
    figure = figures.grad_cam(digits.images[chosen], maps, pairs, shares, classes)
    return figure, chosen, pairs, shares


def test_each_wrong_picture_stands_beside_what_was_said_and_what_is_true(digits):
    figure, chosen, pairs, shares = explained(digits, digits.classes)
    shown, said = pictures(figure), words(figure)
    assert len(shown) == 9
    for number, i in enumerate(chosen):
        np.testing.assert_array_equal(shown[3 * number][..., :1], digits.images[i])
        wrong, true = pairs[number]
        assert (wrong, true) == (digits.probabilities[i].argmax(), digits.labels[i])
        assert f"said, {100 * shares[number, wrong]:.0f} %" in said
        assert f"true, {100 * shares[number, true]:.0f} %" in said
        orange, blue = shown[3 * number + 1].astype(int), shown[3 * number + 2].astype(int)
        assert (orange[..., 0] - orange[..., 2]).sum() > 0
        assert (blue[..., 2] - blue[..., 0]).sum() > 0


def test_of_several_labels_only_mistakes_that_were_made_are_shown():
    images = np.zeros((2, 8, 6, 3), np.uint8)
    pairs = np.array([[1, NONE], [2, 0]])
    shares = np.array([[0.9, 0.8, 0.1], [0.25, 0.2, 0.75]])
    maps = [np.ones((2, 2, 2)), np.zeros((2, 2, 2))]
    figure = figures.grad_cam(images, maps, pairs, shares, ["a", "b", "c"], several=True)
    said = words(figure)
    assert len(pictures(figure)) == 2 + 3
    assert {"spurious, 80 %", "spurious, 75 %", "missed, 25 %"} <= set(said)
    assert said.count("nothing for it") == 1, "of the one map that is empty"


def test_a_map_is_laid_where_it_belongs():
    picture = np.full((8, 12, 1), 100, np.uint8)
    found = np.array([[1.0, 0.0], [0.0, 0.0]])
    mixed = laid_over(picture, found, "#ff0000")
    height, width = mixed.shape[:2]
    assert (height % 8, width % 12) == (0, 0)
    assert width / height == 12 / 8
    np.testing.assert_array_equal(mixed[0, 0], [232, 15, 15])  # 85 % red over gray
    np.testing.assert_array_equal(mixed[-1, -1], [100, 100, 100])
    middle = mixed[0, width // 2, 0]
    assert 160 < middle < 172, "half way between, bilinearly"


def test_a_large_picture_keeps_its_size_and_loses_its_colour():
    picture = np.zeros((224, 200, 3), np.uint8)
    picture[..., 0] = 90
    mixed = laid_over(picture, np.zeros((7, 7)), "#ff0000")
    assert mixed.shape == (224, 200, 3)
    assert (mixed == 30).all()


def test_a_channel_goes_from_black_to_white():
    np.testing.assert_array_equal(scaled(np.array([[-1.0, 3.0], [1.0, 1.0]]))[..., 0],
                                  [[0, 255], [128, 128]])  # fmt: skip
    assert not scaled(np.full((2, 2), 5.0)).any()


def rows_for(count):
    chance = np.random.default_rng(0)
    sizes = {"conv2d": (8, 8, 32), "$x$" * 20: (4, 2, 2)}
    return [
        Row(name, size, chance.random((count, *size[:2], min(6, size[2]))))
        for name, size in sizes.items()
    ]


def test_feature_maps_stand_by_layer_beside_their_picture(digits):
    chosen = [0, int(surest_wrong(digits.labels, digits.probabilities)[0])]
    rows = rows_for(2)
    figure = figures.feature_maps(
        digits.images[chosen], rows, digits.labels[chosen], digits.probabilities[chosen],
        [f"digit {number}" for number in range(10)],
    )  # fmt: skip
    shown, said = pictures(figure), words(figure)
    assert len(shown) == 2 * (1 + 6 + 2)
    np.testing.assert_array_equal(shown[0][..., :1], digits.images[0])
    np.testing.assert_array_equal(shown[1][..., :1], scaled(rows[0].maps[0, :, :, 0]))
    assert said.count("conv2d · 8×8×32 · 6 of 32 channels") == 2
    assert f"digit {digits.labels[0]}" in said
    wrong = next(text for axes in figure.axes for text in axes.texts
                 if text.get_text() == f"digit {digits.probabilities[chosen[1]].argmax()}"
                 and text.get_color() == "#c8500a")  # fmt: skip
    assert wrong.get_position()[1] > 3, "under the second picture"


@pytest.mark.parametrize("names", [ODD, ["x" * 60 + str(n) for n in range(10)]])
def test_odd_names_are_drawn_without_a_warning(names, digits, tmp_path):
    saved(explained(digits, names)[0], tmp_path)
    labels, shares = digits.labels[:2], digits.probabilities[:2]
    saved(figures.feature_maps(digits.images[:2], rows_for(2), labels, shares, names), tmp_path)
    sets = np.ones((2, 10), np.uint8)
    saved(figures.feature_maps(digits.images[:2], rows_for(2), sets, shares, names), tmp_path)


def test_pictures_stay_within_the_margins_of_the_page(digits):
    rows = rows_for(2)
    labels, shares = digits.labels[:2], digits.probabilities[:2]
    seen = figures.feature_maps(digits.images[:2], rows, labels, shares, digits.classes)
    for figure in (seen, explained(digits, digits.classes)[0]):
        width = figure.get_size_inches()[0]
        edges = [image.get_extent() for axes in figure.axes for image in axes.get_images()]
        assert min(edge[0] for edge in edges) >= 0.21
        assert max(edge[1] for edge in edges) <= width - 0.21
