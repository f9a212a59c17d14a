"""Time .tflite files against each other on one machine that others use as well."""

import gc
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil

from pipeline.measure.litert import LiteRT

# A block ends after so long even if runs are missing: int16x8 is 100 times slower than int8.
_BLOCK_SECONDS = 1.0


@dataclass(frozen=True)
class Latency:
    """Microseconds of one inference, picture already set: percentiles over all timed `runs`.

    `ratio` is the median over rounds of (median of this file / median of the reference) within the
    round, so what slows the machine for a while slows both; `ratio_range` spans the rounds' middle
    half (quartiles). `load` is the machine's 1-minute load average when timing began.
    """

    p50: float
    p90: float
    p99: float
    threads: int
    runs: int
    ratio: float
    ratio_range: tuple[float, float]
    load: float


def time_files(
    files: Mapping[str, Path],
    images: np.ndarray,
    *,
    reference: str = "float32",
    rounds: int = 20,
    runs: int = 50,
    warmup: int = 10,
    threads: int = 1,
) -> dict[str, Latency]:
    """Time every file on the same pictures uint8 `(N, H, W, C)`, interleaved.

    Each of the `rounds` visits all files in a new (seeded) order; a visit is `warmup` untimed and
    then `runs` timed single inferences, fewer if they take more than a second.

    Raises:
        ValueError: `reference` is not among `files`, or there are no pictures.
        IntegrityError, ConversionError: a file cannot be loaded or does not take the pictures.
    """
    if reference not in files or len(images) == 0:
        raise ValueError(f"need pictures and the reference {reference!r} among {list(files)}")
    load = psutil.getloadavg()[0]
    models = {name: LiteRT(path, threads) for name, path in files.items()}
    blocks: dict[str, list[np.ndarray]] = {name: [] for name in files}
    order = list(files)
    shuffle = random.Random(0).shuffle
    with _no_garbage_collection():
        for _ in range(rounds):
            shuffle(order)
            for name in order:
                _block(models[name], images, warmup)
                blocks[name].append(_block(models[name], images, runs))
    return {
        name: _summary(blocks[name], blocks[reference], threads=threads, load=load)
        for name in files
    }


def _block(model: LiteRT, images: np.ndarray, runs: int) -> np.ndarray:
    """Nanoseconds of up to `runs` inferences, going round the pictures; at least one."""
    deadline = perf_counter() + _BLOCK_SECONDS
    times = []
    for run in range(runs):
        times.append(model.invoke_once(images[run % len(images)]))
        if perf_counter() > deadline:
            break
    return np.array(times)


def _summary(
    blocks: Sequence[np.ndarray], reference: Sequence[np.ndarray], *, threads: int, load: float
) -> Latency:
    ratios = [
        float(np.median(own) / np.median(other))
        for own, other in zip(blocks, reference, strict=True)
    ]
    times = np.concatenate(blocks)
    p50, p90, p99 = (float(value) / 1000 for value in np.percentile(times, (50, 90, 99)))
    low, ratio, high = (float(value) for value in np.quantile(ratios, (0.25, 0.5, 0.75)))
    return Latency(p50, p90, p99, threads, len(times), ratio, (low, high), load)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
