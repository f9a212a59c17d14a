"""Any picture set in: each kind of source through the front door, and the memory that takes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.front_door import ROOT, SMALL, call, ran, steps
from tests.picture_sets import Ingested, write_folder, write_idx, write_npz, write_table

STATUS = Path("/proc/self/status")
UNTIL = ("--until", "ingest")


def ingest_of(artifacts):
    (entry,) = (artifacts / ".cache" / "ingest").iterdir()
    return Ingested(entry)


@pytest.fixture
def sources(tmp_path, digits):
    """300 digits in every form, each with the words that name it."""
    images, labels = digits[0][:300], digits[1][:300]
    root = tmp_path / "my sets, 猫"
    root.mkdir()
    write_npz(root / "set.npz", images, labels)
    (root / "npy").mkdir()
    np.save(root / "npy" / "x_train.npy", images)
    np.save(root / "npy" / "y_train.npy", labels)
    (root / "idx").mkdir()
    for part, rows in (("train", slice(0, 200)), ("t10k", slice(200, None))):
        write_idx(root / "idx" / f"{part}-images-idx3-ubyte.gz", images[rows, ..., 0])
        write_idx(root / "idx" / f"{part}-labels-idx1-ubyte.gz", labels[rows])
    write_folder(root / "folder", images, labels)
    write_folder(root / "splits" / "train", images[:200], labels[:200])
    write_folder(root / "splits" / "test", images[200:], labels[200:])
    rows = [(f"folder/{label}/{row:04}.png", label) for row, label in enumerate(labels.tolist())]
    write_table(root / "set.csv", rows)
    small = ("ingest.size=8", "ingest.color=gray")
    kinds = {
        "digits": ("digits", None, ("ingest.limit=200",)),
        "arrays": ("arrays", root / "set.npz", ()),
        "arrays of npy": ("arrays", root / "npy", ()),
        "idx": ("idx", root / "idx", ()),
        "folder": ("folder", root / "folder", small),
        "folder of splits": ("folder", root / "splits", small),
        "table": ("table", root / "set.csv", small),
    }
    return {
        kind: (
            f"ingest.dataset={dataset}",
            *([f"ingest.path={json.dumps(str(path))}"] if path else []),
            *more,
        )
        for kind, (dataset, path, more) in kinds.items()
    }


@pytest.mark.parametrize(
    "kind",
    ["digits", "arrays", "arrays of npy", "idx", "folder", "folder of splits", "table"],
)
def test_every_kind_of_source_comes_in_and_a_second_time_costs_nothing(
    kind, sources, inside, tmp_path
):
    done = inside("run", *sources[kind], *UNTIL, artifacts=tmp_path / "a")
    assert (done.code, ran(done)) == (0, ["ingest"]), done.err
    made = ingest_of(tmp_path / "a")
    assert made.facts["shape"] == [8, 8, 1]
    assert made.facts["classes"] == list("0123456789")
    assert len(made.audit["quarantined"]) == 0
    counts = [made.facts[split] for split in ("train", "validation", "test")]
    assert min(counts) > 0
    assert sum(counts) == made.audit["found"] - (1797 - sum(counts) if kind == "digits" else 0)
    if "splits" in kind or kind == "idx":
        assert made.facts["test"] == 100
    assert steps(inside("run", *sources[kind], *UNTIL, artifacts=tmp_path / "a")) == {
        "ingest": "cached"
    }


def test_a_photo_added_to_a_folder_is_seen_and_named(sources, inside, tmp_path, digits):
    words, artifacts = sources["folder"], tmp_path / "a"
    assert inside("run", *words, *UNTIL, artifacts=artifacts).code == 0
    root = tmp_path / "my sets, 猫" / "folder"
    (root / "3" / "0013.png").rename(root / "3" / "new.png")
    done = inside("explain", *words, artifacts=artifacts)
    assert "3/new.png" in done.out or "3/0013.png" in done.out
    assert ran(inside("run", *words, *UNTIL, artifacts=artifacts)) == ["ingest"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("folder", "gone"), 3, "gone: no such folder"),
        (("table", "gone.csv"), 3, "gone.csv: no such file"),
        (("folder", None), 2, "folder needs the path of a folder of pictures"),
        (("table", None), 2, "table needs the path of a CSV file"),
        (("foldr", "gone"), 2, "unknown dataset 'foldr': did you mean 'folder'?"),
    ],
)
def test_a_source_that_is_not_there_is_one_line(words, code, says, inside, tmp_path):
    dataset, name = words
    path = [f"ingest.path={tmp_path / name}"] if name else []
    done = inside("run", f"ingest.dataset={dataset}", *path, *UNTIL, artifacts=tmp_path / "a")
    assert (done.code, done.out, len(done.errors)) == (code, "", 1), done.err
    assert says in done.errors[0]


def test_too_many_broken_pictures_are_one_line_and_all_are_in_the_log(sources, inside, tmp_path):
    root = tmp_path / "my sets, 猫" / "folder"
    broken = sorted(root.glob("*/*"))[::10]
    for path in broken:
        path.write_bytes(b"")
    done = inside("run", *sources["folder"], *UNTIL, artifacts=tmp_path / "a")
    assert (done.code, done.out, len(done.errors)) == (3, "", 1), done.err
    assert "30 of 300 pictures were set aside" in done.errors[0]
    log = (tmp_path / "a" / ".history" / "digits" / "run.log").read_text()
    for path in broken:
        assert f"set aside: {path.relative_to(root)}: empty, 0 bytes" in log
    assert not list((tmp_path / "a" / ".cache" / "ingest").iterdir())


@pytest.mark.slow
def test_a_folder_of_pictures_goes_the_whole_way_to_the_report(tmp_path, digits):
    """Through a process of its own, as a user calls it, with one picture broken."""
    root = write_folder(tmp_path / "mine", *digits)
    (root / "7" / "broken.png").write_bytes(b"\x89PNG")
    said = (
        "ingest.dataset=folder",
        f"ingest.path={root}",
        "ingest.size=8",
        "ingest.color=gray",
        "name=mine",
        "variants=[float32, int8]",
    )
    done = call("run", *SMALL, *said, artifacts=tmp_path / "a")
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "a" / "mine" / "report.json").read_text())
    assert report["dataset"]["name"] == "mine"
    assert report["dataset"]["quarantined"] == 1
    assert sum(report["dataset"][split] for split in ("train", "validation", "test")) == 1797
    rows = {row["name"]: row for row in report["variants"]}
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert rows["int8"]["accuracy"] > 0.8
    assert (tmp_path / "a" / "mine" / "report.html").is_file()


def peak_of_ingest(root, out):
    """Peak of resident memory, in MiB, of a process that ingests a folder.

    Asked of the kernel itself: what `getrusage` calls the peak may be that of the parent process.
    """
    code = f"""
from pathlib import Path
from tests.picture_sets import ingested
made = ingested(Path({str(out)!r}), "folder", Path({str(root)!r}), size=64)
status = Path("/proc/self/status").read_text()
print(made.audit["found"], int(status.partition("VmHWM:")[2].split()[0]) / 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found, peak = done.stdout.split()
    return int(found), float(peak)


@pytest.mark.skipif(not STATUS.exists(), reason="needs Linux's account of a process")
def test_ten_times_the_pictures_take_no_more_memory(tmp_path, digits):
    """Pixels of 3,000 pictures are 35 MiB here: were they in memory, the bound would break."""
    random = np.random.default_rng(0)
    peaks = {}
    for count in (300, 3000):
        noise = random.integers(0, 256, (count, 12, 12, 3), np.uint8)
        root = write_folder(tmp_path / str(count), noise, np.arange(count) % 5)
        found, peaks[count] = peak_of_ingest(root, tmp_path / f"out {count}")
        assert found == count
    assert peaks[3000] - peaks[300] < 18, peaks
