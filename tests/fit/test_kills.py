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
from tests.fit import alone, clustered, pruned

LAST = alone.EPOCHS - 5  # a kill comes no later: what has ended cannot be killed


@pytest.fixture(scope="module")
def start():
    """Start a fit in a process forked off one that has imported everything and run nothing."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.fit.pruned", "tests.fit.clustered"])

    def begin(run, out):
        out.mkdir(exist_ok=True)
        process = processes.Process(target=run, args=(out,))
        process.start()
        return process

    return begin


def epochs_saved(out):
    names = [path.name for path in (out / CHECKPOINTS).glob("epoch-*")]
    return max((int(name.split("-")[1]) for name in names), default=0)


def await_epoch(process, out, epoch, at_most=float("inf")):
    """Wait until an epoch is saved, the process is over or time is; return the seconds it took."""
    begun = time.monotonic()
    while process.is_alive() and epochs_saved(out) < epoch and time.monotonic() - begun < at_most:
        time.sleep(0.001)
    return time.monotonic() - begun


def result(out):
    with np.load(out / alone.RESULT, allow_pickle=False) as arrays:
        state = {name: arrays[name] for name in arrays.files}
    return json.loads(str(state.pop("facts"))), state


def killed_again_and_again(start, run, tmp_path, kills):
    """Run to the end what was killed so often; return what it and one left alone came to."""
    process = start(run, tmp_path / "alone")
    to_first = await_epoch(process, tmp_path / "alone", 1)
    an_epoch = await_epoch(process, tmp_path / "alone", alone.EPOCHS) / alone.EPOCHS
    process.join()
    chance = random.Random(0)
    saved, out = [], tmp_path / "killed"
    for after in sorted(chance.choices(range(alone.EPOCHS * 3 // 4), k=kills)):
        before = epochs_saved(out)
        process = start(run, out)
        # No moment is left to time alone: an epoch may take a tenth of what it took when measured.
        if before < after:
            await_epoch(process, out, after)
            await_epoch(process, out, min(after + 3, LAST), chance.uniform(0, 2 * an_epoch))
        else:  # it is there already: this one is killed while it starts
            await_epoch(process, out, min(before + 1, LAST), chance.uniform(0, to_first))
        assert process.is_alive(), "it has come to its end before the last kill"
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        saved.append(epochs_saved(out))
    assert sum(epoch > 0 for epoch in saved) > kills / 2, "most past the first epoch"
    process = start(run, out)
    process.join()
    found, state = result(out)
    assert found.pop("from") == saved[-1]
    expected, wanted = result(tmp_path / "alone")
    assert expected.pop("from") is None
    assert found == expected
    assert state.keys() == wanted.keys()
    assert all(np.array_equal(state[name], wanted[name]) for name in wanted)
    return found


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_no_trace(start, tmp_path):
    found = killed_again_and_again(start, alone.run, tmp_path, 20)
    assert len(set(found["history"]["learning_rate"])) > 2, "the plateau was met"


@pytest.mark.slow
def test_kills_leave_no_trace_in_a_pruning(start, tmp_path):
    found = killed_again_and_again(start, pruned.alone_in_a_process, tmp_path, 5)
    assert found["best"] >= alone.EPOCHS // 2, "all zeros were there"


@pytest.mark.slow
def test_kills_leave_no_trace_in_a_clustering(start, tmp_path):
    found = killed_again_and_again(start, clustered.alone_in_a_process, tmp_path, 5)
    assert set(found["clusters"]) == {clustered.CLUSTERS}
