"""Killed, interrupted, started twice: finished stages are kept and nothing half-made is taken."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from pipeline.guard import locked
from pipeline.settings import CHECKPOINTS, LOGS
from tests.front_door import ROOT, SMALL, call, command, picture_of, ran, stages_of

LONG = "train.epochs=4000"


def start(*words, artifacts):
    return subprocess.Popen(
        command("run", *words, artifacts=artifacts),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def drafts(artifacts):
    return list((artifacts / ".cache").glob("*/.*"))


def leaves_only_checkpoints(artifacts):
    return all(
        {path.name for path in draft.iterdir()} <= {CHECKPOINTS, LOGS}
        for draft in drafts(artifacts)
    )


def wait_for_epoch(run, artifacts, epoch, stage="train"):
    """Wait until so many epochs of a training are saved."""
    while run.poll() is None:
        if list((artifacts / ".cache" / stage).glob(f".*/{CHECKPOINTS}/epoch-{epoch:05}-*")):
            return
        time.sleep(0.001)
    pytest.fail(f"epoch {epoch} was never saved: {run.communicate()[1]}")


def wait_for_draft(run, artifacts, stage):
    """Wait until a stage is at work: its draft folder is there."""
    while run.poll() is None:
        if list((artifacts / ".cache" / stage).glob(".*")):
            return
        time.sleep(0.0005)
    pytest.fail(f"{stage} was never seen at work: {run.communicate()[1]}")


def forget(artifacts, stage):
    shutil.rmtree(artifacts / ".cache" / stage)


def everything_is_whole(artifacts):
    for folder in (artifacts / ".cache").glob("*/*"):
        manifest = json.loads((folder / "manifest.json").read_text())
        for name, facts in manifest["files"].items():
            assert (folder / name).stat().st_size == facts["bytes"], name


def kill_and_run_again(artifacts, stage):
    before = picture_of(artifacts / "digits")
    forget(artifacts, stage)
    run = start(*SMALL, artifacts=artifacts)
    wait_for_draft(run, artifacts, stage)
    run.kill()
    run.communicate()
    assert run.returncode == -signal.SIGKILL
    assert picture_of(artifacts / "digits") == before
    again = call("run", *SMALL, "--verify", artifacts=artifacts)
    assert again.code == 0, again.err
    assert {step.partition("(")[0] for step in ran(again)} <= {stage} | AFTER.get(stage, set())
    assert not drafts(artifacts)
    everything_is_whole(artifacts)
    log = (artifacts / ".history" / "digits" / "run.log").read_text()
    assert "ingest: cached" in log or stage == "ingest"


# Others come out as they were, so what follows them is there already.
AFTER = {"export": {"benchmark", "report"}, "benchmark": {"report"}}


EVERY_DAY = ("report",)


@pytest.mark.parametrize("stage", EVERY_DAY)
def test_a_run_killed_at_work_goes_on_where_it_was(stage, copied):
    kill_and_run_again(copied, stage)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [stage for stage in stages_of(*SMALL) if stage not in EVERY_DAY])
def test_a_run_killed_in_any_stage_goes_on_where_it_was(stage, copied):
    kill_and_run_again(copied, stage)


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_as_one_that_never_was(finished, tmp_path):
    for seconds in (2, 7, 9, 11, 13):
        run = start(*SMALL, artifacts=tmp_path)
        time.sleep(seconds)
        run.kill()
        run.communicate()
    done = call("run", *SMALL, "--verify", artifacts=tmp_path)
    assert done.code == 0, done.err
    everything_is_whole(tmp_path)
    for name in ("model.keras", "tflite/int8.tflite", "tflite/prune+int8.tflite"):
        assert (tmp_path / "digits" / name).read_bytes() == (
            finished / "digits" / name
        ).read_bytes()


def test_terminated_at_work_it_says_so_and_a_second_run_beside_it_is_refused(copied):
    before = picture_of(copied / "digits")
    run = start(*SMALL, LONG, artifacts=copied)
    wait_for_draft(run, copied, "train")
    second = call("run", *SMALL, artifacts=copied)
    assert (second.code, len(second.errors)) == (5, 1)
    assert second.errors[0] == (
        f"error: {copied}: another run is working there; wait for it, or give --artifacts another "
        "folder"
    )
    assert call("clean", "--keep", "0", artifacts=copied).code == 5
    assert call("explain", *SMALL, artifacts=copied).code == 0, "looking is free"
    assert run.poll() is None, "and the first goes on"
    run.terminate()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 143
    assert err.splitlines()[-1] == "terminated; finished stages are kept, run again to go on"
    assert "Traceback" not in err
    assert leaves_only_checkpoints(copied)
    assert picture_of(copied / "digits") == before
    again = call("run", *SMALL, artifacts=copied)
    assert (again.code, ran(again)) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGTERM, 143, "terminated;"),
        (signal.SIGINT, 130, "interrupted;"),
        (signal.SIGKILL, -9, ""),
    ],
    ids=str,
)
def test_a_training_cut_off_goes_on_where_it_was_and_its_file_is_the_same(
    number, code, said, copied, tmp_path
):
    words = (*SMALL, "train.epochs=30", "train.patience=29", "train.ema=0.9", "build.width=6")
    until = ("--until", "train")
    run = start(*words, *until, artifacts=copied)
    wait_for_epoch(run, copied, 3)
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert run.returncode == code, err
    if said:
        assert "  saved after " in err
        assert err.splitlines()[-1].startswith(said)
        assert leaves_only_checkpoints(copied)
    again = call("run", *words, *until, artifacts=copied)
    assert (again.code, ran(again)) == (0, ["train"]), again.err
    assert "going on after " in again.err
    assert not drafts(copied)
    whole = call("run", *words, *until, artifacts=tmp_path / "whole")
    assert whole.code == 0, whole.err
    found, expected = (newest_training(root) for root in (copied, tmp_path / "whole"))
    assert found["metrics"].pop("resumed_from_epoch") >= 3
    assert expected["metrics"].pop("resumed_from_epoch") is None
    assert found["metrics"] == expected["metrics"]
    assert found["digest"] == expected["digest"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["distill", "slim", "prune"])
def test_a_pupil_or_a_smaller_network_cut_off_goes_on_and_its_file_is_the_same(
    stage, copied, tmp_path
):
    words = (*SMALL, f"variants=[{stage}+int8]", f"{stage}.epochs=30")
    until = ("--until", stage)
    run = start(*words, *until, artifacts=copied)
    wait_for_epoch(run, copied, 3, stage)
    run.kill()
    run.communicate()
    again = call("run", *words, *until, artifacts=copied)
    assert (again.code, ran(again)) == (0, [f"{stage}({stage})"]), again.err
    assert "going on after " in again.err
    whole = call("run", *words, *until, artifacts=tmp_path / "whole")
    assert whole.code == 0, whole.err
    found, expected = (newest_training(at, stage) for at in (copied, tmp_path / "whole"))
    assert found["metrics"].pop("resumed_from_epoch") >= 3
    assert expected["metrics"].pop("resumed_from_epoch") is None
    assert found["metrics"] == expected["metrics"]
    assert found["digest"] == expected["digest"]


def newest_training(artifacts, stage="train"):
    manifests = (artifacts / ".cache" / stage).glob("*/manifest.json")
    return json.loads(max(manifests, key=lambda path: path.stat().st_mtime).read_text())


@pytest.mark.slow
def test_interrupted_while_the_converter_calls_back_it_stops_and_blames_no_variant(copied):
    """The converter turns an exception raised in calibration into an error of its own."""
    before = picture_of(copied / "digits")
    run = start(*SMALL, "quantize.calibration_images=1222", "variants=[int8]", artifacts=copied)
    wait_for_draft(run, copied, "quantize")
    while len(list((copied / ".cache" / "quantize").glob("[!.]*"))) < 6:  # int8 follows float32
        time.sleep(0.001)
    time.sleep(0.6)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert err.splitlines()[-1] == "interrupted; finished stages are kept, run again to go on"
    assert "failed" not in err
    assert not drafts(copied)
    assert picture_of(copied / "digits") == before


def test_a_signal_that_was_swallowed_is_heeded(tmp_path, monkeypatch):
    from pipeline import Config, run
    from pipeline.stages import ingest

    def swallow(settings, inputs, out):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except BaseException:  # noqa: BLE001  # as native code does
            raise RuntimeError("something else") from None

    monkeypatch.setattr(ingest, "run", swallow)
    with pytest.raises(KeyboardInterrupt):
        run(Config.load(overrides=SMALL), artifacts=tmp_path, until="ingest")
    assert not drafts(tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_lock_left_by_a_killed_run_holds_nobody_up(copied):
    assert (copied / ".lock").exists()
    assert call("run", *SMALL, artifacts=copied).code == 0


def test_two_folders_do_not_know_of_each_other(copied, tmp_path):
    with locked(tmp_path / "other"):
        assert call("run", *SMALL, artifacts=copied).code == 0


def test_an_entry_half_removed_is_swept(copied):
    folder = next((copied / ".cache" / "train").iterdir())
    left = folder.with_name("f" * 64)
    left.mkdir()
    (left / "model.keras").write_bytes(b"half")
    assert call("run", *SMALL, artifacts=copied).code == 0
    assert not left.exists()
    assert folder.exists()
