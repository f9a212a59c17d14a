"""The process that times .tflite files: nothing else runs in it, and AMX is kept out of it.

It is handed a pickled `Work` on its input and gives back a pickled `Outcome`, or what was raised.
What is measured, and why so: docs/measuring.md.
"""

import gc
import os
import pickle
import random
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, perf_counter_ns

import numpy as np
import psutil

from pipeline.errors import ConversionError, PipelineError
from pipeline.measure import amx
from pipeline.measure.litert import LiteRT

# A block ends after so long even if runs are missing: int16x8 is 100 times slower than int8.
_BLOCK_SECONDS = 1.0
_LOOK_SECONDS = 0.1  # at how busy each core is


@dataclass(frozen=True)
class Work:
    """Files by name, the pictures they are timed on uint8 `(N, H, W, C)`, and how often.

    `starts`: how often each file is opened anew for its cold start.
    """

    files: Mapping[str, Path]
    images: np.ndarray
    rounds: int
    runs: int
    warmup: int
    threads: int
    starts: int


@dataclass(frozen=True)
class Outcome:
    """Of each file, nanoseconds of single inferences, an array `(runs,)` a round.

    `starts`: of each file, nanoseconds from its opening to its first answer; none where none were
    asked for, and on systems that cannot fork. `cores`: those the threads were kept on; none on
    systems that do not keep them.
    """

    blocks: Mapping[str, list[np.ndarray]]
    starts: Mapping[str, list[int]]
    cores: tuple[int, ...]
    amx: amx.Amx


def measure(work: Work) -> Outcome:
    """Do it, in this process, to which it leaves its cores and its processor without AMX."""
    kept_out = amx.keep_out()
    cores = _keep_to(work.threads)
    opened = starts(work)  # first: once LiteRT has computed here, a fork finds it warm
    return Outcome(blocks(work), opened, cores, kept_out)


def _keep_to(threads: int) -> tuple[int, ...]:
    """Stay on so many of the cores that are given, those with the least to do."""
    if not hasattr(os, "sched_setaffinity"):
        return ()
    busy = psutil.cpu_percent(_LOOK_SECONDS, percpu=True)
    given = sorted(os.sched_getaffinity(0), key=lambda core: (busy[core : core + 1], core))
    cores = tuple(sorted(given[:threads]))
    os.sched_setaffinity(0, cores)
    return cores


def starts(work: Work) -> dict[str, list[int]]:
    """Open each file several times, in a fork that has never computed, and get its first answer."""
    if not hasattr(os, "fork"):
        return {name: [] for name in work.files}
    return {
        name: [_start(path, work) for _ in range(work.starts)] for name, path in work.files.items()
    }


def _start(path: Path, work: Work) -> int:
    receiving, sending = os.pipe()
    child = os.fork()
    if not child:
        begin = perf_counter_ns()
        try:
            LiteRT(path, work.threads).invoke_once(work.images[0])
            os.write(sending, b"%d" % (perf_counter_ns() - begin))
        finally:
            os._exit(0)
    os.close(sending)
    with os.fdopen(receiving, "rb") as said:
        nanoseconds = said.read()
    os.waitpid(child, 0)
    if not nanoseconds:
        LiteRT(path, work.threads).invoke_once(work.images[0])  # says what is wrong
        raise ConversionError(f"{path}: LiteRT ends over it")
    return int(nanoseconds)


def blocks(work: Work) -> dict[str, list[np.ndarray]]:
    """Time files in turns: each round visits all of them in a new (seeded) order."""
    models = {name: LiteRT(path, work.threads) for name, path in work.files.items()}
    found: dict[str, list[np.ndarray]] = {name: [] for name in models}
    order = list(models)
    shuffle = random.Random(0).shuffle
    with _no_garbage_collection():
        for _ in range(work.rounds):
            shuffle(order)
            for name in order:
                _block(models[name], work.images, work.warmup)
                found[name].append(_block(models[name], work.images, work.runs))
    return found


def _block(model: LiteRT, images: np.ndarray, runs: int) -> np.ndarray:
    """Nanoseconds of up to `runs` inferences, going round the pictures; at least one."""
    deadline = perf_counter() + _BLOCK_SECONDS
    times = []
    for run in range(runs):
        times.append(model.invoke_once(images[run % len(images)]))
        if perf_counter() > deadline:
            break
    return np.array(times)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def main() -> None:
    """Do what is asked; the one who asked is interrupted, and ends this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries may say things
    found: Outcome | PipelineError
    try:
        found = measure(pickle.load(sys.stdin.buffer))
    except PipelineError as error:
        found = error
    with answer:
        pickle.dump(found, answer)
