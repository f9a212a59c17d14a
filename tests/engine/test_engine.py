"""What a changed setting reruns, what a failing variant costs, and that results repeat."""

import json
import shutil
import subprocess
import sys

import pytest

from pipeline import Config, publish
from pipeline import run as run_config
from pipeline.compress import formats
from pipeline.errors import ConfigError, ConversionError
from pipeline.stages import prune, quantize
from tests.front_door import ROOT, SMALL, call, picture_of, ran, steps

QUANTIZE = [f"quantize({v})" for v in ("float32", "float16", "dynamic", "int8", "prune+int8")]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        pytest.param(
            "quantize.calibration_images=100",
            [*QUANTIZE, "export", "benchmark", "report"],
            marks=pytest.mark.slow,
        ),
        pytest.param("report.max_drop_pp=3.0", ["report"], marks=pytest.mark.slow),
        ("benchmark.rounds=3", ["benchmark", "report"]),
        pytest.param("name=other", ["report"], marks=pytest.mark.slow),
        pytest.param(
            "variants=[float32, float16, dynamic, int8, prune+int8, int16x8]",
            ["quantize(int16x8)", "export", "benchmark", "report"],
            marks=pytest.mark.slow,
        ),
        ("variants=[int8]", ["export", "benchmark", "report"]),
        ("augment.preview=9", ["augment"]),
    ],
)
def test_a_changed_setting_reruns_what_depends_on_it_and_nothing_else(
    override, expected, copied, inside
):
    until = ["--until", "build"] if override.startswith("augment") else []
    done = inside("run", *SMALL, override, *until, artifacts=copied)
    assert done.code == 0, done.err
    assert ran(done) == expected
    before = picture_of(copied / "digits")
    again = inside("run", *SMALL, artifacts=copied)
    assert ran(again) == [], "going back to old settings costs nothing"
    if override != "name=other" and not until:
        assert picture_of(copied / "digits") != before, "and earlier results are published again"


def test_variants_stand_in_the_order_in_which_they_were_listed(copied, inside):
    words = "variants=[dynamic, float32, float16]"
    assert inside("run", *SMALL, words, artifacts=copied).code == 0
    report = json.loads((copied / "digits" / "report.json").read_text())
    assert [row["name"] for row in report["variants"]] == ["float32", "dynamic", "float16"]


def test_forced_stages_run_again_and_what_they_leave_is_published(copied, inside):
    before = json.loads((copied / "digits" / "report.json").read_text())
    (copied / "digits" / "report.html").write_text("mine")
    done = inside("run", *SMALL, "--force", "report", artifacts=copied)
    assert ran(done) == ["report"]
    after = json.loads((copied / "digits" / "report.json").read_text())
    (cached,) = (copied / ".cache" / "report").glob("*/report.json")
    assert json.loads(cached.read_text())["id"] == after["id"] != before["id"] or (
        after["created"] == before["created"]
    )
    assert (copied / "digits" / "report.html").read_text() != "mine"


def test_results_that_were_harmed_or_removed_are_published_again(copied, inside):
    before = picture_of(copied / "digits")
    (copied / "digits" / "tflite" / "int8.tflite").unlink()
    assert ran(inside("run", *SMALL, artifacts=copied)) == []
    after = picture_of(copied / "digits")
    assert {name for name in before if before[name] != after[name]} == {
        "run.log",
        publish.STAMP,
    }


@pytest.fixture
def no_float16(monkeypatch):
    def refuse(*_):
        raise ConversionError("no half\nmeasures today")

    monkeypatch.setitem(formats.FORMATS, "float16", refuse)
    assert quantize.FORMATS is formats.FORMATS


def forget(artifacts, step):
    """Remove what is cached of a step: it has to run again, and comes to the same."""
    for path in (artifacts / ".cache" / step.partition("(")[0]).glob("*/manifest.json"):
        if json.loads(path.read_text())["step"] == step:
            shutil.rmtree(path.parent)


def test_a_variant_that_fails_keeps_its_row_and_stops_no_other(copied, inside, no_float16):
    forget(copied, "quantize(float16)")
    done = inside("run", *SMALL, artifacts=copied)
    assert done.code == 4
    assert "Traceback" not in done.err
    assert steps(done)["quantize(float16)"] == "failed"
    assert steps(done)["quantize(int8)"] == "cached"
    assert ran(done) == ["export", "benchmark", "report"]
    folder = copied / "digits"
    report = json.loads((folder / "report.json").read_text())
    rows = {row["name"]: row for row in report["variants"]}
    assert rows["float16"]["status"] == "failed"
    assert rows["float16"]["reason"] == "no half measures today"
    assert {name for name, row in rows.items() if row["status"] == "ok"} == (
        {"float32", "dynamic", "int8", "prune+int8"}
    )
    for name in ("report.html", "report.md", "report.csv"):
        assert "no half measures today" in (folder / name).read_text(), name
    assert "no half measures today" in done.out
    assert not (folder / "tflite" / "float16.tflite").exists()
    assert "ConversionError" in (folder / "run.log").read_text()
    again = inside("run", *SMALL, artifacts=copied)
    assert again.code == 4, "a failure is tried again and said again"
    assert ran(again) == []


@pytest.mark.slow
def test_a_variant_that_is_refused_late_loses_nothing_of_the_others(copied, inside, monkeypatch):
    def refuse(*_):
        raise ConfigError("prune.exclude: 'dens*' matches no layer")

    forget(copied, "prune(prune)")
    monkeypatch.setattr(prune, "run", refuse)
    done = inside("run", *SMALL, artifacts=copied)
    assert done.code == 2
    assert steps(done)["quantize(prune+int8)"] == steps(done)["prune(prune)"] == "refused"
    report = json.loads((copied / "digits" / "report.json").read_text())
    assert report["variants"][-1]["status"] == "refused"
    assert "matches no layer" in report["variants"][-1]["reason"]


def test_the_reference_may_not_fail(copied, inside, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("of ours")

    forget(copied, "quantize(float32)")
    before = picture_of(copied / "digits")
    monkeypatch.setitem(formats.FORMATS, "float32", fail)
    done = inside("run", *SMALL, artifacts=copied)
    assert done.code == 1
    assert done.errors[-1].startswith("error: quantize(float32): ZeroDivisionError: of ours")
    assert "Traceback" not in done.err
    assert "Traceback" in (copied / ".history" / "digits" / "run.log").read_text()
    assert picture_of(copied / "digits") == before


def test_files_that_change_while_they_are_read_are_not_taken(tmp_path, monkeypatch, digits):
    import numpy as np

    from pipeline.errors import DataError
    from pipeline.stages import ingest

    path = tmp_path / "pictures.npz"
    np.savez(path, images=digits[0][:200], labels=digits[1][:200])
    load = ingest.run

    def load_and_copy_more(settings, inputs, out):
        metrics = load(settings, inputs, out)
        np.savez(path, images=digits[0][:300], labels=digits[1][:300])
        return metrics

    monkeypatch.setattr(ingest, "run", load_and_copy_more)
    config = Config.of({"name": "t", "ingest": {"dataset": "arrays", "path": str(path)}})
    with pytest.raises(DataError, match="changed while they were read"):
        run_config(config, artifacts=tmp_path / "a", until="ingest")
    assert not list((tmp_path / "a" / ".cache" / "ingest").iterdir())
    monkeypatch.undo()
    assert run_config(config, artifacts=tmp_path / "a", until="ingest").ran == ["ingest"]


def test_from_python_in_another_folder(copied, tmp_path):
    code = f"""
from pipeline import Config, run
outcome = run(Config.load(overrides={list(SMALL)}), artifacts={str(copied)!r}, until="train")
print(outcome.ran, outcome.report, sorted(outcome.entries))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[] None ['augment', 'build', 'ingest', 'train']\n"


def manifests(artifacts):
    found = {}
    for path in (artifacts / ".cache").glob("*/*/manifest.json"):
        manifest = json.loads(path.read_text())
        found[manifest["step"]] = manifest["digest"]
    return found


@pytest.mark.slow
def test_one_seed_gives_equal_bytes_alone_or_after_other_stages(finished, tmp_path):
    """`finished` ran in one process; here train ran last in one, and what follows in another."""
    first = call("run", *SMALL, "--until", "train", artifacts=tmp_path)
    assert ran(first) == ["ingest", "augment", "build", "train"], first.err
    second = call("run", *SMALL, artifacts=tmp_path)
    assert second.code == 0, second.err
    ours, theirs = manifests(tmp_path), manifests(finished)
    # A benchmark holds times; TensorFlow numbers the functions of a SavedModel as it makes them.
    timed = {"export", "benchmark", "report"}
    assert {step for step in theirs if ours[step] != theirs[step]} <= timed
    for name in ("model.keras", *(f"tflite/{v[9:-1]}.tflite" for v in QUANTIZE)):
        path = f"digits/{name}"
        assert (tmp_path / path).read_bytes() == (finished / path).read_bytes(), name


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["augment", "build", "train", "evaluate", "prune", "quantize"])
def test_each_stage_alone_gives_the_bytes_it_gave_after_others(stage, copied):
    before = manifests(copied)
    done = call("run", *SMALL, "--force", stage, artifacts=copied)
    assert {step.partition("(")[0] for step in ran(done)} == {stage}, done.err
    assert manifests(copied) == before


def test_cleaning_keeps_the_last_recipe_quick_and_what_was_published(copied, inside):
    assert inside("run", *SMALL, "benchmark.rounds=3", artifacts=copied).code == 0
    published = picture_of(copied / "digits")
    done = call("clean", "--keep", "1", artifacts=copied)
    assert done.code == 0
    assert done.out.startswith("2 cached results removed")
    assert picture_of(copied / "digits") == published
    assert ran(inside("run", *SMALL, "benchmark.rounds=3", artifacts=copied)) == []


def test_cleaning_touches_nothing_but_what_stages_left(tmp_path):
    home = tmp_path / ".cache" / "pip" / "http"
    home.mkdir(parents=True)
    (home / "wheel").write_text("not ours")
    (tmp_path / ".cache" / "pip" / ".hidden").mkdir()
    assert call("clean", "--keep", "0", artifacts=tmp_path).code == 0
    assert (home / "wheel").exists()
    assert (tmp_path / ".cache" / "pip" / ".hidden").exists()
