"""Time .tflite files against each other on one machine that others use as well."""

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from pipeline.errors import ConversionError, PipelineError
from pipeline.measure.amx import Amx
from pipeline.measure.timing import Outcome, Work

_ROOT = Path(__file__).resolve().parents[2]
_TIMING = "from pipeline.measure.timing import main; main()"


@dataclass(frozen=True)
class Latency:
    """Microseconds of one inference, picture already set: percentiles over all timed `runs`.

    `quietest` is the lowest median of a round. `ratio` is the median over rounds of (median of this
    file / median of the reference) within the round, so what slows the machine for a while slows
    both; `ratio_range` spans the rounds' middle half (quartiles). `cold_start` is the median from
    opening the file to its first answer, None where nobody asked or the system cannot tell. `load`
    is the machine's 1-minute load average when timing began, `cores` the numbers of those the
    threads were kept on. `amx`: whether that took part.
    """

    p50: float
    p90: float
    p99: float
    quietest: float
    threads: int
    runs: int
    ratio: float
    ratio_range: tuple[float, float]
    cold_start: float | None
    load: float
    cores: tuple[int, ...]
    amx: Amx


def time_files(  # noqa: PLR0913  # how often: four numbers
    files: Mapping[str, Path],
    images: np.ndarray,
    *,
    reference: str = "float32",
    rounds: int = 20,
    runs: int = 50,
    warmup: int = 10,
    threads: int = 1,
    starts: int = 0,
) -> dict[str, Latency]:
    """Time every file on the same pictures uint8 `(N, H, W, C)`, in turns, in a process of its own.

    Each of the `rounds` visits all files in a new (seeded) order; a visit is `warmup` untimed and
    then `runs` timed single inferences, fewer if they take more than a second. Before, each file is
    opened `starts` times, of which its cold start is the median.

    Raises:
        ValueError: `reference` is not among `files`, or there are no pictures.
        IntegrityError, ConversionError: a file cannot be loaded or does not take the pictures.
    """
    if reference not in files or len(images) == 0:
        raise ValueError(f"need pictures and the reference {reference!r} among {list(files)}")
    load = psutil.getloadavg()[0]
    work = Work(files, images[: max(runs, warmup)], rounds, runs, warmup, threads, starts)
    found = _apart(work)
    return {name: _summary(name, reference, work, found, load) for name in files}


def _apart(work: Work) -> Outcome:
    """Time in a process that has never seen TensorFlow, nor AMX."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-P", "-c", _TIMING],  # no file of the working folder is imported
        input=pickle.dumps(work),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        check=False,
    )
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing was said"]
        names = ", ".join(work.files)
        raise ConversionError(
            f"timing {names}: its process ended with {done.returncode}: {said[-1]}"
        )
    found = pickle.loads(done.stdout)
    if isinstance(found, PipelineError):
        raise found
    assert isinstance(found, Outcome)
    return found


def _summary(name: str, reference: str, work: Work, found: Outcome, load: float) -> Latency:
    medians, others = (
        [float(np.median(b)) for b in found.blocks[one]] for one in (name, reference)
    )
    times, starts = np.concatenate(found.blocks[name]), found.starts[name]
    p50, p90, p99 = (float(value) / 1000 for value in np.percentile(times, (50, 90, 99)))
    ratios = [own / other for own, other in zip(medians, others, strict=True)]
    low, ratio, high = (float(value) for value in np.quantile(ratios, (0.25, 0.5, 0.75)))
    return Latency(
        p50=p50,
        p90=p90,
        p99=p99,
        quietest=min(medians) / 1000,
        threads=work.threads,
        runs=len(times),
        ratio=ratio,
        ratio_range=(low, high),
        cold_start=float(np.median(starts)) / 1000 if starts else None,
        load=load,
        cores=found.cores,
        amx=found.amx,
    )
