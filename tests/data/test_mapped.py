import gc
import os
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipeline.data.mapped import Rows, where_they_lie

PER_ROW = 5000  # bytes: rows begin and end within pages


@pytest.fixture
def file(tmp_path):
    """A mapped file of rows."""
    rows = np.random.default_rng(0).integers(0, 256, (400, PER_ROW), np.uint8)
    np.save(tmp_path / "rows.npy", rows)
    return np.load(tmp_path / "rows.npy", mmap_mode="r")


@pytest.fixture
def forgotten(file):
    """The same, out of the page cache."""

    def forget():
        with Path(file.filename).open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return not any(map(Rows(file).cached, range(399)))

    if not wait_until(forget):
        pytest.skip("this file system keeps what it is told to forget")
    return file


def is_mapped(path):
    return str(path) in Path("/proc/self/maps").read_text()


def in_graph(*arrays):
    """Tensors of arrays as a tf.data function makes and passes them on."""
    made = tf.data.Dataset.range(1).map(lambda _: where_they_lie(*arrays))
    (tensors,) = made
    return tensors


@pytest.mark.parametrize("start", [0, 1, 64])
def test_tensors_where_arrays_lie_hold_their_values(start, file):
    arrays = file[start:], np.array(file)[start:], file[start::3], file[:, 7:9], np.arange(9)
    for tensor, array in zip(in_graph(*arrays), arrays, strict=True):
        assert tensor.shape == array.shape
        assert np.array_equal(tf.gather(tensor, [0, 5]), array[[0, 5]])


def test_a_tensor_reads_its_file_in_place_and_keeps_it_mapped(tmp_path):
    path = tmp_path / "values.npy"
    np.save(path, np.arange(1000))
    (tensor,) = in_graph(np.load(path, mmap_mode="r"))
    gc.collect()
    assert is_mapped(path)
    assert tf.reduce_sum(tensor) == 999 * 500
    with path.open("r+b") as stream:  # what is written to the file shows in the tensor
        stream.seek(-8, os.SEEK_END)
        stream.write((0).to_bytes(8, "little"))
    assert tf.reduce_sum(tensor) == 999 * 500 - 999


def test_rows_asked_for_come_into_memory_and_others_do_not(forgotten):
    rows = Rows(forgotten)
    chosen = np.arange(10, 400, 40)
    assert rows.ask(chosen) == len(chosen)
    assert wait_until(lambda: all(map(rows.cached, chosen)))
    assert not any(map(rows.cached, chosen + 20))


def test_what_is_in_memory_is_not_asked_for_again(file):
    rows = Rows(file)
    file.sum()
    assert rows.ask(np.arange(400)) == 0


def test_a_row_is_in_memory_only_when_its_last_page_is(forgotten):
    rows = Rows(forgotten)
    int(forgotten[100, 0])  # touches its first page, which is read alone
    assert not rows.cached(100)
    forgotten[100].sum()
    assert rows.cached(100)


def wait_until(holds):
    end = time.monotonic() + 10
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()
