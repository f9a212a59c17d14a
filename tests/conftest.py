"""What the tests share: the digits, a way to call the front door, and one finished small run."""

import json
import math
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from filelock import FileLock

from tests.front_door import ROOT, SMALL, Done, call


@pytest.fixture
def pix2pocket():
    return call


@pytest.fixture
def inside(capfd, monkeypatch):
    """Call the front door in this process, where TensorFlow may be loaded already."""
    import run_pipeline

    def call_inside(*arguments, artifacts):
        words = ["run_pipeline.py", *map(str, arguments), "--artifacts", str(artifacts)]
        monkeypatch.setattr(sys, "argv", words)
        capfd.readouterr()
        started = time.monotonic()
        code = run_pipeline.main()
        out, err = capfd.readouterr()
        return Done(code, out, err, time.monotonic() - started)

    return call_inside


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """Make a folder in the process of tests that asks for it first; each has a copy of its own."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent

    def folder(name, make):
        made, done = shared / "once" / name, shared / "once" / f"{name}.done"
        made.parent.mkdir(exist_ok=True)
        with FileLock(f"{made}.lock"):
            if not done.exists():
                shutil.rmtree(made, ignore_errors=True)
                make(made)
                done.touch()
        return copy(made, tmp_path_factory.mktemp(name) / name)

    return folder


@pytest.fixture(scope="session")
def finished(once):
    """One small digits run, whole; tests that change it copy it first."""

    def make(artifacts):
        done = call("run", *SMALL, artifacts=artifacts)
        assert done.code == 0, done.err

    return once("artifacts", make)


def copy(source, target):
    """Copy a folder, times kept."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
    return target


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished run, times kept."""
    return copy(finished, tmp_path / "artifacts")


@pytest.fixture
def project(tmp_path):
    """A copy of the code, to be edited."""
    target = tmp_path / "project"
    target.mkdir()
    for name in ("pipeline", "models", "configs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    shutil.copy(ROOT / "run_pipeline.py", target)
    return target


@pytest.fixture
def report(finished):
    return json.loads((finished / "digits" / "report.json").read_text())


@pytest.fixture(scope="session")
def digits():
    """All digits: images uint8 (1797, 8, 8, 1), labels int64."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    return images, bunch.target.astype(np.int64)


def pytest_addoption(parser):
    parser.addoption(
        "--slow-until",
        type=float,
        default=math.inf,
        metavar="SECONDS",
        help="time since 1970 after which no slow test is begun: it is skipped, and said so",
    )


def pytest_runtest_setup(item):
    if item.get_closest_marker("slow") and time.time() > item.config.getoption("--slow-until"):
        pytest.skip("out of time: this machine is too slow for all slow tests in one run")


def pytest_configure():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
