"""Kill -9 at random moments, again and again: the fit comes to the very bits of one left alone."""

import json
import multiprocessing
import os
import random
import signal
import time

import numpy as np
import pytest

from pipeline.settings import CHECKPOINTS
from tests.fit import alone

KILLS = 20


@pytest.fixture(scope="module")
def start():
    """Start a fit in a process forked off one that has imported everything and run nothing."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.fit.alone"])

    def begin(out):
        out.mkdir(exist_ok=True)
        process = processes.Process(target=alone.run, args=(out,))
        process.start()
        return process

    return begin


def epochs_saved(out):
    names = [path.name for path in (out / CHECKPOINTS).glob("epoch-*")]
    return max((int(name.split("-")[1]) for name in names), default=0)


def result(out):
    with np.load(out / alone.RESULT, allow_pickle=False) as arrays:
        state = {name: arrays[name] for name in arrays.files}
    return json.loads(str(state.pop("facts"))), state


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_no_trace(start, tmp_path):
    process = start(tmp_path / "alone")
    process.join()
    expected, wanted = result(tmp_path / "alone")
    assert len(set(expected["history"]["learning_rate"])) > 2, "the plateau was met"
    chance = random.Random(0)
    kills, out = [], tmp_path / "killed"
    while len(kills) < KILLS:
        process = start(out)
        before, further = epochs_saved(out), chance.choice([0, 1, 2, 3])
        while process.is_alive() and epochs_saved(out) < before + further:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.3) if further else chance.uniform(0, 6))
        assert process.is_alive(), "it has come to its end before the last kill"
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        kills.append(epochs_saved(out))
    assert sum(epoch > 0 for epoch in kills) > KILLS / 2, "most past the first epoch"
    process = start(out)
    process.join()
    found, state = result(out)
    assert found["from"] == kills[-1]
    assert found["history"] == expected["history"]
    assert found["best"] == expected["best"]
    assert state.keys() == wanted.keys()
    assert all(np.array_equal(state[name], wanted[name]) for name in wanted)
