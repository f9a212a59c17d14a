import numpy as np
import pytest

from pipeline.data import files
from pipeline.errors import ConfigError
from tests.picture_sets import listed, settings


def test_digits_are_real_and_scaled_to_the_whole_byte():
    catalog, found, _ = listed("digits")
    images = np.stack([picture.content for picture in found])
    assert images.shape == (1797, 8, 8)
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)
    assert set(np.unique(images)) == {round(n * 255 / 16) for n in range(17)}
    assert np.bincount([picture.label for picture in found]).min() > 170
    assert (catalog.count, catalog.classes, catalog.pixels) == (1797, list("0123456789"), True)


def test_they_come_in_the_order_of_scikit_learn_with_their_labels(digits):
    _, found, _ = listed("digits")
    assert np.array_equal(np.stack([picture.content for picture in found]), digits[0][..., 0])
    assert [picture.label for picture in found] == digits[1].tolist()
    assert {picture.split for picture in found} == {None}


def test_digits_take_no_path(tmp_path):
    with pytest.raises(ConfigError, match="leave path out"):
        listed("digits", tmp_path)


def test_the_file_of_scikit_learn_is_what_counts_in_the_key():
    [(name, path)] = files(settings("digits"))
    assert name == "digits.csv.gz"
    assert path.is_file()


def test_their_classes_have_their_names_already():
    with pytest.raises(ConfigError, match="leave classes out"):
        listed("digits", classes=tuple("abcdefghij"))
