import zipfile

import numpy as np
import pytest

from pipeline.data import files
from pipeline.errors import ConfigError, DataError
from tests.picture_sets import listed, settings


@pytest.fixture
def npz(tmp_path):
    def write(**arrays):
        np.savez_compressed(tmp_path / "set.npz", **arrays)
        return tmp_path / "set.npz"

    return write


def black(count, *shape):
    return np.zeros((count, *shape), np.uint8)


def test_one_pair_of_arrays_is_left_to_us_to_split(npz, digits):
    images, labels = digits
    catalog, found, _ = listed("arrays", npz(images=images, labels=labels))
    assert np.array_equal(np.stack([picture.content for picture in found]), images)
    assert [picture.label for picture in found] == labels.tolist()
    assert {picture.split for picture in found} == {None}
    assert found[1796].where == "images[1796]"
    assert (catalog.name, catalog.count, catalog.pixels) == ("set", 1797, True)


def test_pairs_named_after_splits_are_those_splits(npz, digits):
    images, labels = digits
    cut = {"x_train": images[:90, ..., 0], "x_val": images[90:120], "x_test": images[120:]}
    path = npz(**cut, y_train=labels[:90], y_val=labels[90:120], y_test=labels[120:])
    catalog, found, _ = listed("arrays", path)
    splits = [picture.split for picture in found]
    assert splits == ["train"] * 90 + ["validation"] * 30 + ["test"] * 1677
    assert [picture.label for picture in found] == labels.tolist()
    assert catalog.classes == [str(n) for n in range(10)]


def test_both_spellings_are_one(npz, digits):
    images, labels = digits
    long = {"train_images": images[:60], "test_images": images[60:90]}
    _, found, _ = listed("arrays", npz(**long, train_labels=labels[:60], test_labels=labels[60:90]))
    assert [picture.split for picture in found] == ["train"] * 60 + ["test"] * 30


def test_a_folder_of_npy_files_is_the_same_set(npz, tmp_path, digits):
    images, labels = digits
    folder = tmp_path / "set"
    folder.mkdir()
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
    ours, theirs = (
        [(p.where, p.label, p.content.tobytes()) for p in listed("arrays", path)[1]]
        for path in (folder, npz(images=images, labels=labels))
    )
    assert ours == theirs
    names = [name for name, _ in files(settings("arrays", folder))]
    assert names == ["images.npy", "labels.npy"]


def test_words_are_labels_too(npz):
    words = np.array(["dog", "cat", "dog", "eel"])
    catalog, found, _ = listed("arrays", npz(images=black(4, 2, 2, 3), labels=words))
    assert catalog.classes == ["cat", "dog", "eel"]
    assert [picture.label for picture in found] == [1, 0, 1, 2]


def test_numbers_that_do_not_start_at_zero_become_classes(npz):
    path = npz(images=black(4, 2, 2), labels=np.array([7, 5, 7, 5]))
    catalog, found, _ = listed("arrays", path)
    assert catalog.classes == ["5", "7"]
    assert [picture.label for picture in found] == [1, 0, 1, 0]


def test_names_in_the_file_are_those_of_the_numbers_unless_the_recipe_says_others(npz):
    labels, classes = np.array([1, 0, 1]), np.array(["no", "yes"])
    path = npz(images=black(3, 2, 2), labels=labels, classes=classes)
    assert listed("arrays", path)[0].classes == ["no", "yes"]
    catalog, found, _ = listed("arrays", path, classes=("off", "on"))
    assert catalog.classes == ["off", "on"]
    assert [picture.label for picture in found] == [1, 0, 1]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((3, 2, 2), np.float32), "labels": np.arange(3)}, "images is float32"),
        ({"images": black(3, 2, 2, 2), "labels": np.arange(3)}, "expected uint8"),
        ({"images": black(3, 2, 2, 5), "labels": np.arange(3)}, "expected uint8"),
        ({"images": black(3, 2, 2), "labels": np.arange(4)}, r"labels is int64 \(4,\)"),
        ({"images": black(3, 2, 2), "labels": np.ones(3)}, "labels is float64"),
        ({"pictures": black(3, 2, 2)}, "it holds pictures"),
        ({"images": np.array([1, "a", None], object), "labels": np.arange(3)}, "Python objects"),
        ({"images": np.asfortranarray(black(3, 2, 2)), "labels": np.arange(3)}, "Fortran order"),
        (
            {
                "x_train": black(3, 2, 2),
                "y_train": np.arange(3),
                "x_test": black(3, 2, 3),
                "y_test": np.arange(3),
            },
            r"several shapes: x_train \(2, 2, 1\), x_test \(2, 3, 1\)",
        ),
        (
            {
                "images": black(3, 2, 2),
                "labels": np.arange(3),
                "x_train": black(3, 2, 2),
                "y_train": np.arange(3),
            },
            "expected images and labels, or x_train and y_train",
        ),
        ({"x_test": black(3, 2, 2), "y_test": np.arange(3)}, "x_train and y_train"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(npz, arrays, message):
    with pytest.raises(DataError, match=rf"set\.npz: .*{message}"):
        listed("arrays", npz(**arrays))


@pytest.mark.parametrize("keep", [0, 10, 100, -30])
def test_a_cut_npz_is_named(npz, digits, keep):
    path = npz(images=digits[0], labels=digits[1])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"set\.npz: "):
        listed("arrays", path)


def test_a_cut_npy_file_is_named(tmp_path, digits):
    np.save(tmp_path / "images.npy", digits[0])
    np.save(tmp_path / "labels.npy", digits[1])
    path = tmp_path / "images.npy"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="images cannot be read: 30 bytes are missing"):
        listed("arrays", tmp_path)


def test_a_harmed_member_is_named(npz, digits):
    path = npz(images=digits[0], labels=digits[1])
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("images.npy").header_offset
    content = bytearray(path.read_bytes())
    content[start + 5000] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"set\.npz: images cannot be read"):
        listed("arrays", path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("images.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(300):
            member.write(bytes(1 << 20))
    with pytest.raises(DataError, match="refused as a zip bomb"):
        listed("arrays", path)


def test_pictures_are_read_one_at_a_time(npz, digits):
    from pipeline.data import source

    catalog = source(settings("arrays", npz(images=digits[0], labels=digits[1]))).catalog()
    first, second = (next(catalog.pictures).content for _ in range(2))
    assert first.nbytes == second.nbytes == 64
    assert (first.base is None) or (len(first.base) <= 64)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.arange(3), r"labels 0\.\.2, but 2 classes are named"),
        (np.array([-1, 0, 1]), r"labels -1\.\.1, but 2 classes are named"),
        (np.array(["a", "b", "c"]), "label 'c' is none of the classes named"),
    ],
)
def test_labels_must_fit_the_names_given(npz, labels, message):
    with pytest.raises(DataError, match=message):
        listed("arrays", npz(images=black(3, 2, 2), labels=labels), classes=("a", "b"))


def test_a_missing_file_is_named_and_a_missing_path_is_of_the_recipe(tmp_path):
    with pytest.raises(DataError, match=r"gone\.npz: no such file"):
        list(files(settings("arrays", tmp_path / "gone.npz")))
    with pytest.raises(ConfigError, match=r"ingest\.path: arrays needs"):
        listed("arrays")


def test_a_split_that_is_there_by_half_or_twice_is_refused(npz, digits):
    images, labels = digits
    train = {"x_train": images[:90], "y_train": labels[:90]}
    with pytest.raises(DataError, match="has x_test, but no y_test"):
        listed("arrays", npz(**train, x_test=images[90:120]))
    with pytest.raises(DataError, match="has y_val, but no x_val"):
        listed("arrays", npz(**train, y_val=labels[90:120]))
    both = {"images": images[:90], "labels": labels[:90], "x": images[90:], "y": labels[90:]}
    with pytest.raises(DataError, match="images and x are two sets for one split"):
        listed("arrays", npz(**both))


def test_arrays_that_are_not_read_are_named(npz, digits):
    images, labels = digits
    catalog, _, _ = listed("arrays", npz(images=images, labels=labels, weights=labels, ids=labels))
    assert [(remark.where, remark.reason) for remark in catalog.passed_over] == [
        ("ids", "an array that is not read"),
        ("weights", "an array that is not read"),
    ]
