"""What the tests share: the digits, a way to call the front door, and one finished small run."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SMALL = (
    "train.epochs=4",
    "prune.epochs=3",
    "build.width=8",
    "benchmark.rounds=2",
    "benchmark.runs=5",
)


@dataclass
class Done:
    """A finished command: exit code, both outputs, seconds."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def errors(self) -> list[str]:
        return self.err.strip().splitlines()


def call(*arguments, artifacts=None, cwd=ROOT, timeout=300):
    """Run the front door in a process of its own."""
    command = [sys.executable, str(ROOT / "run_pipeline.py"), *map(str, arguments)]
    if artifacts is not None:
        command += ["--artifacts", str(artifacts)]
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=cwd, check=False, capture_output=True, text=True, timeout=timeout
    )
    return Done(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


@pytest.fixture
def pix2pocket():
    return call


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """One small digits run, whole; tests that change it copy it first."""
    artifacts = tmp_path_factory.mktemp("finished") / "artifacts"
    done = call("run", *SMALL, artifacts=artifacts)
    assert done.code == 0, done.err
    return artifacts


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished run, times kept."""
    target = tmp_path / "artifacts"
    subprocess.run(["cp", "-a", str(finished), str(target)], check=True)
    return target


@pytest.fixture
def report(finished):
    return json.loads((finished / "digits" / "report.json").read_text())


@pytest.fixture(scope="session")
def digits():
    """All digits: images uint8 (1797, 8, 8, 1), labels int64."""
    from pipeline.data.sources.digits import Digits
    from pipeline.settings import Ingest

    return Digits(Ingest()).load().parts["all"]


def pytest_configure():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
