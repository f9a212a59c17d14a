import numpy as np
import pytest

from pipeline.data.collection import Collection
from pipeline.data.decoding import Rules, decode
from pipeline.data.sources import Found
from pipeline.data.splits import UNSAID
from pipeline.errors import DataError
from pipeline.settings import Ingest

RULES = Rules.of(Ingest(), files=False)


@pytest.fixture
def collection(tmp_path):
    with Collection(tmp_path) as made:
        yield made


def add(collection, images, labels, splits=None):
    for row, image in enumerate(images):
        split = splits[row] if splits else None
        found = Found(f"row {row}", int(labels[row]), image, split)
        collection.add(found, decode(image, RULES))


def test_pictures_come_back_as_they_went_in_in_any_order(collection, digits):
    images, labels = digits
    add(collection, images[:200], labels)
    rows = np.random.default_rng(0).permutation(200).tolist()
    assert list(collection.pixels(rows)) == [images[row].tobytes() for row in rows]
    assert (len(collection), collection.shape) == (200, (8, 8, 1))
    add(collection, images[200:201], labels[200:])
    assert list(collection.pixels([200, 3])) == [images[200].tobytes(), images[3].tobytes()]


def test_what_is_known_of_each_stands_in_row_order(collection, digits, photo):
    images, labels = digits
    add(collection, images[:3], labels, [None, "train", "test"])
    assert collection.labels.tolist() == labels[:3].tolist()
    assert collection.given.tolist() == [UNSAID, 0, 2]
    assert collection.digests.tolist() == [decode(image, RULES).digest for image in images[:3]]
    assert collection.sizes.tolist() == [[8, 8]] * 3
    assert collection.where == ["row 0", "row 1", "row 2"]
    assert np.abs(collection.brightness - images[:3].mean(axis=(1, 2, 3))).max() < 1


def test_sizes_are_width_then_height_before_resizing(collection, photo):
    sized = decode(photo, Rules.of(Ingest(size=8), files=False))
    collection.add(Found("photo", 0, photo), sized)
    assert collection.sizes.tolist() == [[80, 60]]


def test_thumbnails_come_back_in_any_order(collection, digits):
    add(collection, digits[0][:20], digits[1])
    expected = [decode(digits[0][row], RULES).thumbnail for row in (7, 0, 19)]
    assert np.array_equal(collection.thumbnails([7, 0, 19]), expected)
    assert collection.thumbnails([]).shape == (0, 16, 16)


def test_pictures_of_two_shapes_are_an_error_that_names_one_of_each(collection, digits, photo):
    add(collection, digits[0][:1], digits[1])
    with pytest.raises(DataError, match=r"photo is \(60, 80, 3\), row 0 is \(8, 8, 1\); ingest.s"):
        collection.add(Found("photo", 0, photo), decode(photo, RULES))
    assert len(collection) == 1


def test_nothing_of_it_is_left_behind(tmp_path, digits):
    with Collection(tmp_path) as collection:
        add(collection, digits[0][:9], digits[1])
        assert len(list(tmp_path.iterdir())) == 2
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError), Collection(tmp_path) as collection:
        add(collection, [digits[0][0], digits[0][0, :4]], digits[1])
    assert list(tmp_path.iterdir()) == []
