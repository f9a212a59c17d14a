"""A whole search on handwritten digits: tiny networks, a few epochs, what it leaves."""

import json
import os
import shutil
import signal
import subprocess
import time

import pandas
import psutil
import pytest
import yaml
from filelock import FileLock
from PIL import Image

from pipeline import Config, run
from pipeline.errors import ConfigError, ConversionError, IntegrityError, TrainingError
from pipeline.search.phase import search
from pipeline.search.trials import Trials
from pipeline.stages import build
from tests.front_door import ROOT, command

SPACE = "search.space={build.width: {int: [4, 12, 4]}, train.learning_rate: {log: [2e-3, 2e-2]}}"
TINY = (
    SPACE,
    "search.algorithm=random",
    "search.epochs=null",
    "search.trials=3",
    "search.max_bytes=15000",  # 12 channels have 21,000
    "train.epochs=2",
    "ingest.limit=300",
    "variants=[int8]",
    "benchmark={rounds: 1, runs: 3}",
)


def config(*words):
    return Config.load(overrides=[*TINY, *words])


def trained_in(artifacts):
    """The trainings in a store, by the learning rate of each."""
    manifests = [json.loads(p.read_text()) for p in artifacts.glob(".cache/train/*/manifest.json")]
    return sorted(one["settings"]["learning_rate"] for one in manifests)


def of_trials(artifacts, status="trained"):
    trials = Trials(artifacts / "digits" / "search" / "trials").all()
    return sorted(t.values["train.learning_rate"] for t in trials if t.status == status)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search whose limit refuses the widest."""
    artifacts = tmp_path_factory.mktemp("searched")
    return artifacts, search(config(), artifacts=artifacts)


def test_what_is_over_a_limit_is_refused_unpaid(searched):
    artifacts, found = searched
    assert [trial.status for trial in found.trials].count("trained") == 3
    refused = [trial for trial in found.trials if trial.status == "refused"]
    assert {trial.values["build.width"] for trial in refused} == {12}
    assert all(trial.bytes > 15_000 and trial.val_accuracy is None for trial in refused)
    assert "bytes of 15,000" in refused[0].reason
    assert trained_in(artifacts) == of_trials(artifacts)
    assert all(trial.bytes <= 15_000 for trial in found.trials if trial.status == "trained")


def test_the_table_and_the_recipe_say_what_was_found(searched):
    artifacts, found = searched
    table = pandas.read_csv(artifacts / "digits" / "search" / "trials.csv")
    assert table["trial"].tolist() == [trial.trial for trial in found.trials]
    assert table["latency_us"].gt(0).all()
    recipe = yaml.safe_load(found.recipe.read_text())
    assert recipe["build"]["width"] == found.best.values["build.width"]
    assert recipe["train"]["learning_rate"] == found.best.values["train.learning_rate"]
    assert "search" not in recipe
    assert found.best.val_accuracy == table["val_accuracy"].max()


def test_run_takes_the_recipe_and_finds_the_training_done(searched):
    artifacts, found = searched
    outcome = run(Config.load(found.recipe), artifacts=artifacts, until="quantize")
    assert "train" not in outcome.ran
    size = outcome.entries["quantize(int8)"].manifest["metrics"]["bytes"]
    assert abs(size / found.best.bytes - 1) <= 0.02


@pytest.mark.slow
def test_a_run_publishes_beside_the_search_and_leaves_it_as_it_is(searched):
    artifacts, found = searched
    before = {path.name: path.read_bytes() for path in found.folder.rglob("*") if path.is_file()}
    for _ in range(2):  # the second time, over results of its own
        run(Config.load(found.recipe, ["train.epochs=3"]), artifacts=artifacts)
    assert (artifacts / "digits" / "report.html").is_file()
    after = {path.name: path.read_bytes() for path in found.folder.rglob("*") if path.is_file()}
    assert after == before


def test_a_finished_search_trains_nothing_again(searched):
    artifacts, found = searched
    before = {path: path.stat().st_mtime_ns for path in artifacts.rglob("trials/*.json")}
    again = search(config(), artifacts=artifacts)
    assert again == found
    assert {path: path.stat().st_mtime_ns for path in artifacts.rglob("trials/*.json")} == before


@pytest.fixture
def copied(searched, tmp_path):
    """A folder with the finished search in it, to be damaged."""
    shutil.copytree(searched[0], tmp_path / "copied")
    return tmp_path / "copied"


def test_what_was_lost_of_a_finished_search_is_written_again(searched, copied):
    folder = copied / "digits" / "search"
    kept = (folder / "trials.csv").read_bytes()
    (folder / "trials.csv").unlink()
    (folder / "best.yaml").unlink()
    assert search(config(), artifacts=copied).best == searched[1].best
    assert (folder / "trials.csv").read_bytes() == kept
    assert (folder / "best.yaml").is_file()


@pytest.mark.parametrize("name", ["space.json", "oracle.json", "trials/0001.json"])
@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_file_is_named(copied, name, content):
    (copied / "digits" / "search" / name).write_text(content)
    with pytest.raises(IntegrityError, match=rf"{name.rpartition('/')[2]}: .* another name="):
        search(config(), artifacts=copied)


def test_a_search_may_be_removed_and_begun_anew(copied):
    with pytest.raises(ConfigError, match=rf"or remove {copied / 'digits'}$"):
        search(config("train.epochs=3"), artifacts=copied)
    shutil.rmtree(copied / "digits")
    assert search(config("search.trials=1"), artifacts=copied).best.status == "trained"


def test_what_a_worker_elsewhere_is_at_is_not_swept_away(copied):
    train = copied / ".cache" / "train"
    for key in ("one", "two"):
        (train / f".{key}").mkdir()
        (train / f".{key}" / "begun").touch()
    locks = copied / ".cache" / ".locks"
    locks.mkdir(exist_ok=True)
    with FileLock(locks / "one"):
        search(config(), artifacts=copied)
        assert (train / ".one" / "begun").is_file()
    search(config(), artifacts=copied)
    assert not (train / ".two" / "begun").is_file()


@pytest.mark.slow
def test_a_candidate_without_the_memory_it_wants_is_one_that_failed(tmp_path, monkeypatch):
    run, asked = build.run, []

    def tight(settings, inputs, out):
        asked.append(settings)
        if len(asked) == 1:
            raise MemoryError("a great deal")
        return run(settings, inputs, out)

    monkeypatch.setattr(build, "run", tight)
    widths = "search.space={build.width: {int: [4, 12, 4]}}"
    found = search(config(widths, "search.algorithm=grid", "search.trials=2"), artifacts=tmp_path)
    assert [trial.status for trial in found.trials] == ["failed", "trained", "refused"]
    assert "a great deal" in found.trials[0].reason


def test_a_folder_of_another_search_is_refused(searched):
    artifacts, _ = searched
    with pytest.raises(ConfigError, match=r"other search\.space lies there; give another name="):
        search(config(SPACE.replace("12", "16")), artifacts=artifacts)
    with pytest.raises(ConfigError, match="a search with other train lies there"):
        search(config("train.batch=16"), artifacts=artifacts)
    with pytest.raises(ConfigError, match="a search with other seed lies there"):
        search(config("seed=1"), artifacts=artifacts)


def test_a_default_written_out_is_no_other_search(searched):
    artifacts, found = searched
    again = search(config("build.model=small_cnn", "train.label_smoothing=0"), artifacts=artifacts)
    assert again == found


@pytest.mark.slow
def test_other_pictures_make_another_search(tmp_path):
    pictures = tmp_path / "pictures"
    for name, level in (("dark", 40), ("light", 210)):
        (pictures / name).mkdir(parents=True)
        for place in range(12):
            shade = Image.new("L", (8, 8), level + place)
            shade.save(pictures / name / f"{place}.png")
    words = (f"ingest={{dataset: folder, path: {pictures}, color: gray, size: 8}}",)
    words += ("search.trials=1", "search.max_bytes=null")
    search(config(*words), artifacts=tmp_path / "artifacts")
    Image.new("L", (8, 8), 3).save(pictures / "dark" / "0.png")
    with pytest.raises(ConfigError, match="a search with other pictures lies there"):
        search(config(*words), artifacts=tmp_path / "artifacts")


@pytest.mark.slow
def test_a_search_that_ends_early_says_why(tmp_path, capsys):
    space = "search.space={train.learning_rate: {choice: [4e-3, 1e+30]}}"
    words = (space, "build.width=4", "search.algorithm=grid")
    found = search(config(*words, "search.trials=5"), artifacts=tmp_path)
    assert len(found.trials) == 2
    said = capsys.readouterr().err
    assert "search: ended with 1 of 5 trained: there was nothing else to try" in said
    assert "(train.learning_rate=1e+30)  1 of at most 5" in said
    again = config(*words, "search.trials=5", "search.failures=1")
    search(again, artifacts=tmp_path)
    assert "of 5 trained: 1 failed (search.failures allows more)" in capsys.readouterr().err
    search(config(*words, "search.trials=1"), artifacts=tmp_path)
    assert "ended with" not in capsys.readouterr().err


def test_a_folder_that_is_no_runs_result_is_left_alone(tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "photo.jpg").write_text("mine")
    with pytest.raises(ConfigError, match="is no run's result"):
        search(config(), artifacts=tmp_path)


@pytest.mark.slow
def test_limits_that_nothing_meets_say_how_near_it_came(tmp_path):
    limits = ("search.max_bytes=100", "search.refusals=2", "search.max_latency_us=0.001")
    with pytest.raises(ConversionError) as caught:
        search(config(*limits), artifacts=tmp_path)
    refused = Trials(tmp_path / "digits" / "search" / "trials").all()
    smallest = min(refused, key=lambda trial: trial.bytes)
    assert "none of 2 candidates is within the limits" in str(caught.value)
    assert f"{smallest.bytes:,} bytes (trial {smallest.trial})" in str(caught.value)
    assert f"{min(trial.latency_us for trial in refused):,.1f} us" in str(caught.value)
    assert trained_in(tmp_path) == []


@pytest.mark.slow
def test_candidates_that_fail_are_recorded_and_the_search_goes_on(tmp_path):
    space = "search.space={train.learning_rate: {choice: [1e-3, 1e+30]}}"
    found = search(config(space, "search.trials=4", "build.width=4"), artifacts=tmp_path)
    failed, trained = sorted(found.trials, key=lambda trial: trial.status)
    assert failed.values == {"train.learning_rate": 1e30}
    assert "the loss is nan" in failed.reason
    assert trained == found.best


@pytest.mark.slow
def test_a_search_in_which_all_fail_says_why(tmp_path):
    space = "search.space={train.learning_rate: {choice: [1e+30, 1e+31]}}"
    with pytest.raises(TrainingError, match=r"all 2 candidates failed; trial 1: .*the loss is nan"):
        search(config(space, "build.width=4"), artifacts=tmp_path)
    assert TrainingError.exit_code == ConversionError.exit_code == 4


@pytest.mark.slow
def test_the_int8_file_and_folds_may_be_what_is_judged(tmp_path):
    words = ("search.objective=int8_accuracy", "search.folds=2", "search.trials=1")
    found = search(config(*words), artifacts=tmp_path)
    assert len(trained_in(tmp_path)) == 2
    manifests = tmp_path.glob(".cache/train/*/manifest.json")
    folds = [json.loads(path.read_text())["metrics"]["val_accuracy"] for path in manifests]
    assert found.best.val_accuracy == pytest.approx(sum(folds) / 2)
    assert 0 < found.best.int8_accuracy <= 1
    assert found.best.score("int8_accuracy") == found.best.int8_accuracy


def process(artifacts, *words, env=None):
    return subprocess.Popen(
        command("search", *TINY, *words, artifacts=artifacts),
        cwd=ROOT,
        env=os.environ | (env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on_to_the_same_best(tmp_path):
    words = ("search.trials=5", "search.algorithm=bayesian")
    whole = search(config(*words), artifacts=tmp_path / "whole")
    cut = tmp_path / "cut"
    killed = process(cut, *words)
    folder = Trials(cut / "digits" / "search" / "trials")
    wait_for(lambda: folder.find(3))
    time.sleep(1.0)  # in the midst of the next
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    finished = of_trials(cut)
    found = search(config(*words), artifacts=cut)
    assert set(finished) < set(of_trials(cut))
    assert [t.values for t in found.trials] == [t.values for t in whole.trials]
    assert found.best.trial == whole.best.trial
    assert found.best.val_accuracy == whole.best.val_accuracy
    assert trained_in(cut) == of_trials(cut) == trained_in(tmp_path / "whole")


@pytest.mark.slow
def test_two_workers_share_a_search_and_one_that_dies_is_replaced(tmp_path):
    chief = process(tmp_path, "search.trials=4", "search.workers=2")
    folder = tmp_path / "digits" / "search"
    wait_for(lambda: len(list(folder.glob("trials/0*.json"))) >= 2)
    psutil.Process(chief.pid).children()[0].kill()
    _, said = chief.communicate(timeout=300)
    assert chief.returncode == 0, said
    found = Trials(folder / "trials").all()
    assert sum(trial.status == "trained" for trial in found) == 4
    assert [trial.trial for trial in found] == list(range(1, len(found) + 1))
    assert trained_in(tmp_path) == of_trials(tmp_path)
    assert said.count("\n✓ trial") + said.startswith("✓ trial") == 4
    assert {path.name for path in folder.glob("worker*.log")} == {"worker1.log", "worker2.log"}
