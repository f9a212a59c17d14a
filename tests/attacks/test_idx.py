"""IDX files that lie about themselves."""

import gzip
import tracemalloc

import numpy as np
import pytest

from pipeline.data import source
from pipeline.errors import DataError
from pipeline.settings import Ingest
from tests.attacks import corpus
from tests.attacks.watching import accepted, refused
from tests.marks import slow_but

IMAGES, LABELS = corpus.digits_arrays()


@pytest.fixture
def files(tmp_path):
    """Write the four files, sound but for those whose content is said."""

    def write(packed=False, **said):
        folder = tmp_path / "idx"
        folder.mkdir()
        for part, rows in (("train", slice(40)), ("t10k", slice(40, 60))):
            images, labels = IMAGES[rows], LABELS[rows]
            sound = {
                f"{part}_images": corpus.idx(images.shape, images.tobytes()),
                f"{part}_labels": corpus.idx(labels.shape, labels.astype(np.uint8).tobytes()),
            }
            for name, content in sound.items():
                part_kind = name.replace("_images", "-images-idx3").replace(
                    "_labels", "-labels-idx1"
                )
                written = said.get(name, content)
                path = folder / f"{part_kind}-ubyte{'.gz' if packed else ''}"
                path.write_bytes(gzip.compress(written) if packed else written)
        return folder

    return write


@pytest.mark.parametrize("packed", [False, True])
def test_sound_files_are_taken(take, files, packed):
    taken = accepted(take(files(packed), dataset="idx", size=8))
    assert taken.facts["classes"] == ["0", "1", "2"]
    ones = {image.tobytes() for image in IMAGES[LABELS == 1]}
    assert {picture.tobytes() for picture in taken.pictures("1")} == ones


WRONG = {
    "four billion labels": ({"train_labels": corpus.idx((2**32 - 1,), bytes(40))}, "4,294,967,295"),
    "one label more": ({"train_labels": corpus.idx((41,), bytes(40))}, "41 labels, 40 follow"),
    "one label less": ({"train_labels": corpus.idx((39,), bytes(40))}, "39 labels, more follow"),
    "other lengths": ({"train_labels": corpus.idx((39,), bytes(39))}, "39 labels, 40 pictures"),
    "no header": ({"train_labels": b"\0\0\x08"}, "3 bytes are too few for an IDX header"),
    "other numbers": ({"train_labels": corpus.idx((40,), bytes(40), kind=13)}, "magic number"),
    "a picture": ({"train_images": b"\x89PNG\r\n\x1a\n" + bytes(40)}, "magic number"),
    "endless pictures": ({"train_images": corpus.idx((40, 2**32 - 1, 2**32 - 1), b"")}, "bytes"),
    "no pixels": ({"train_images": corpus.idx((40, 8, 0), b"")}, "pictures of [8, 0] pixels"),
    "cut": ({"train_images": corpus.idx((40, 8, 8), bytes(999))}, "ends in number 15"),
    "more": ({"train_images": corpus.idx((40, 8, 8), bytes(2561))}, "goes on after the 40"),
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("what", WRONG)
def test_files_that_do_not_fit_are_refused_by_their_name(take, files, what, packed):
    said, message = WRONG[what]
    [name] = said
    folder = files(packed, **said)
    taken = refused(take(folder, dataset="idx", size=8), message)
    assert f"{folder}/{name.replace('_', '-')}-idx" in taken.line


@pytest.mark.parametrize("cut", slow_but([12], [1, 12, -1]))
def test_a_packed_file_that_is_cut_is_refused(take_apart, files, cut):
    folder = files(packed=True)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:cut])
    refused(take_apart(folder, dataset="idx", size=8), str(path))


def test_a_picture_of_more_pixels_than_the_recipe_allows_is_refused(take, files):
    taken = take(files(), "ingest.max_pixels=63", dataset="idx", size=8)
    refused(taken, "8 x 8 pixels, more than ingest.max_pixels (63)")


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_announces_more_than_there_is_takes_no_memory(files, packed):
    folder = files(packed, train_labels=corpus.idx((2**32 - 1,), bytes(1 << 20)))
    tracemalloc.start()
    with pytest.raises(DataError, match="header announces 4,294,967,295 bytes"):
        source(Ingest(dataset="idx", path=folder)).catalog()
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_a_packed_bomb_is_refused_unread(take_apart, files):
    """300 MB of black pictures in 300 kB, where packing pictures gives a third at best."""
    folder = files(packed=True, train_images=corpus.idx((300, 1000, 1000), bytes(300_000_000)))
    taken = refused(take_apart(folder, dataset="idx", size=8), "header announces 300,000,000 bytes")
    assert taken.done.seconds < 20
