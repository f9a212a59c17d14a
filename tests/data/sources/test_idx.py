import struct

import numpy as np
import pytest

from pipeline.data import files
from pipeline.data.sources import Catalog, Found, idx
from pipeline.errors import DataError
from tests.picture_sets import listed, settings, write_idx


@pytest.fixture
def idx_folder(tmp_path, digits):
    """The digits as an IDX folder of its own: gzipped train files, plain test files."""
    images, labels = digits
    for part, rows, end in (("train", slice(0, 300), ".gz"), ("t10k", slice(300, 360), "")):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte{end}", images[rows, ..., 0])
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte{end}", labels[rows])
    return tmp_path


def test_idx_files_are_read_gzipped_or_not(idx_folder, digits):
    catalog, found, remarks = listed("idx", idx_folder)
    assert np.array_equal(np.stack([picture.content for picture in found]), digits[0][:360, ..., 0])
    assert [picture.label for picture in found] == digits[1][:360].tolist()
    assert [picture.split for picture in found] == ["train"] * 300 + ["test"] * 60
    assert (found[0].where, found[-1].where) == ("train[0]", "test[59]")
    assert catalog.classes == [str(n) for n in range(10)]
    assert (catalog.count, catalog.pixels, remarks) == (360, True, {})
    assert catalog.name == idx_folder.name


def test_their_four_files_are_what_counts_in_the_key(idx_folder):
    assert dict(files(settings("idx", idx_folder))) == {
        path.name: path for path in idx_folder.iterdir()
    }


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda b: b"\x00\x00\x0d\x03" + b[4:], "magic number 0x00000d03, expected 0x00000803"),
        (lambda b: b[:-9], "header announces 60 pictures, it ends in number 59"),
        (lambda b: b[: 16 + 64], "header announces 60 pictures, it ends in number 1"),
        (lambda b: b + b"x", "goes on after the 60 pictures of its header"),
        (lambda b: b[:7], "7 bytes are too few for an IDX header"),
        (lambda b: b"", "0 bytes are too few"),
        (lambda b: b[:8] + struct.pack(">2I", 0, 8) + b[16:], r"pictures of \[0, 8\] pixels"),
    ],
)
def test_a_damaged_idx_file_is_named(idx_folder, harm, message):
    path = idx_folder / "t10k-images-idx3-ubyte"
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(DataError, match=f"t10k-images-idx3-ubyte: .*{message}"):
        listed("idx", idx_folder)


@pytest.mark.parametrize(("keep", "follow"), [(-1, "59"), (None, "more")])
def test_labels_must_be_as_many_as_their_header_says(idx_folder, keep, follow):
    path = idx_folder / "t10k-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:keep] if keep else path.read_bytes() + b"\0")
    with pytest.raises(DataError, match=f"announces 60 labels, {follow} follow"):
        listed("idx", idx_folder)


def test_a_cut_gzip_is_named(idx_folder):
    path = idx_folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: cannot be read"):
        listed("idx", idx_folder)


def test_labels_must_be_as_many_as_pictures(idx_folder, digits):
    write_idx(idx_folder / "t10k-labels-idx1-ubyte", digits[1][:59])
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte: 59 labels, 60 pictures"):
        listed("idx", idx_folder)


def test_a_missing_idx_folder_or_file_is_named(idx_folder):
    with pytest.raises(DataError, match="no such folder"):
        list(files(settings("idx", idx_folder / "nowhere")))
    (idx_folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\[\.gz\]: no such file"):
        list(files(settings("idx", idx_folder)))


def test_more_labels_than_class_names_is_an_error(idx_folder):
    with pytest.raises(DataError, match=r"labels 0\.\.9, but 2 classes are named"):
        listed("idx", idx_folder, classes=("a", "b"))


def test_fashion_mnist_comes_through_tensorflow_datasets_where_debian_has_it_not(
    monkeypatch, tmp_path
):
    class Elsewhere:
        def __init__(self, settings):
            self.name = settings.dataset

        def files(self):
            return iter([(self.name, tmp_path)])

        def catalog(self):
            return Catalog(self.name, ["a", "b"], [Found("first", 0, b"")])

    monkeypatch.setattr(idx, "DEBIAN", tmp_path / "absent")
    monkeypatch.setattr(idx, "Tfds", Elsewhere)
    assert list(files(settings("idx"))) == [("tfds:fashion_mnist", tmp_path)]
    catalog, found, _ = listed("idx")
    assert (catalog.name, found[0].where) == ("tfds:fashion_mnist", "first")
    with pytest.raises(DataError, match="no such file"):
        listed("idx", tmp_path / "absent")


@pytest.mark.fashion
@pytest.mark.skipif(not idx.DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not there")
def test_debians_fashion_mnist_is_whole():
    catalog, found, _ = listed("idx")
    labels = {split: [p.label for p in found if p.split == split] for split in ("train", "test")}
    assert np.bincount(labels["train"]).tolist() == [6000] * 10
    assert np.bincount(labels["test"]).tolist() == [1000] * 10
    assert found[0].content.shape == (28, 28)
    assert (catalog.name, catalog.classes[9]) == ("fashion_mnist", "Ankle boot")


def test_labels_that_do_not_begin_at_zero_are_the_classes_seen(idx_folder, digits):
    write_idx(idx_folder / "train-labels-idx1-ubyte.gz", digits[1][:300] + 1)
    write_idx(idx_folder / "t10k-labels-idx1-ubyte", digits[1][300:360] + 1)
    catalog, found, _ = listed("idx", idx_folder)
    assert catalog.classes == [str(n) for n in range(1, 11)]
    assert [picture.label for picture in found] == digits[1][:360].tolist()
