"""Results are swapped in as a whole: whatever cuts a swap off, there is always one to read."""

import os
import shutil
import subprocess

import pytest

from pipeline import publish
from pipeline.errors import ConfigError, Interrupted
from pipeline.settings import CHECKPOINTS
from tests.front_door import SMALL, call, picture_of, ran
from tests.marks import slow_but

LOG = ".history/digits/run.log"


def test_results_of_a_run_killed_between_the_two_renames_are_there_again(copied):
    results = copied / "digits"
    before = picture_of(results)
    results.rename(copied / f"{publish.OLD}digits")
    half = copied / f"{publish.NEW}digits"
    half.mkdir()
    (half / "report.html").write_text("half")
    done = call("run", *SMALL, "--until", "train", artifacts=copied)
    assert (done.code, ran(done)) == (0, [])
    assert picture_of(results) == before
    assert not list(copied.glob(".pix2pocket-*"))


def test_what_a_finished_swap_left_is_cleared_whatever_its_name(copied):
    shutil.copytree(copied / "digits", copied / f"{publish.OLD}digits")
    shutil.copytree(copied / "digits", copied / f"{publish.NEW}fashion")
    (copied / f"{publish.OLD}link").symlink_to(copied / "digits")
    (copied / "link").mkdir()
    before = picture_of(copied / "digits")
    publish.repair(copied)
    assert not list(copied.glob(".pix2pocket-*"))
    assert picture_of(copied / "digits") == before


@pytest.mark.parametrize("when", slow_but(["_swap"], ["_remember", "_swap"]))
def test_a_signal_while_publishing_leaves_earlier_results(copied, monkeypatch, inside, when):
    def interrupt(draft, target, old):
        target.rename(old)
        raise Interrupted

    def stop(*_):
        raise Interrupted

    monkeypatch.setattr(publish, when, interrupt if when == "_swap" else stop)
    before = picture_of(copied / "digits")
    done = inside("run", *SMALL, "report.max_drop_pp=2.0", artifacts=copied)
    assert done.code == 143
    assert picture_of(copied / "digits") == before
    assert not list(copied.glob(".pix2pocket-*"))
    monkeypatch.undo()


def test_a_history_is_whole_reports_only(copied, finished):
    (copied / ".history" / "digits" / ".report.json").write_text('{"half')
    assert len(publish.runs(copied)) == 1


def test_what_no_run_made_is_never_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(ConfigError, match="no run's result"):
        publish.require_ours(tmp_path, "photos")
    publish.require_ours(tmp_path, "new")
    (tmp_path / "cut" / "search").mkdir(parents=True)
    (tmp_path / "cut" / "search" / ".space.json.123").touch()
    publish.require_ours(tmp_path, "cut")


@pytest.fixture
def small_disk(finished, tmp_path):
    """The finished run on a disk of its own with room to spare, unmounted at the end."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs root that may mount a tmpfs")
    subprocess.run(["cp", "-a", f"{finished}/.", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("room", slow_but([300_000], [0, 300_000, 1_400_000]))
def test_a_full_disk_is_exit_5_and_earlier_results_stay(small_disk, room):
    """No room for a log line, for a report, for the results to be published."""
    before = picture_of(small_disk / "digits")
    free = os.statvfs(small_disk)
    with (small_disk / "ballast").open("wb") as ballast:
        ballast.write(bytes(free.f_bavail * free.f_frsize - room))
    done = call("run", *SMALL, "report.max_drop_pp=2.0", artifacts=small_disk)
    assert done.code == 5, done.err
    assert "No space left on device" in done.errors[-1]
    assert "Traceback" not in done.err
    assert picture_of(small_disk / "digits") == before
    assert not list(small_disk.glob(".pix2pocket-*"))
    (small_disk / "ballast").unlink()
    done = call("run", *SMALL, "report.max_drop_pp=2.0", artifacts=small_disk)
    assert done.code == 0, done.err
    assert picture_of(small_disk / "digits") != before


@pytest.mark.slow
def test_a_disk_that_fills_up_while_training_is_exit_5_and_the_last_whole_epoch_stays(small_disk):
    words = ("run", *SMALL, "train.epochs=40", "build.width=32", "--until", "train")
    free = os.statvfs(small_disk)
    with (small_disk / "ballast").open("wb") as ballast:  # a generation is 1.5 MB
        ballast.write(bytes(free.f_bavail * free.f_frsize - 4_000_000))
    done = call(*words, artifacts=small_disk)
    assert done.code == 5, done.err
    assert "No space left on device" in done.errors[-1]
    (kept,) = (small_disk / ".cache" / "train").glob(f".*/{CHECKPOINTS}")
    assert [path.name for path in kept.iterdir()], "what was saved before stays"
    assert all(path.name.startswith("epoch-") for path in kept.iterdir())
    (small_disk / "ballast").unlink()
    again = call(*words, artifacts=small_disk)
    assert again.code == 0, again.err
    assert "going on after " in again.err


def test_artifacts_that_cannot_be_written_are_exit_5(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = call("run", *SMALL, artifacts=small_disk)
    assert (done.code, len(done.errors)) == (5, 1), done.err
    assert "Read-only file system" in done.errors[0]
    explained = call("explain", *SMALL, artifacts=small_disk)
    assert explained.code == 0, "who only looks needs no right to write"
