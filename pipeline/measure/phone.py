"""Time .tflite files on an Android phone, with `benchmark_model` of TensorFlow Lite and LiteRT.

What is measured, and why so: docs/measuring.md.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pipeline.errors import ConversionError, ResourceError
from pipeline.measure import adb
from pipeline.measure.side_by_side import comparable, file_row

ROUNDS, WARMUP, RUNS = 10, 50, 50
# A turn: warm-up and timed runs last at least so long each, as a phone's clock is slow to rise, and
# at most a second, so that a slow file does not heat the phone for the others.
LEAST_SECONDS, MOST_SECONDS = 0.2, 1.0
TURN_SECONDS = 60.0  # to wait for a turn; one run of it may take long
INSTALLED = f"{adb.PLACE}/benchmark_model"
CANNOT_RUN = {126, 127}  # what a shell says of a program that is none, or is for other processors

_NUMBER = r"[\d.]+(?:e[+-]?\d+)?"
_COUNT = re.compile(rf"\bcount=(\d+)\b.*?\bcurr=({_NUMBER})(?:.*?\bavg=({_NUMBER}))?")
_FIRST = re.compile(rf"\bInit: ({_NUMBER}), First inference: ({_NUMBER})")


@dataclass(frozen=True)
class Turn:
    """What `benchmark_model` says of a turn, in microseconds.

    `mean` of the timed `runs`, `init` the time to load the file, `first` that of the first
    inference, which comes before the warm-up's others.
    """

    mean: float
    runs: int
    init: float
    first: float


@dataclass(frozen=True)
class Measured:
    """The phone by the names it gives itself, and a row a file, as `side_by_side.measure` has."""

    model: str
    android: str
    processor: str
    threads: int
    rows: list[dict[str, Any]]


def measure(
    files: Sequence[Path],
    threads: int = 1,
    serial: str | None = None,
    program: Path | None = None,
) -> Measured:
    """Read files that take pictures of one size, and time them on a phone; ratios as in `summary`.

    `program` is the `benchmark_model` to put there; without it the phone's own is taken.

    Raises:
        ResourceError: there is no phone to be had, or no `benchmark_model` that runs on it.
        IntegrityError: a file is no .tflite file.
        ConversionError: LiteRT cannot run one, here or there.
        ConfigError: one is named twice, or they take pictures of different sizes.
    """
    phone = adb.find(serial)
    named, facts, _ = comparable(files)
    if program is None and not phone.has(INSTALLED):
        raise ResourceError(
            f"no {INSTALLED} on phone {phone.serial}: say --benchmark-model FILE, "
            "the prebuilt benchmark_model for Android (docs/measuring.md)"
        )
    with phone.folder() as folder:
        tool = _put(phone, program, folder) if program else INSTALLED
        there = {name: f"{folder}/{number}.tflite" for number, name in enumerate(named)}
        for name, path in named.items():
            phone.push(path, there[name])
        turns = _rounds(phone, tool, there, threads)
    timed = summary(turns, next(iter(named)))
    return Measured(
        model=phone.property("ro.product.model"),
        android=phone.property("ro.build.version.release"),
        processor=phone.property("ro.product.cpu.abi"),
        threads=threads,
        rows=[file_row(name, facts[name]) | timed[name] for name in named],
    )


def _put(phone: adb.Phone, program: Path, folder: str) -> str:
    there = f"{folder}/benchmark_model"
    phone.push(program, there)
    phone.shell("chmod", "755", there)
    return there


def _rounds(
    phone: adb.Phone, tool: str, there: Mapping[str, str], threads: int
) -> dict[str, list[Turn]]:
    """Let files take turns: each round visits all of them in a new (seeded) order."""
    found: dict[str, list[Turn]] = {name: [] for name in there}
    order, shuffle = list(there), random.Random(0).shuffle
    for _ in range(ROUNDS):
        shuffle(order)
        for name in order:
            said = phone.shell(*command(tool, there[name], threads), seconds=TURN_SECONDS)
            if said.code in CANNOT_RUN:
                kind = phone.property("ro.product.cpu.abi")
                raise ResourceError(
                    f"benchmark_model does not run on this phone, which is {kind}: {said.last_line}"
                )
            turn = parse(said.text)
            if said.code or turn is None:
                raise ConversionError(f"{name}: benchmark_model cannot time it: {said.last_line}")
            found[name].append(turn)
    return found


def command(tool: str, file: str, threads: int) -> list[str]:
    """The words that time one file, once, on the phone."""
    return [
        tool,
        f"--graph={file}",
        f"--num_threads={threads}",
        "--use_xnnpack=true",
        f"--warmup_runs={WARMUP}",
        f"--warmup_min_secs={LEAST_SECONDS}",
        f"--num_runs={RUNS}",
        f"--min_secs={LEAST_SECONDS}",
        f"--max_secs={MOST_SECONDS}",
    ]


def parse(text: str) -> Turn | None:
    """What `benchmark_model` printed, as numbers; None where it did not come to an end.

    It prints a line `count=...` of the warm-up and one of the timed runs, the mean left out where
    all runs took equally long, and then a line of `Inference timings in us`.
    """
    counts, ends = _COUNT.findall(text), _FIRST.search(text)
    if len(counts) < 2 or ends is None:
        return None
    runs, last, mean = counts[-1]
    return Turn(float(mean or last), int(runs), float(ends[1]), float(ends[2]))


def summary(turns: Mapping[str, Sequence[Turn]], reference: str) -> dict[str, dict[str, Any]]:
    """Of each file, from its turns, one a round: medians over rounds, and its ratio.

    `latency_us`: `mean` is the median of the rounds' means, with the `lowest` and `highest` of
    them, the `first` inference and the time to load the file (`init`). `latency_ratio` is the
    median over rounds of (this file's mean / that of the reference) within the round,
    `latency_ratio_range` spans their middle half.
    """
    found = {}
    for name, own in turns.items():
        pairs = zip(own, turns[reference], strict=True)
        ratios = [one.mean / other.mean for one, other in pairs]
        low, ratio, high = (float(value) for value in np.quantile(ratios, (0.25, 0.5, 0.75)))
        means = [turn.mean for turn in own]
        found[name] = {
            "latency_us": {
                "mean": median(means),
                "lowest": min(means),
                "highest": max(means),
                "first": median(turn.first for turn in own),
                "init": median(turn.init for turn in own),
                "runs": sum(turn.runs for turn in own),
            },
            "latency_ratio": ratio,
            "latency_ratio_range": (low, high),
        }
    return found
