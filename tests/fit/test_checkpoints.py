"""Generations of a fit on disk: whole or not there, whatever happens while one is written."""

import errno
import os
import subprocess
from contextlib import suppress

import numpy as np
import pytest

from pipeline.fit import checkpoints as room
from pipeline.fit.checkpoints import Checkpoints, Generation


def generation(epoch, step=0, size=1000):
    arrays = {"weights/0": np.full((size,), epoch, np.float32), "step": np.int64(epoch)}
    return Generation(epoch, step, arrays, {"history": {"loss": [0.5] * epoch + [float("nan")]}})


@pytest.fixture
def kept(tmp_path):
    return Checkpoints(tmp_path / "checkpoints")


def names(checkpoints):
    """Those of the generations, without digests."""
    return sorted(path.name[:17] for path in checkpoints.folder.iterdir())


def file_of(checkpoints, epoch):
    (path,) = checkpoints.folder.glob(f"epoch-{epoch:05}-00000-*.npz")
    return path


def is_as_saved(found, epoch, step=0):
    wanted = generation(epoch, step)
    assert (found.epoch, found.step) == (epoch, step)
    assert found.arrays.keys() == wanted.arrays.keys()
    for name, array in wanted.arrays.items():
        assert np.array_equal(found.arrays[name], array)
        assert found.arrays[name].dtype == array.dtype
    assert np.isnan(found.state["history"]["loss"][-1])
    assert found.state["history"]["loss"][:-1] == [0.5] * epoch


def test_what_was_saved_is_read_and_the_one_before_it_stays(kept):
    assert kept.newest() is None
    for epoch in (1, 2, 3):
        kept.save(generation(epoch))
        is_as_saved(kept.newest(), epoch)
    assert names(kept) == ["epoch-00002-00000", "epoch-00003-00000"]


def test_a_generation_in_the_middle_of_an_epoch_is_newer_than_its_beginning(kept):
    for place in ((9, 0), (9, 12), (10, 0), (10, 3)):
        kept.save(generation(*place))
        is_as_saved(kept.newest(), *place)
    kept.save(generation(10, 3))  # stopped at the same batch again
    is_as_saved(kept.newest(), 10, 3)


@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_newest_one_gives_way_to_the_one_before_with_a_warning(
    place, damage, kept, capsys
):
    for epoch in (1, 2):
        kept.save(generation(epoch))
    file = file_of(kept, 2)
    content = file.read_bytes()
    at = int(place * len(content))
    if damage == "cut":
        file.write_bytes(content[:at])
    else:
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    is_as_saved(kept.newest(), 1)
    said = capsys.readouterr().err
    assert f"{file.name}: damaged; going on from the one before it" in " ".join(said.split())
    kept.save(generation(2))
    is_as_saved(kept.newest(), 2)


def test_where_all_are_damaged_a_fit_begins_anew(kept):
    kept.save(generation(1))
    file_of(kept, 1).write_bytes(b"")
    assert kept.newest() is None


class DiskFull:
    """Let so many calls of a function through, then have the disk full."""

    def __init__(self, function, calls):
        self.function, self.left = function, calls

    def __call__(self, *given, **named):
        if not self.left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= 1
        return self.function(*given, **named)


@pytest.mark.parametrize("calls", range(3))
def test_a_disk_that_is_full_at_any_sync_leaves_the_generations_there_are(calls, kept, monkeypatch):
    for epoch in (1, 2):
        kept.save(generation(epoch))
    with monkeypatch.context() as broken:
        broken.setattr(room.os, "fsync", DiskFull(os.fsync, calls))
        if calls < 2:  # the file, and the folder it is in
            with pytest.raises(OSError, match="No space left"):
                kept.save(generation(3))
        else:
            kept.save(generation(3))
    assert kept.newest().epoch == (2 if calls < 1 else 3)
    assert not list(kept.folder.glob(".*"))


@pytest.fixture
def disk(tmp_path):
    """Mount a small disk: called with its size in KiB."""
    places = []

    def mount(size):
        place = tmp_path / f"disk-{size}"
        place.mkdir()
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(place)],
            check=False,
            capture_output=True,
        )
        if made.returncode:
            pytest.skip("needs root that may mount a tmpfs")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", str(place)], check=True)


def test_a_small_disk_that_fills_up_at_any_page_keeps_the_last_whole_generation(disk):
    """Each generation takes 100 KiB of numbers and a page or two: the third fails in some page."""
    reached = set()
    for size in range(216, 340, 4):
        kept = Checkpoints(disk(size) / "checkpoints")
        done = 0
        with suppress(OSError):  # no space left
            for epoch in (1, 2, 3):
                kept.save(generation(epoch, size=25_000))
                done = epoch
        assert kept.newest().epoch == done
        assert not list(kept.folder.glob(".*")), "what could not be finished takes no room"
        reached.add(done)
    assert reached == {2, 3}
