"""Chief and workers: who is which, whose port it is, and what a worker may die of."""

import os
import subprocess
import time

import pytest

from pipeline.errors import ConfigError, ResourceError
from pipeline.search import kept, roles, wire
from pipeline.search.trials import Trials
from tests.front_door import ROOT, command
from tests.search.test_phase import TINY, process, wait_for

ENVIRONMENT = {
    "KERASTUNER_TUNER_ID": "attic",
    "KERASTUNER_ORACLE_IP": "127.0.0.1",
    "KERASTUNER_ORACLE_PORT": "8000",
}
KILLER = """
import os
import keras

class Killer(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        if float(self.model.optimizer.learning_rate) > 0.01:
            os._exit(9)
"""


def test_environment_variables_say_who_is_who(monkeypatch):
    assert roles.worker() is None
    assert not roles.is_chief()
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert roles.worker() == "attic"
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    assert roles.worker() is None
    assert roles.is_chief()


@pytest.mark.parametrize("missing", ["KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_PORT"])
def test_half_an_address_is_refused(missing, monkeypatch):
    for name, value in ENVIRONMENT.items():
        if name != missing:
            monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{missing} is not"):
        roles.worker()


def test_a_port_that_is_no_number_is_refused(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for port in ("http", "0", "70000"):
        monkeypatch.setenv("KERASTUNER_ORACLE_PORT", port)
        with pytest.raises(ConfigError, match=f"a number, 1 to 65535, not '{port}'"):
            roles.worker()


def test_a_port_that_is_taken_is_told():
    with wire.served(None, "127.0.0.1", 0) as (_, port):
        assert port > 0
        with (
            pytest.raises(ResourceError, match=f"127.0.0.1:{port}: the port is taken"),
            wire.served(None, "127.0.0.1", port),
        ):
            pass


def test_a_chief_listens_on_this_machine_alone_unless_told():
    with wire.served(None, roles.LOOPBACK, 0) as (_, port):
        listening = subprocess.run(
            ["cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True, text=True, check=True
        ).stdout
        ours = [line.split()[1] for line in listening.splitlines() if f":{port:04X} " in line]
    assert ours
    assert all(address.partition(":")[0].endswith("0100007F") for address in ours), (
        ours
    )  # 127.0.0.1


@pytest.mark.slow
def test_a_trial_that_takes_every_worker_with_it_counts_as_failed(tmp_path):
    (tmp_path / "killer.py").write_text(KILLER)
    words = (
        "search.space={train.learning_rate: {choice: [0.004, 0.5]}}",
        "search.workers=2",
        "train.callbacks=[killer:Killer]",
        "train.warmup_epochs=0",
    )
    done = subprocess.run(
        command("search", *TINY, *words, "build.width=4", artifacts=tmp_path / "artifacts"),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = Trials(tmp_path / "artifacts" / "digits" / "search" / "trials").all()
    assert {one.values["train.learning_rate"]: one.status for one in found} == {
        0.004: "trained",
        0.5: "failed",
    }
    (failed,) = [one for one in found if one.status == "failed"]
    assert failed.reason == "3 workers died over it, the last by exit code 9"


@pytest.mark.slow
def test_a_trial_that_crashes_the_only_process_counts_as_failed_in_the_end(tmp_path):
    (tmp_path / "killer.py").write_text(KILLER)
    words = (
        "search.space={train.learning_rate: {choice: [0.004, 0.5]}}",
        "search.trials=2",
        "train.callbacks=[killer:Killer]",
        "train.warmup_epochs=0",
        "build.width=4",
    )

    def once():
        return subprocess.run(
            command("search", *TINY, *words, artifacts=tmp_path / "artifacts"),
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    assert [once().returncode for _ in range(kept.CUTS)] == [9] * kept.CUTS
    done = once()
    assert done.returncode == 0, done.stderr
    found = Trials(tmp_path / "artifacts" / "digits" / "search" / "trials").all()
    assert {one.values["train.learning_rate"]: one.status for one in found} == {
        0.004: "trained",
        0.5: "failed",
    }
    assert "ended with 1 of 2 trained: there was nothing else to try" in done.stderr


@pytest.mark.slow
def test_a_worker_by_hand_waits_for_its_chief_and_another_chief_finds_the_port_taken(tmp_path):
    with wire.served(None, roles.LOOPBACK, 0) as (_, port):
        pass  # one that was free a moment ago
    there = {"KERASTUNER_ORACLE_IP": roles.LOOPBACK, "KERASTUNER_ORACLE_PORT": str(port)}

    def begun(name, artifacts):
        return process(tmp_path / artifacts, env=there | {"KERASTUNER_TUNER_ID": name})

    attic = begun("attic", "shared")
    folder = tmp_path / "shared" / "digits" / "search"
    time.sleep(8.0)
    assert attic.poll() is None, "it waits"
    chief = begun("chief", "shared")
    wait_for(lambda: list(folder.glob("trials/0*.json")))
    _, said = begun("chief", "other").communicate(timeout=120)
    assert f"127.0.0.1:{port}: the port is taken" in said.splitlines()[-1]
    told, said = chief.communicate(timeout=300)
    assert chief.returncode == 0, said
    assert "best.yaml" in told
    _, said = attic.communicate(timeout=60)
    assert attic.returncode == 0, said
    found = Trials(folder / "trials").all()
    assert [trial.trial for trial in found] == list(range(1, len(found) + 1))
    assert sum(trial.status == "trained" for trial in found) == 3
    assert "trial" in (folder / "attic.log").read_text(), "it had a part in it"
