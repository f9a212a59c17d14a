import itertools

import numpy as np
import pytest

from pipeline.data.operations.base import Batch
from pipeline.data.operations.framing import Crop, Flip

COUNT = 400


def numbered(count=COUNT, height=6, width=5, channels=1):
    """One picture many times, each pixel a number of its own, from 1."""
    one = np.arange(1, 1 + height * width * channels, dtype=np.float32)
    images = np.tile(one.reshape(1, height, width, channels), (count, 1, 1, 1))
    return Batch(images, np.zeros((count, 2), np.float32), np.arange(count))


def ways(images):
    """Which of four each picture is: (mirrored left and right, mirrored up and down)."""
    original = numbered(1).images[0]
    views = {
        (across, over): original[:: -1 if over else 1, :: -1 if across else 1]
        for across in (False, True)
        for over in (False, True)
    }
    return [
        next(way for way, view in views.items() if np.array_equal(view, image))
        for image in np.asarray(images)
    ]


@pytest.mark.parametrize(
    ("mode", "seen"),
    [
        ("horizontal", {(False, False), (True, False)}),
        ("vertical", {(False, False), (False, True)}),
        ("horizontal_and_vertical", {(a, b) for a in (False, True) for b in (False, True)}),
    ],
)
@pytest.mark.parametrize("alternate", [False, True])
def test_each_way_is_seen_equally_often(mode, seen, alternate, seeds):
    found = ways(Flip(mode, alternate)(numbered(), seeds(epoch=2)).images)
    assert set(found) == seen
    for way in seen:
        assert abs(found.count(way) / COUNT - 1 / len(seen)) < 0.09


def test_alternating_each_picture_is_mirrored_in_every_second_epoch(seeds):
    flip = Flip("horizontal", alternate=True)
    epochs = [np.array(ways(flip(numbered(), seeds(epoch)).images))[:, 0] for epoch in range(4)]
    for before, after in itertools.pairwise(epochs):
        assert np.array_equal(before, ~after)


def test_alternating_both_ways_four_epochs_show_all_four(seeds):
    flip = Flip(alternate=True)
    epochs = [ways(flip(numbered(40), seeds(epoch)).images) for epoch in range(4)]
    assert all(len(set(of_picture)) == 4 for of_picture in zip(*epochs, strict=True))


def test_which_half_begins_depends_on_row_and_seed_and_on_no_batch(seeds):
    flip = Flip("horizontal", alternate=True)
    whole = ways(flip(numbered(), seeds()).images)
    batch = numbered()
    part = Batch(batch.images[:50], batch.targets[:50], batch.rows[300:350])
    assert ways(flip(part, seeds(batch=7)).images) == whole[300:350]
    other = ways(flip(batch, seeds(seed=2)).images)
    assert 0.4 < np.mean([one != two for one, two in zip(whole, other, strict=True)]) < 0.6


@pytest.mark.parametrize("fill", ["black", "reflect"])
@pytest.mark.parametrize(("padding", "channels"), [(1, 1), (2, 3), (3, 1)])
def test_a_crop_is_a_window_of_the_padded_picture(fill, padding, channels, seeds):
    batch = numbered(channels=channels)
    cropped = np.asarray(Crop(padding, fill)(batch, seeds()).images)
    around = ((padding, padding), (padding, padding), (0, 0))
    kinds = {"black": "constant", "reflect": "reflect"}
    padded = np.pad(batch.images[0], around, kinds[fill])
    windows = {
        padded[y : y + 6, x : x + 5].tobytes(): (y, x)
        for y in range(2 * padding + 1)
        for x in range(2 * padding + 1)
    }
    places = [windows[image.tobytes()] for image in cropped]
    assert {y for y, _ in places} == {x for _, x in places} == set(range(2 * padding + 1))
    assert len(set(places)) > min(len(windows) - 1, 2 * padding + 1)  # not one for both directions
