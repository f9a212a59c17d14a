import numpy as np
import pytest

from pipeline.errors import ConfigError
from tests.picture_sets import ingested, listed


def test_every_scan_is_on_one_page(digits):
    catalog, found, _ = listed("digit_pages")
    assert (catalog.multi_label, catalog.pixels, catalog.count) == (True, True, len(found))
    ink = sum(int(page.content.sum()) for page in found)
    assert ink == int(digits[0].sum())
    assert {page.content.shape for page in found} == {(20, 20)}


def test_a_page_is_labelled_with_the_digits_that_are_looked_for():
    _, every, _ = listed("digit_pages")
    catalog, some, _ = listed("digit_pages", classes=("7", "1"))
    assert catalog.classes == ["7", "1"]
    for page, part in zip(every, some, strict=True):
        assert np.array_equal(page.content, part.content)
        assert part.label == tuple(n for n, digit in enumerate((7, 1)) if digit in page.label)
    assert {len(page.label) for page in some} == {0, 1, 2}
    with pytest.raises(ConfigError, match="'cat' is no digit"):
        listed("digit_pages", classes=("7", "cat"))


def test_ingest_leaves_several_labels_a_picture(tmp_path):
    done = ingested(tmp_path, "digit_pages", classes=("1", "3", "5"))
    assert done.facts["multi_label"] is True
    labels = {split: done.labels(split) for split in ("train", "validation", "test")}
    for split, found in labels.items():
        assert (found.dtype, found.shape) == (np.uint8, (done.facts[split], 3))
        assert set(np.unique(found)) == {0, 1}
    every = np.concatenate(list(labels.values()))
    assert done.audit["labels_per_picture"] == np.bincount(every.sum(axis=1)).tolist()
    assert sum(done.audit["labels_per_picture"]) == len(every)
    for number, row in enumerate(done.audit["classes"]):
        assert [row[split] for split in labels] == [
            int(found[:, number].sum()) for found in labels.values()
        ]


def test_one_label_a_picture_is_said_as_ever(tmp_path):
    done = ingested(tmp_path, "digits", limit=100)
    assert "multi_label" not in done.facts
    assert "labels_per_picture" not in done.audit
    assert done.labels("train").dtype == np.int64
