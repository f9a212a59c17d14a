"""Runs are logged to MLflow where that is asked for: once, whole, and without a network."""

import json
import os
import socket
import sys

import pytest

from pipeline import track
from pipeline.config import Config
from pipeline.errors import ConfigError, ResourceError
from tests.front_door import SMALL, picture_of, ran


def test_asking_for_it_changes_no_step_and_no_recipe():
    plain = Config.of({"name": "test"})
    asked = Config.of({"name": "test", "mlflow": "somewhere"})
    assert asked.resolve() == plain.resolve()
    assert asked.recipe() == plain.recipe()
    assert "mlflow" not in asked.recipe()


def test_without_mlflow_it_is_said_before_anything_runs(tmp_path, monkeypatch, inside):
    monkeypatch.setitem(sys.modules, "mlflow", None)  # as where it is not installed
    done = inside("run", *SMALL, f"mlflow={tmp_path / 'store'}", artifacts=tmp_path / "a")
    assert (done.code, len(done.errors)) == (2, 1), done.err
    assert f"mlflow: {tmp_path / 'store'}: MLflow cannot be loaded" in done.errors[0]
    assert "pip install mlflow-skinny" in done.errors[0]
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_store(tmp_path):
    (tmp_path / "store").write_text("mine")
    with pytest.raises(ConfigError, match="store is a file"):
        track.require(tmp_path / "store")


def test_the_environment_is_as_before(monkeypatch):
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    before = dict(os.environ)
    with track._told():
        assert os.environ["MLFLOW_ALLOW_FILE_STORE"] == "true"
        assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "false", "what a user says counts"
    assert dict(os.environ) == before


def test_settings_go_by_their_whole_names():
    said = {
        "seed": 1,
        "train": {"optimizer": {"adamw": {"beta_2": 0.9}}, "freeze": [], "ema": None},
    }
    assert track.parameters(said | {"name": "x" * 7000}) == {
        "seed": "1",
        "train.optimizer.adamw.beta_2": "0.9",
        "train.freeze": "[]",
        "train.ema": "null",
        "name": "x" * 5999 + "…",
    }


def test_names_are_brought_into_a_form_that_is_allowed_and_stay_apart():
    names = ["int8", "prune+int8", "a*", "a?", "a/b", "../x", "", "猫"]
    found = track.allowed(names)
    assert found[:5] == ["int8", "prune-int8", "a_", "a__2", "a_b"]
    assert len(set(found)) == len(names)
    assert not any("/" in name or name.startswith(".") for name in found)


@pytest.fixture
def mlflow():
    return pytest.importorskip("mlflow", reason="pip install mlflow-skinny")


@pytest.fixture
def no_network(monkeypatch):
    """Every attempt to reach anything: a list that is to stay empty."""
    asked = []

    def note(*arguments, **_):
        asked.append(arguments)
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", note)
    monkeypatch.setattr(socket, "getaddrinfo", note)
    return asked


@pytest.fixture
def runs_in(mlflow, monkeypatch):
    """The runs of an experiment in a store, and a client to ask for more."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")

    def find(store, name="digits"):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(store.resolve().as_uri())
        experiment = client.get_experiment_by_name(name)
        return client, client.search_runs([experiment.experiment_id]) if experiment else []

    return find


@pytest.mark.slow  # CI installs MLflow before the slow tests
def test_a_run_is_logged_with_settings_figures_curves_and_files(
    copied, inside, runs_in, no_network, tmp_path
):
    store = tmp_path / "a store, of mine"
    done = inside("run", *SMALL, f"mlflow={store}", artifacts=copied)
    assert done.code == 0, done.err
    assert ran(done) == [], "logging trains nothing"
    report = json.loads((copied / "digits" / "report.json").read_text())
    client, (run,) = runs_in(store)
    assert (run.info.status, run.info.run_name) == ("FINISHED", report["id"])
    assert run.data.tags["pix2pocket.id"] == report["id"]
    assert run.data.tags["pix2pocket.data_digest"] == report["dataset"]["digest"]
    assert run.data.params["train.epochs"] == "4"
    assert run.data.params["build.model"] == "small_cnn"
    rows = {row["name"]: row for row in report["variants"]}
    for name in ("float32", "int8", "prune+int8"):
        for fact in ("accuracy", "drop_pp", "bytes"):
            assert run.data.metrics[f"{name.replace('+', '-')}/{fact}"] == rows[name][fact]
    assert run.data.metrics["int8/latency_us_p50"] == rows["int8"]["latency_us"]["p50"]
    curve = client.get_metric_history(run.info.run_id, "val_loss")
    assert [one.value for one in curve] == report["training"]["history"]["val_loss"]
    assert [one.step for one in curve] == [1, 2, 3, 4]
    published = picture_of(copied / "digits")
    (tmp_path / "got").mkdir()
    client.download_artifacts(run.info.run_id, "", str(tmp_path / "got"))
    kept = picture_of(tmp_path / "got")
    file = f"tflite/{report['recommended']}.tflite"
    assert set(kept) == {*track.ARTIFACTS, file}
    for name in (*track.ARTIFACTS, file):
        assert kept[name] == published[name]
    assert no_network == []


@pytest.mark.slow  # CI installs MLflow before the slow tests
def test_a_run_is_logged_once_and_one_that_was_cut_off_again(
    copied, inside, runs_in, tmp_path, monkeypatch
):
    words = ("run", *SMALL, f"mlflow={tmp_path / 'store'}")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("mlflow.tracking.MlflowClient.log_artifact", full)
        done = inside(*words, artifacts=copied)
    assert (done.code, len(done.errors[-1:])) == (5, 1)
    assert "No space left on device; the results are published" in done.errors[-1]
    assert [run.info.status for run in runs_in(tmp_path / "store")[1]] == ["FAILED"]
    for _ in range(2):
        assert inside(*words, artifacts=copied).code == 0
        assert [run.info.status for run in runs_in(tmp_path / "store")[1]] == ["FINISHED"]


@pytest.mark.slow  # CI installs MLflow before the slow tests
def test_a_store_that_cannot_be_is_one_line(copied, mlflow, tmp_path):
    (tmp_path / "file").write_text("")
    report = json.loads((copied / "digits" / "report.json").read_text())
    with pytest.raises(ResourceError, match=r"mlflow: .*file/store: .*the results are published"):
        track.log(tmp_path / "file" / "store", copied / "digits", report)


@pytest.mark.slow  # CI installs MLflow before the slow tests
def test_variants_without_a_file_and_names_that_try_something_are_logged(copied, runs_in, tmp_path):
    report = json.loads((copied / "digits" / "report.json").read_text())
    odd = {"name": "prune.../../x+int8", "status": "failed", "reason": "=1+1"}
    report["variants"].append(odd)
    report["config"] |= {"a/../b": "x\ny: 'z", "layer_rates": {"block*": 1, "block?": 2}}
    report |= {"recommended": None}
    track.log(tmp_path / "store", copied / "digits", report)
    _, (run,) = runs_in(tmp_path / "store")
    assert run.data.params["a_.._b"] == "x\ny: 'z"
    assert {run.data.params[f"layer_rates.block{end}"] for end in ("_", "__2")} == {"1", "2"}
    assert not [name for name in run.data.metrics if "x-int8" in name]
