"""The process that times .tflite files: nothing else runs in it, and AMX is kept out of it.

It is handed a pickled `Work` on its input and gives back a pickled `Outcome`, or what was raised.
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
from time import perf_counter

import numpy as np

from pipeline.errors import PipelineError
from pipeline.measure import amx
from pipeline.measure.litert import LiteRT

# A block ends after so long even if runs are missing: int16x8 is 100 times slower than int8.
_BLOCK_SECONDS = 1.0


@dataclass(frozen=True)
class Work:
    """Files by name, the pictures they are timed on uint8 `(N, H, W, C)`, and how often."""

    files: Mapping[str, Path]
    images: np.ndarray
    rounds: int
    runs: int
    warmup: int
    threads: int


@dataclass(frozen=True)
class Outcome:
    """Of each file, nanoseconds of single inferences, an array `(runs,)` a round."""

    blocks: Mapping[str, list[np.ndarray]]
    amx: amx.Amx


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
    kept_out = amx.keep_out()
    found: Outcome | PipelineError
    try:
        found = Outcome(blocks(pickle.load(sys.stdin.buffer)), kept_out)
    except PipelineError as error:
        found = error
    with answer:
        pickle.dump(found, answer)
