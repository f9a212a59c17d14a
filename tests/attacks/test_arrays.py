"""Archives and arrays that lie about themselves: one line that names the file, and no memory."""

import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from pipeline.data import source
from pipeline.errors import DataError
from pipeline.settings import Ingest
from tests.attacks import corpus
from tests.attacks.watching import accepted, refused
from tests.marks import slow_but

IMAGES, LABELS = corpus.digits_arrays()


def archive(path, members, method=zipfile.ZIP_DEFLATED):
    """A zip file of members given as bytes, by their full names."""
    with zipfile.ZipFile(path, "w", method) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def arrays(path, **said):
    """An .npz file of sound arrays, or of what is said instead, arrays or bytes."""
    content = {"images": IMAGES, "labels": LABELS} | said
    members = {
        f"{name}.npy": value if isinstance(value, bytes) else corpus.npy(value)
        for name, value in content.items()
    }
    return archive(path, members)


WRONG = {
    "objects": ({"labels": np.array([object()] * 60)}, "labels holds Python objects"),
    "pickled images": ({"images": np.array([None] * 60)}, "images holds Python objects"),
    "lengths": ({"labels": LABELS[:59]}, "expected (60,) whole numbers or words"),
    "two dimensions of labels": ({"labels": LABELS[:, None]}, "expected (60,) whole numbers"),
    "fractions": ({"labels": LABELS / 2}, "labels is float64"),
    "bytes": ({"labels": LABELS.astype("S1")}, "labels is |S1"),
    "float images": ({"images": IMAGES / 255}, "images is float64 (60, 8, 8); expected uint8"),
    "two channels": ({"images": np.stack([IMAGES] * 2, axis=-1)}, "images is uint8 (60, 8, 8, 2)"),
    "flat images": ({"images": IMAGES.reshape(60, 64)}, "images is uint8 (60, 64)"),
    "no pixels": ({"images": IMAGES[:, :0]}, "at least one pixel"),
    "columns first": ({"images": np.asfortranarray(IMAGES)}, "images is in Fortran order"),
    "an empty word": ({"labels": np.array(["", "a", "b"] * 20)}, "a label is empty"),
    "no text": ({"labels": np.array(["\ud800", "a", "b"] * 20)}, "a label is no text"),
    "beyond Unicode": (
        {"labels": np.full(60, 0x7FFFFFFF, np.uint32).view("<U1")},
        "a label is no text",
    ),
    "a class twice": ({"classes": np.array(["a", "b", "a"])}, "class 'a' is named twice"),
    "too few classes": ({"classes": np.array(["a", "b"])}, "labels 0..2, but 2 classes are named"),
    "a table of classes": ({"classes": np.array([["a", "b", "c"]])}, "classes is <U1 (1, 3)"),
    "fractions for classes": ({"classes": np.array([0.5, 1, 2])}, "classes is float64"),
    "below zero": ({"labels": LABELS - 1, "classes": np.array(list("abc"))}, "labels -1..1"),
    "no images": ({"images": b""}, "images cannot be read"),
    "no magic": ({"images": b"P5 8 8 255 " + bytes(999)}, "images cannot be read"),
    "more announced": ({"images": corpus.npy(shape=(60, 8, 8))}, "images cannot be read"),
    "huge": (
        {"images": corpus.npy(shape=(60, 1 << 20, 1 << 20)), "labels": LABELS},
        "header of images announces",
    ),
    "huge labels": ({"labels": corpus.npy(shape=(1 << 62,), descr="<i8")}, "header of labels"),
    "negative": ({"images": corpus.npy(shape=(-60, 8, -8))}, "header of images announces"),
    "negative labels": ({"labels": corpus.npy(shape=(-1,), descr="<i8")}, "header of labels"),
    "no header": ({"labels": corpus.npy(header="(")}, "labels cannot be read"),
    "signs": ({"labels": corpus.npy(header="-" * 9000 + "1")}, "labels cannot be read"),
    "a long header": ({"labels": corpus.npy(header=" " * 60_000)}, "labels cannot be read"),
    "code": ({"labels": corpus.npy(header="__import__('os').abort()")}, "labels cannot be read"),
    "letters": ({"labels": corpus.npy(header="\x1b[2Jboo")}, "labels cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_arrays_that_do_not_fit_are_refused(take, tmp_path, what):
    said, message = WRONG[what]
    path = arrays(tmp_path / "set.npz", **said)
    refused(take(path, dataset="arrays", size=8), f"{path}: ", message)


@pytest.mark.parametrize(
    "what", slow_but(["objects", "huge"], ["objects", "lengths", "huge", "no text", "code"])
)
def test_they_are_from_outside_too(take_apart, tmp_path, what):
    said, message = WRONG[what]
    path = arrays(tmp_path / "set.npz", **said)
    refused(take_apart(path, dataset="arrays", size=8), f"{path}: ", message)


@pytest.mark.parametrize(
    "members",
    [
        {"/images.npy": corpus.npy(IMAGES), "/labels.npy": corpus.npy(LABELS)},
        {"../images.npy": corpus.npy(IMAGES), "../labels.npy": corpus.npy(LABELS)},
        {"images": corpus.npy(IMAGES), "labels": corpus.npy(LABELS)},
        {},
        {"\x1b[2J.npy": b"", "x\n.npy": b""},
    ],
)
def test_members_of_other_names_are_not_taken_and_nothing_is_unpacked(take, tmp_path, members):
    path = archive(tmp_path / "set.npz", members)
    taken = take(path, dataset="arrays")
    refused(taken, "set.npz: expected images and labels, or x_train and y_train; it holds")


def test_a_zip_bomb_is_refused_unread(take_apart, tmp_path):
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        with packed.open("images.npy", "w", force_zip64=True) as member:
            member.write(corpus.npy(shape=(60, 3000, 3000)))
            for _ in range(60 * 9):
                member.write(bytes(1_000_000))
        packed.writestr("labels.npy", corpus.npy(LABELS))
    taken = refused(
        take_apart(path, dataset="arrays"), "images.npy unpacks to 540,000,", "zip bomb"
    )
    assert taken.done.seconds < 20


def test_a_picture_of_more_pixels_than_the_recipe_allows_is_refused(take, tmp_path):
    path = arrays(tmp_path / "set.npz", images=np.zeros((60, 1, 9000), np.uint8))
    taken = take(path, "ingest.max_pixels=8999", dataset="arrays")
    refused(taken, "at most ingest.max_pixels (8,999)")


def test_an_encrypted_archive_is_refused(take, tmp_path):
    path = arrays(tmp_path / "set.npz")
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = -1
        while (place := content.find(signature, place + 1)) >= 0:
            content[place + flags] |= 1
    path.write_bytes(content)
    refused(take(path, dataset="arrays"), "set.npz: ", "encrypted")


def test_bytes_that_are_no_archive_are_refused(take, tmp_path):
    (tmp_path / "set.npz").write_bytes(b"PK\x03\x04" + bytes(100))
    refused(take(tmp_path / "set.npz", dataset="arrays"), "set.npz: it cannot be read: File is not")


@pytest.mark.parametrize("kind", [">i8", ">u4", "<i2", "u1", "<u8", ">U3"])
def test_any_kind_and_byte_order_of_labels_is_read(take, tmp_path, kind):
    path = arrays(tmp_path / "set.npz", labels=LABELS.astype(kind))
    taken = accepted(take(path, dataset="arrays", size=8))
    assert taken.facts["classes"] == ["0", "1", "2"]
    zeros = {image.tobytes() for image in IMAGES[LABELS == 0]}
    assert {picture.tobytes() for picture in taken.pictures("0")} == zeros


def test_numbers_of_several_kinds_stay_whole_numbers(take, tmp_path):
    """NumPy puts uint64 and int64 together as floats: 0.0 would be a class."""
    path = tmp_path / "set.npz"
    np.savez(
        path,
        x_train=IMAGES[:40], y_train=LABELS[:40].astype(np.uint64),
        x_test=IMAGES[40:], y_test=LABELS[40:].astype(np.int64),
    )  # fmt: skip
    taken = accepted(take(path, dataset="arrays", size=8))
    assert taken.facts["classes"] == ["0", "1", "2"]


def test_numbers_beyond_64_bits_signed_are_classes_all_the_same(take, tmp_path):
    labels = np.array([0, 1, 2**64 - 1], np.uint64)[LABELS]
    taken = accepted(take(arrays(tmp_path / "set.npz", labels=labels), dataset="arrays", size=8))
    assert taken.facts["classes"] == ["0", "1", "18446744073709551615"]
    assert len(taken.pictures("18446744073709551615")) == 20


def test_one_picture_under_two_labels_is_set_aside(take, tmp_path):
    images = IMAGES.copy()
    images[7] = images[0]
    path = arrays(tmp_path / "set.npz", images=images)
    taken = accepted(take(path, dataset="arrays", size=8))
    assert taken.said() == {
        "images[0]": "labelled '0', and '1' as images[7], the same picture",
        "images[7]": "labelled '1', and '0' as images[0], the same picture",
    }


def test_a_folder_of_arrays_may_hold_pipes_and_folders(take_apart, tmp_path):
    folder = tmp_path / "set"
    (folder / "classes.npy").mkdir(parents=True)
    os.mkfifo(folder / "x.npy")
    np.save(folder / "images.npy", IMAGES)
    np.save(folder / "labels.npy", LABELS)
    accepted(take_apart(folder, dataset="arrays", size=8))


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 62,), (1 << 70,)])
def test_a_lying_header_takes_no_memory(tmp_path, shape):
    np.save(tmp_path / "images.npy", IMAGES)
    (tmp_path / "labels.npy").write_bytes(corpus.npy(shape=shape, descr="<i8"))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"header of labels announces"):
        source(Ingest(dataset="arrays", path=tmp_path)).catalog()
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()
