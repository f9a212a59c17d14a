import gzip
import struct

import numpy as np
import pytest

from pipeline.data import DATASETS, files
from pipeline.data.sources import idx
from pipeline.errors import ConfigError, DataError
from pipeline.settings import Ingest


def load(dataset, path, **settings):
    return DATASETS[dataset](Ingest(dataset=dataset, path=path, **settings)).load()


def write_idx(path, array):
    head = struct.pack(f">I{array.ndim}I", 0x800 | array.ndim, *array.shape)
    content = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def idx_folder(tmp_path, digits):
    """The digits as an IDX folder of its own: gzipped train files, plain test files."""
    images, labels = digits
    for part, rows, end in (("train", slice(0, 300), ".gz"), ("t10k", slice(300, 360), "")):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte{end}", images[rows, ..., 0])
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte{end}", labels[rows])
    return tmp_path


@pytest.fixture
def npz(tmp_path):
    def write(**arrays):
        np.savez_compressed(tmp_path / "set.npz", **arrays)
        return tmp_path / "set.npz"

    return write


def test_digits_are_real_and_scaled_to_the_whole_byte(digits):
    images, labels = digits
    assert images.shape == (1797, 8, 8, 1)
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)
    assert set(np.unique(images)) == {round(n * 255 / 16) for n in range(17)}
    assert np.bincount(labels).min() > 170


def test_digits_take_no_path(tmp_path):
    with pytest.raises(ConfigError, match="leave path out"):
        load("digits", tmp_path)


def test_idx_files_are_read_gzipped_or_not(idx_folder, digits):
    pictures = load("idx", idx_folder)
    assert np.array_equal(pictures.parts["train"][0], digits[0][:300])
    assert np.array_equal(pictures.parts["test"][1], digits[1][300:360])
    assert pictures.classes == [str(n) for n in range(10)]
    assert len(files(Ingest(dataset="idx", path=idx_folder))) == 4


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda b: b"\x00\x00\x0d\x03" + b[4:], "magic number 0x00000d03, expected 0x00000803"),
        (lambda b: b[:-9], "header announces 3840 bytes, 3831 follow"),
        (lambda b: b + b"x", "header announces 3840 bytes, 3841 follow"),
        (lambda b: b[:7], "7 bytes are too few for an IDX header"),
        (lambda b: b"", "0 bytes are too few"),
    ],
)
def test_a_damaged_idx_file_is_named(idx_folder, harm, message):
    path = idx_folder / "t10k-images-idx3-ubyte"
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(DataError, match=f"t10k-images-idx3-ubyte: {message}"):
        load("idx", idx_folder)


def test_a_cut_gzip_is_named(idx_folder):
    path = idx_folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: cannot be read"):
        load("idx", idx_folder)


def test_labels_must_be_as_many_as_pictures(idx_folder, digits):
    write_idx(idx_folder / "t10k-labels-idx1-ubyte", digits[1][:59])
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte: 59 labels, 60 pictures"):
        load("idx", idx_folder)


def test_a_missing_idx_folder_or_file_is_named(idx_folder):
    with pytest.raises(DataError, match="no such folder"):
        files(Ingest(dataset="idx", path=idx_folder / "nowhere"))
    (idx_folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\[\.gz\]: no such file"):
        files(Ingest(dataset="idx", path=idx_folder))


def test_more_labels_than_class_names_is_an_error(idx_folder):
    with pytest.raises(DataError, match=r"label 9, but ingest\.classes names 2"):
        load("idx", idx_folder, classes=("a", "b"))


def test_fashion_mnist_comes_through_tensorflow_datasets_where_debian_has_it_not(
    monkeypatch, tmp_path
):
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(idx, "DEBIAN", tmp_path / "absent")
    with tfds.testing.mock_data(num_examples=12):
        pictures = load("idx", None)
    assert pictures.parts["train"][0].shape == (12, 28, 28, 1)
    assert pictures.parts["test"][0].dtype == np.uint8
    assert pictures.parts["test"][1].dtype == np.int64
    assert pictures.classes[9] == "Ankle boot"
    assert files(Ingest(dataset="idx")) == []


def test_fashion_mnist_that_cannot_be_fetched_says_what_to_do(monkeypatch, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")

    def offline(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr(idx, "DEBIAN", tmp_path / "absent")
    monkeypatch.setattr(tfds, "load", offline)
    with pytest.raises(DataError, match=r"no route.*ingest\.path") as caught:
        load("idx", None)
    assert "\n" not in str(caught.value)


@pytest.mark.fashion
@pytest.mark.skipif(not idx.DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not there")
def test_debians_fashion_mnist_is_whole():
    pictures = load("idx", None)
    assert pictures.parts["train"][0].shape == (60000, 28, 28, 1)
    assert np.bincount(pictures.parts["test"][1]).tolist() == [1000] * 10


def test_arrays_are_read_in_both_spellings(npz, digits):
    images, labels = digits
    one = load("arrays", npz(images=images, labels=labels))
    assert set(one.parts) == {"all"}
    cut = {"x_train": images[:90, ..., 0], "x_test": images[90:]}
    two = load("arrays", npz(**cut, y_train=labels[:90], y_test=labels[90:]))
    assert two.parts["train"][0].shape == (90, 8, 8, 1)
    assert two.classes == [str(n) for n in range(10)]


def test_words_are_labels_too(npz):
    images = np.zeros((4, 2, 2, 3), np.uint8)
    made = load("arrays", npz(images=images, labels=np.array(["dog", "cat", "dog", "eel"])))
    assert made.classes == ["cat", "dog", "eel"]
    assert made.parts["all"][1].tolist() == [1, 0, 1, 2]


def test_numbers_that_do_not_start_at_zero_become_classes(npz):
    made = load("arrays", npz(images=np.zeros((4, 2, 2), np.uint8), labels=np.array([7, 5, 7, 5])))
    assert made.classes == ["5", "7"]
    assert made.parts["all"][1].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((3, 2, 2), np.float32), "labels": np.arange(3)}, "images is float32"),
        ({"images": np.zeros((3, 2, 2, 4), np.uint8), "labels": np.arange(3)}, "expected uint8"),
        (
            {"images": np.zeros((3, 2, 2), np.uint8), "labels": np.arange(4)},
            r"labels is int64 \(4,\)",
        ),
        ({"images": np.zeros((3, 2, 2), np.uint8), "labels": np.ones(3)}, "labels is float64"),
        ({"pictures": np.zeros((3, 2, 2), np.uint8)}, "it holds pictures"),
        ({"images": np.array([1, "a", None], object), "labels": np.arange(3)}, "Python objects"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(npz, arrays, message):
    with pytest.raises(DataError, match=rf"set\.npz: .*{message}"):
        load("arrays", npz(**arrays))


@pytest.mark.parametrize("keep", [0, 10, 100, -30])
def test_a_cut_npz_is_named(npz, digits, keep):
    path = npz(images=digits[0], labels=digits[1])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"set\.npz: "):
        load("arrays", path)


def test_labels_must_fit_the_names_given(npz):
    path = npz(images=np.zeros((3, 2, 2), np.uint8), labels=np.arange(3))
    with pytest.raises(DataError, match=r"labels 0\.\.2, but 2 classes are named"):
        load("arrays", path, classes=("a", "b"))
