"""A run over seeds or folds: what it does anew, what a failure costs, and that it adds up."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import Config
from pipeline.errors import ConversionError
from pipeline.fingerprint import FileMemo
from pipeline.plan import Plan
from pipeline.stages import quantize, train
from pipeline.store import Entry, Store
from tests.engine.stand_ins import learn_nothing
from tests.front_door import SMALL, call, picture_of, ran, steps

TWO = ("variants=[float32, int8]",)


def read(artifacts):
    return json.loads((artifacts / "digits" / "report.json").read_text())


def keys(*words):
    """The key each step would have if every input were an empty folder."""
    plan = Plan(Config.load(overrides=words), Store(Path("none")), FileMemo(Path("no/memo")))
    empty = Entry(Path("none"), {"files": {}, "digest": ""})
    return {
        step.id: plan.identify(step, dict.fromkeys(step.inputs.values(), empty), {}).key
        for step in plan.steps
    }


def test_a_run_that_is_not_repeated_has_the_keys_it_always_had():
    assert keys() == keys("repeat=1") == keys("folds=null")


def test_replicas_find_in_the_cache_what_runs_of_their_seed_left_there():
    repeated, single = keys("repeat=3", "seed=4"), keys("seed=6")
    shared = {step for step in single if single[step] == repeated.get(f"{step}#3")}
    assert {"build", "train", "prune(prune)", "quantize(int8)"} <= shared
    assert single["ingest"] == repeated["ingest"]
    assert keys("seed=4")["benchmark"] == repeated["benchmark"]


def test_folds_find_in_the_cache_what_runs_of_one_fold_left_there():
    folded = keys("folds=3")
    single = keys("ingest.folds=3", "ingest.fold=2")
    for step in ("ingest", "build", "train", "quantize(int8)"):
        assert single[step] == folded[f"{step}#2"], step


def test_until_a_stage_means_all_replicas_of_it():
    plan = Plan(Config.load(overrides=["repeat=3"]), Store(Path("none")), FileMemo(Path("no/memo")))
    assert [step.id for step in plan.until("train")][-3:] == ["train", "train#2", "train#3"]
    assert "quantize" not in {step.stage for step in plan.until("prune")}


@pytest.mark.slow
def test_a_replica_that_cannot_be_trained_stops_no_other(copied, inside, monkeypatch):
    def diverge(settings, inputs, out):
        if settings.seed == 1:
            raise ConversionError("the loss became NaN")
        return learn_nothing(settings, inputs, out)

    monkeypatch.setattr(train, "run", diverge)
    done = inside("run", *SMALL, "variants=[float32]", "repeat=3", artifacts=copied)
    assert done.code == 4
    assert "Traceback" not in done.err
    assert steps(done)["train#2"] == steps(done)["benchmark#2"] == "failed"
    assert steps(done)["train#3"] == steps(done)["benchmark#3"] == "ran"
    report = read(copied)
    (row,) = report["variants"]
    assert (row["status"], row["seeds"]["n"]) == ("ok", 2)
    told = [[row["reason"] for row in one["variants"]] for one in report["replicas"]]
    assert told == [[None], ["the loss became NaN"], [None]]
    assert [one["best_epoch"] for one in report["replicas"]][1:] == [None, 1]
    assert "the loss became NaN" in (copied / "digits" / "report.md").read_text()


@pytest.mark.parametrize(("failing", "left"), [("int8", [2, 1]), ("float32", [1, 1])])
@pytest.mark.slow
def test_a_variant_that_fails_in_a_replica_counts_in_the_others(
    failing, left, copied, inside, monkeypatch
):
    def refuse(settings, inputs, out):
        if (settings.seed, settings.format) == (1, failing):
            raise ConversionError("not today")
        return convert(settings, inputs, out)

    convert = quantize.run
    monkeypatch.setattr(train, "run", learn_nothing)
    monkeypatch.setattr(quantize, "run", refuse)
    done = inside("run", *SMALL, *TWO, "repeat=2", artifacts=copied)
    assert done.code == 4
    report = read(copied)
    assert [row["status"] for row in report["variants"]] == ["ok", "ok"]
    assert [row["seeds"]["n"] for row in report["variants"]] == left
    second = {row["name"]: row for row in report["replicas"][1]["variants"]}
    assert second[failing]["reason"] == "not today"
    assert (copied / "digits" / "tflite" / "int8.tflite").is_file()


def test_a_class_too_small_for_the_folds_is_said_in_a_line(tmp_path, digits, inside):
    images, labels = digits
    kept = np.concatenate([np.flatnonzero(labels == 3)[:4], np.flatnonzero(labels == 5)[:90]])
    np.savez(tmp_path / "set.npz", images=images[kept], labels=labels[kept])
    words = ("ingest.dataset=arrays", f"ingest.path={tmp_path / 'set.npz'}", "folds=5")
    done = inside("run", *words, "--until", "build", artifacts=tmp_path / "a")
    assert done.code == 3
    assert "too few to be in train, validation and test and in 5 folds" in done.errors[-1]
    assert not [line for line in done.errors if "Traceback" in line]


def accuracies(report, key="accuracy"):
    return np.array([[row[key] for row in one["variants"]] for one in report["replicas"]])


def adds_up(report):
    """Check the figures over runs against those of each run."""
    found = accuracies(report)
    seeds = [row["seeds"] for row in report["variants"]]
    assert [one["mean"] for one in seeds] == pytest.approx(found.mean(0).tolist())
    assert [one["sd"] for one in seeds] == pytest.approx(found.std(0, ddof=1).tolist())
    drops = 100 * (found[:, :1] - found)
    assert [one["drop_pp"]["sd"] for one in seeds] == pytest.approx(drops.std(0, ddof=1).tolist())
    assert [row["accuracy"] for row in report["variants"]] == found[0].tolist()


@pytest.mark.slow
def test_two_seeds_of_the_digits_whole(copied, inside):
    before = picture_of(copied / "digits")
    done = inside("run", *SMALL, *TWO, "repeat=2", artifacts=copied)
    assert done.code == 0, done.err
    assert ran(done) == [
        "build#2", "train#2", "quantize(float32)#2", "quantize(int8)#2", "export", "benchmark",
        "benchmark#2", "report",
    ]  # fmt: skip
    report = read(copied)
    adds_up(report)
    assert [one["seed"] for one in report["replicas"]] == [0, 1]
    first, second = accuracies(report)
    assert first.tolist() != second.tolist()
    after = picture_of(copied / "digits")
    assert after["model.keras"] == before["model.keras"], "what is published is of the first seed"
    assert ran(inside("run", *SMALL, *TWO, "repeat=2", artifacts=copied)) == []
    alone = inside("run", *SMALL, *TWO, "seed=1", artifacts=copied)
    assert not {"train", "quantize(int8)"} & set(ran(alone)), "the second seed is there already"
    rows = {row["name"]: row for row in read(copied)["variants"]}
    assert [rows[name]["accuracy"] for name in ("float32", "int8")] == second.tolist()
    forced = inside("run", *SMALL, *TWO, "repeat=2", "--force", "train", artifacts=copied)
    assert ran(forced) == ["train", "train#2"], "both came out as they were"


@pytest.mark.slow
def test_two_folds_of_the_digits_whole(tmp_path, inside):
    words = (*SMALL, "variants=[int8]", "folds=2", "ingest.limit=400")
    done = inside("run", *words, artifacts=tmp_path)
    assert done.code == 0, done.err
    report = read(tmp_path)
    adds_up(report)
    assert [(one["seed"], one["fold"]) for one in report["replicas"]] == [(0, 1), (0, 2)]
    assert accuracies(report).shape == accuracies(report, "validation_accuracy").shape == (2, 2)
    first, second = (
        {split: np.load(folder / f"{split}_images.npy") for split in ("validation", "test")}
        for folder in sorted(
            (tmp_path / ".cache" / "ingest").iterdir(),
            key=lambda folder: json.loads((folder / "manifest.json").read_text())["step"],
        )
    )
    assert np.array_equal(first["test"], second["test"])
    assert not {one.tobytes() for one in first["validation"]} & {
        one.tobytes() for one in second["validation"]
    }
    assert ran(inside("run", *words, artifacts=tmp_path)) == []
    explained = call("explain", *words, artifacts=tmp_path)
    assert {line.split()[1] for line in explained.out.splitlines()} == {"cached"}
