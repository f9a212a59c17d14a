"""What may not be read is set aside, or refused by its name; root may not either, for once."""

import ctypes
import os
import subprocess

import pytest

from tests.attacks import corpus
from tests.attacks.watching import accepted, refused, watch
from tests.front_door import ROOT, Done, command
from tests.marks import slow_but

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2  # of Linux


def forgo():
    """Give up root's right to read what the permissions forbid, for what is started next."""
    libc = ctypes.CDLL(None)
    for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, right, 0, 0, 0)


def restricted(words, **options):
    before = forgo if os.geteuid() == 0 else None
    return subprocess.run(words, check=False, capture_output=True, text=True, preexec_fn=before,
                          timeout=300, **options)  # fmt: skip


@pytest.fixture
def take_restricted(tmp_path, tmp_path_factory):
    """Take in a source as one who may not read everything; rights come back before it is over."""
    probe = tmp_path_factory.mktemp("probe") / "closed"
    probe.touch(mode=0)
    if restricted(["cat", probe]).returncode == 0:
        pytest.skip("root cannot give up its right to read here")
    artifacts = tmp_path_factory.mktemp("results") / "artifacts"

    def door(*words, artifacts):
        done = restricted(command(*words, artifacts=artifacts), cwd=ROOT)
        return Done(done.returncode, done.stdout, done.stderr, 0)

    def take_in(source, *words, dataset="folder"):
        said = (f"ingest.dataset={dataset}", f"ingest.path={source}", "ingest.size=16")
        return watch(door, tmp_path, artifacts, *said, *words)

    return take_in


@pytest.fixture
def closed(sound):
    """A way to forbid reading a file or folder, until the test has ended."""
    shut = []

    def close(path):
        shut.append((path, path.stat().st_mode))
        path.chmod(0)
        return path

    yield close
    for path, mode in reversed(shut):
        path.chmod(mode)


@pytest.fixture(autouse=True)
def _digests_need_rights(monkeypatch, closed):
    """The snapshot of a source is taken by one who has them."""
    if os.geteuid() != 0:
        monkeypatch.setattr("tests.attacks.watching.snapshot", lambda folder: None)


def test_an_unreadable_picture_is_set_aside(take_restricted, sound, closed):
    closed(sound / "nine" / "003.png")
    taken = accepted(take_restricted(sound))
    assert taken.said() == {"nine/003.png": "cannot be opened: Permission denied"}


def test_an_unreadable_folder_is_set_aside(take_restricted, sound, closed):
    (sound / "nine" / "more").mkdir()
    corpus.gray(6, 0).save(sound / "nine" / "more" / "lost.png")
    closed(sound / "nine" / "more")
    taken = accepted(take_restricted(sound))
    assert taken.said() == {"nine/more": "cannot be listed: Permission denied"}


@pytest.mark.slow
def test_a_link_to_where_nobody_may_look_is_set_aside(take_restricted, sound, closed):
    (sound / "nine" / "more").mkdir()
    corpus.gray(6, 0).save(sound / "nine" / "more" / "lost.png")
    (sound / "link").symlink_to("nine/more/lost.png")
    closed(sound / "nine" / "more")
    taken = accepted(take_restricted(sound))
    assert taken.said() == {
        "link": "a link that leads nowhere",
        "nine/more": "cannot be listed: Permission denied",
    }


def test_an_unreadable_source_is_refused_by_its_name(take_restricted, sound, closed):
    refused(take_restricted(closed(sound)), f"{sound}: cannot be listed: Permission denied")


@pytest.mark.parametrize("dataset", slow_but(["folder"], ["folder", "table", "arrays", "idx"]))
def test_a_source_that_cannot_be_reached_is_refused_by_its_name(
    take_restricted, sound, closed, dataset
):
    closed(sound)
    taken = take_restricted(sound / "nine", dataset=dataset)
    refused(taken, f"{sound / 'nine'}: cannot be reached: Permission denied")


def test_an_unreadable_table_is_refused_by_its_name(take_restricted, sound, closed):
    table = sound / "table.csv"
    table.write_text("path,label\nnine/000.png,nine\n")
    closed(table)
    refused(take_restricted(table, dataset="table"), f"{table}: cannot be read: Permission denied")


@pytest.mark.slow
def test_a_row_that_points_where_nobody_may_look_is_set_aside(take_restricted, sound, closed):
    rows = [f"{n}/{i:03d}.png,{n}" for n in corpus.CLASSES for i in range(corpus.EACH)]
    (sound / "table.csv").write_text("\n".join(["path,label", *rows, "shut/a.png,nine"]))
    (sound / "shut").mkdir()
    corpus.gray(6, 0).save(sound / "shut" / "a.png")
    closed(sound / "shut")
    taken = accepted(take_restricted(sound / "table.csv", dataset="table"))
    assert taken.said() == {"row 122: shut/a.png": "cannot be reached: Permission denied"}
