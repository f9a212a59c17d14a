"""Tables and arrays in which a picture may have several labels, or none."""

import numpy as np
import pytest
from PIL import Image

from pipeline.data.sources.digit_pages import DigitPages
from pipeline.errors import DataError
from pipeline.settings import Ingest
from tests.picture_sets import ingested, listed, write_table

FILES = ("a.png", "b.png", "c.png", "d.png")


@pytest.fixture
def table(tmp_path):
    """A function that writes a table beside four pictures, which nothing opens here."""
    for name in FILES:
        (tmp_path / name).touch()
    return lambda rows, *said, **more: write_table(tmp_path / "labels.csv", rows, *said, **more)


def labels_of(path, **said):
    catalog, found, remarks = listed("table", path, **said)
    assert catalog.multi_label
    names = catalog.classes
    return names, {one.where: [names[n] for n in one.label] for one in found}, remarks


def test_a_column_of_labels_holds_none_one_or_several(table):
    rows = [("a.png", "cat; outdoor"), ("b.png", ""), ("c.png", "outdoor;outdoor;"), ("d.png",)]
    names, found, remarks = labels_of(table(rows, ("path", "labels")))
    assert names == ["cat", "outdoor"]
    assert found == {
        "row 2: a.png": ["cat", "outdoor"],
        "row 3: b.png": [],
        "row 4: c.png": ["outdoor"],
    }
    assert remarks == {"row 5: d.png": "no label"}, "a row that was cut off says nothing"


@pytest.mark.parametrize("separator", ["|", " ", ";"])
def test_with_a_separator_a_column_of_one_label_holds_several(table, separator):
    path = table([("a.png", f"cat{separator}dog"), ("b.png", "dog")])
    assert listed("table", path)[0].classes == [f"cat{separator}dog", "dog"], "as ever"
    names, found, _ = labels_of(path, separator=separator)
    assert (names, list(found.values())) == (["cat", "dog"], [["cat", "dog"], ["dog"]])


def test_a_column_of_0_and_1_for_each_class(table):
    rows = [("a.png", 1, "0", "train"), ("b.png", "1.0", "True", "test"), ("c.png", 0, 0, "")]
    catalog, found, remarks = listed("table", table(rows, ("path", "Cat", "dog", "split")))
    assert (catalog.classes, remarks) == (["Cat", "dog"], {})
    assert [(one.label, one.split) for one in found] == [
        ((0,), "train"),
        ((0, 1), "test"),
        ((), None),
    ]


def test_classes_choose_among_columns_and_what_is_neither_0_nor_1_sets_its_row_aside(table):
    rows = [("a.png", 1, "x", 1), ("b.png", 0, "y", "?"), ("c.png", 1, "z", 0)]
    path = table(rows, ("path", "cat", "by", "dog"))
    with pytest.raises(DataError, match=r"needs one column 'label'.*or a column of 0 and 1"):
        listed("table", path)
    names, found, remarks = labels_of(path, classes=("dog", "cat"))
    assert names == ["dog", "cat"]
    assert found == {"row 2: a.png": ["dog", "cat"], "row 4: c.png": ["cat"]}
    assert remarks == {"row 3: b.png": "column 'dog' holds '?', neither 0 nor 1"}
    with pytest.raises(DataError, match="no column for class 'dgo': did you mean 'dog'"):
        listed("table", path, classes=("dgo", "cat", "dog"))


def test_a_label_that_is_not_wanted_or_contradicts_sets_its_rows_aside(table):
    rows = [("a.png", "cat;cow"), ("b.png", "cat"), ("b.png", ""), ("c.png", "dog;cat"),
            ("c.png", "cat;dog")]  # fmt: skip
    _, found, remarks = labels_of(table(rows, ("path", "labels")), classes=("cat", "dog"))
    assert found == {"row 5: c.png": ["cat", "dog"], "row 6: c.png": ["cat", "dog"]}
    assert remarks["row 2: a.png"].startswith("label 'cow' is none of ingest.classes")
    assert remarks["row 3: b.png"] == (
        "contradicts other rows of this path: row 3 says 'cat', row 4 says ''"
    )


@pytest.fixture(scope="module")
def pages():
    """150 pages of digits: pixels uint8 (N, 20, 20), and the odd digits on each."""
    said = Ingest(dataset="digit_pages", classes=("1", "3", "5", "7", "9"))
    found = list(DigitPages(said).catalog().pictures)[:150]
    return np.stack([one.content for one in found]), [one.label for one in found]


def test_a_folder_and_a_table_of_it_go_in_whole(pages, tmp_path):
    images, labels = pages
    for row, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{row:03}.png")
    names = "13579"
    rows = [(f"{r:03}.png", ";".join(names[n] for n in label)) for r, label in enumerate(labels)]
    path = write_table(tmp_path / "labels.csv", rows, ("path", "labels"))
    done = ingested(tmp_path / "out", "table", path, color="gray", size=20)
    assert done.facts["classes"] == list(names)
    assert sum(done.facts[split] for split in ("train", "validation", "test")) == 150
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    for split in ("train", "validation", "test"):
        for image, label in zip(done.images(split), done.labels(split), strict=True):
            assert tuple(np.flatnonzero(label)) == known[image.tobytes()]


def test_one_picture_under_two_sets_of_labels_is_set_aside(pages, tmp_path):
    images, labels = pages
    flags = np.zeros((150, 5), np.uint8)
    for row, label in enumerate(labels):
        flags[row, list(label)] = 1
    twice = np.concatenate([images, images[:1]])
    other = np.concatenate([flags, 1 - flags[:1]])
    np.savez(tmp_path / "set.npz", images=twice, labels=other, classes=list("13579"))
    done = ingested(tmp_path / "out", "arrays", tmp_path / "set.npz")
    assert done.facts["classes"] == list("13579")
    [conflict] = done.audit["conflicts"]
    said = [" and ".join(np.array(list("13579"))[row > 0]) for row in (other[0], other[150])]
    assert conflict["labels"] == [words or "no class" for words in said]
    assert len(done.audit["quarantined"]) == 2


def test_arrays_of_0_and_1_are_labels_of_several_classes(tmp_path):
    labels = np.array([[0, 1], [1, 1], [0, 0]], bool)
    np.savez(tmp_path / "set.npz", images=np.zeros((3, 4, 4), np.uint8), labels=labels)
    catalog, found, _ = listed("arrays", tmp_path / "set.npz")
    assert (catalog.multi_label, catalog.classes) == (True, ["0", "1"])
    assert [one.label for one in found] == [(1,), (0, 1), ()]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([[0, 2], [1, 0], [0, 0]]), "those of several classes a picture are 0 and 1"),
        (np.zeros((3, 1), int), r"expected \(3,\) whole numbers or words.*or 0 and 1"),
        (np.zeros((3, 2)), r"labels is float64 \(3, 2\)"),
        (np.zeros((2, 2), int), r"labels is int64 \(2, 2\)"),
        (np.zeros((3, 3), int), "have 3 columns, but there are 2 classes"),
    ],
)
def test_arrays_that_are_no_such_labels_are_named(labels, message, tmp_path):
    np.savez(
        tmp_path / "set.npz",
        images=np.zeros((3, 4, 4), np.uint8),
        labels=labels,
        classes=["a", "b"],
    )
    with pytest.raises(DataError, match=message):
        listed("arrays", tmp_path / "set.npz")


def test_splits_of_two_kinds_are_refused(tmp_path):
    images = np.zeros((3, 4, 4), np.uint8)
    arrays = {"x_train": images, "y_train": [0, 1, 1], "x_test": images, "y_test": np.eye(3, 2)}
    arrays["y_test"] = arrays["y_test"].astype(int)
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(DataError, match=r"labels of one split are \(N,\), of another"):
        listed("arrays", tmp_path / "set.npz")
