import json
import os
import shutil

import pytest

from pipeline.errors import IntegrityError
from pipeline.settings import CHECKPOINTS
from pipeline.store import LOGS, MANIFEST, Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache")


def put(store, key="k1", step="train", text="weights"):
    with store.draft("train", key) as draft:
        (draft / "model").write_text(text)
        (draft / LOGS).mkdir()
        (draft / LOGS / "events").write_text(key)
        return store.publish(draft, "train", key, {"step": step})


def test_what_was_published_is_found(store):
    entry = put(store)
    found = store.find("train", "k1")
    assert found == entry
    assert (found.folder / "model").read_text() == "weights"
    assert store.find("train", "k2") is None


def test_equal_files_have_equal_digests_whatever_the_logs_say(store):
    assert put(store, "k1").digest == put(store, "k2").digest != put(store, "k3", text="w").digest


def test_a_draft_that_fails_leaves_nothing(store):
    def fail():
        with store.draft("train", "k") as draft:
            (draft / "model").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.find("train", "k") is None
    assert not list((store.root / "train").iterdir())


def test_a_killed_draft_is_never_taken_and_swept_away(store):
    half = store.root / "train" / ".k9.123"
    half.mkdir(parents=True)
    (half / "model").write_text("half")
    assert store.find("train", "k9") is None
    assert not list(store.all("train"))
    store.sweep()
    assert not half.exists()


def cut_off(store, key):
    """A stage that saved something to go on from before its plug was pulled."""
    with pytest.raises(KeyboardInterrupt), store.draft("train", key) as draft:  # noqa: PT012
        (draft / CHECKPOINTS / "epoch-1").mkdir(parents=True)
        (draft / CHECKPOINTS / "epoch-1" / "arrays").write_text(key)
        (draft / LOGS).mkdir()
        (draft / LOGS / "events").write_text("so far")
        (draft / "model").write_text("half")
        (draft / "figures").mkdir()
        raise KeyboardInterrupt


def test_what_an_unfinished_stage_can_go_on_from_outlives_it_and_nothing_else(store):
    cut_off(store, "k1")
    left = store.root / "train" / ".k1"
    (left / "figures").mkdir()  # as a kill would leave it
    store.sweep()
    assert {path.name for path in left.iterdir()} == {CHECKPOINTS, LOGS}
    assert store.find("train", "k1") is None
    with store.draft("train", "k1") as draft:
        assert (draft / CHECKPOINTS / "epoch-1" / "arrays").read_text() == "k1"
        assert (draft / LOGS / "events").read_text() == "so far"
        (draft / "model").write_text("whole")
        entry = store.publish(draft, "train", "k1", {"step": "train"})
    assert set(entry.manifest["files"]) == {"model", f"{LOGS}/events"}
    assert not left.exists()
    assert not (entry.folder / CHECKPOINTS).exists()


def test_checkpoints_of_the_last_few_unfinished_stages_are_kept(store):
    for number in range(6):
        cut_off(store, f"k{number}")
        os.utime(store.root / "train" / f".k{number}" / CHECKPOINTS, (number, number))
    store.sweep()
    kept = {path.name for path in (store.root / "train").iterdir()}
    assert kept == {".k2", ".k3", ".k4", ".k5"}
    assert store.clean(1) == (3, 3 * len("k1" + "so far"))
    assert [path.name for path in (store.root / "train").iterdir()] == [".k5"]
    assert store.clean(0)[0] == 1


@pytest.mark.parametrize("harm", ["manifest gone", "manifest cut", "file gone", "file cut"])
def test_a_folder_that_is_not_whole_is_not_taken(store, harm):
    entry = put(store)
    what, how = harm.split()
    path = entry.folder / (MANIFEST if what == "manifest" else "model")
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-2])
    assert store.find("train", "k1") is None
    assert put(store).digest == entry.digest


def test_changed_bytes_of_one_size_are_not_taken(store):
    entry = put(store)
    (entry.folder / "model").write_text("WEIGHTS")
    assert store.find("train", "k1") is None


def test_verify_reads_every_byte_and_names_the_file(store):
    entry = put(store)
    path = entry.folder / "model"
    stat = path.stat()
    path.write_text("WEIGHTS")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert store.find("train", "k1") is not None, "size and time are as they were"
    with pytest.raises(IntegrityError, match=r"train/k1/model: not as it was written"):
        store.find("train", "k1", verify=True)


def test_a_copied_cache_is_still_good(store, tmp_path):
    put(store)
    shutil.copytree(store.root, tmp_path / "copy", copy_function=shutil.copyfile)
    assert Store(tmp_path / "copy").find("train", "k1") is not None


def test_cleaning_keeps_what_was_used_last(store):
    for number, key in enumerate(("k1", "k2", "k3")):
        entry = put(store, key)
        os.utime(entry.folder / MANIFEST, (number, number))
    other = put(store, "other", step="prune(hard)")
    store.touch(store.find("train", "k1"))
    removed, size = store.clean(keep=1)
    assert removed == 2
    assert size == 2 * len("weights" + "k2")
    assert {entry.folder.name for entry in store.all("train")} == {other.folder.name, "k1"}


def test_files_outside_are_noted_beside_the_entry(store):
    with store.draft("ingest", "k") as draft:
        store.note_outside(draft, [("a.png", "12")])
        entry = store.publish(draft, "ingest", "k", {"step": "ingest"})
    assert store.outside(entry) == {"a.png": "12"}
    assert "a.png" not in json.dumps(entry.manifest)
