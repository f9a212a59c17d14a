"""Side by side: any .tflite files, measured together as `benchmark` on the command line does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ConfigError
from pipeline.measure.flatbuffer import FileFacts, inspect
from pipeline.measure.latency import time_files
from pipeline.measure.litert import LiteRT

PICTURES = 16


def measure(files: Sequence[Path], threads: int = 1) -> list[dict[str, Any]]:
    """Read and time files that take pictures of one size; ratios are against the first.

    The pictures are noise: how long a network takes does not depend on what it sees.

    Raises: as `comparable`.
    """
    named, facts, shape = comparable(files)
    pictures = np.random.default_rng(0).integers(0, 256, (PICTURES, *shape), np.uint8)
    timed = time_files(named, pictures, reference=next(iter(named)), threads=threads)
    return [
        file_row(name, facts[name])
        | {
            "latency_us": {"p50": timed[name].p50, "p90": timed[name].p90, "p99": timed[name].p99},
            "latency_ratio": timed[name].ratio,
        }
        for name in named
    ]


def comparable(
    files: Sequence[Path],
) -> tuple[dict[str, Path], dict[str, FileFacts], tuple[int, ...]]:
    """The files by name, what each says of itself, and the pictures `(H, W, C)` they all take.

    Raises:
        IntegrityError: a file is missing or is no .tflite file.
        ConversionError: LiteRT cannot run one.
        ConfigError: one is named twice, or they take pictures of different sizes.
    """
    named = {str(path): path for path in files}
    if len(named) < len(files):
        raise ConfigError("benchmark: each file is to be named once")
    facts = {name: inspect(path) for name, path in named.items()}
    shapes = {name: LiteRT(path).image_shape for name, path in named.items()}
    first = next(iter(named))
    for name, shape in shapes.items():
        if shape != shapes[first]:
            raise ConfigError(
                f"{name} takes pictures {shape}, {first} takes {shapes[first]}: they do not compare"
            )
    return named, facts, shapes[first]


def file_row(name: str, facts: FileFacts) -> dict[str, Any]:
    """What stands of a file before its latency."""
    return {
        "file": name,
        "bytes": facts.bytes,
        "gzip_bytes": facts.gzip_bytes,
        "macs": facts.macs,
        "ops": facts.ops,
        "arena_bytes": facts.arena_bytes,
    }
