import numpy as np
import pytest

from pipeline.data.sources import Pictures
from pipeline.data.splits import split
from pipeline.errors import DataError
from pipeline.settings import Ingest


def pictures(counts, **parts):
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    classes = [f"class {n}" for n in range(len(counts))]
    return Pictures("made", classes, parts or {"all": (images, labels)})


def rows(splits, name):
    return set(splits[name][0].ravel().tolist())


def test_splits_share_no_picture_and_lose_none(digits):
    _, labels = digits
    numbered = np.arange(len(labels)).reshape(-1, 1, 1, 1)
    made = split(Pictures("d", list("0123456789"), {"all": (numbered, labels)}), Ingest())
    parts = [rows(made, name) for name in ("train", "validation", "test")]
    assert set.union(*parts) == set(range(1797))
    assert sum(map(len, parts)) == 1797


def test_splits_are_stratified(digits):
    images, labels = digits
    made = split(Pictures("d", list("0123456789"), {"all": (images, labels)}), Ingest(test=0.2))
    whole = np.bincount(labels)
    assert np.abs(np.bincount(made["test"][1]) - 0.2 * whole).max() <= 0.5


def test_the_same_seed_gives_the_same_split_and_another_another():
    one, two = (split(pictures([40, 40]), Ingest(seed=3)) for _ in range(2))
    other = split(pictures([40, 40]), Ingest(seed=4))
    assert rows(one, "test") == rows(two, "test") != rows(other, "test")


def test_a_split_the_source_has_is_taken_as_it_is():
    train, test = pictures([30, 30]).parts["all"], pictures([4, 4]).parts["all"]
    made = split(pictures([30, 30], train=train, test=test), Ingest(validation=0.2))
    assert made["test"] is test
    assert len(made["validation"][1]) == 12
    assert len(made["train"][1]) == 48


def test_a_limit_takes_a_stratified_part_of_every_split():
    made = split(pictures([100, 300]), Ingest(limit=29, validation=0.1, test=0.2))
    assert np.bincount(made["train"][1]).tolist() == [7, 22]
    assert np.bincount(made["test"][1]).tolist() == [2, 6]


def test_rare_classes_are_in_every_split():
    made = split(pictures([200, 3]), Ingest())
    assert all((labels == 1).any() for _, labels in made.values())


@pytest.mark.parametrize(
    ("counts", "message"),
    [([50], "one class only"), ([50, 1], "class 'class 1' has 1 pictures"), ([50, 2], "too few")],
)
def test_what_cannot_be_split_is_named(counts, message):
    with pytest.raises(DataError, match=message):
        split(pictures(counts), Ingest())


def test_a_class_missing_from_a_given_split_is_named():
    train, test = pictures([30, 30]).parts["all"], pictures([4]).parts["all"]
    with pytest.raises(DataError, match="no picture of class 'class 1' in the test split"):
        split(pictures([30, 30], train=train, test=test), Ingest())
