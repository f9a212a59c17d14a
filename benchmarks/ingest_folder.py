"""Ingest of a folder of 20,000 JPEGs: pictures per second against a bare Pillow loop, and memory.

python benchmarks/ingest_folder.py [--pictures 20000] [--shape 640x480] [--rounds 3]

Makes the pictures (seeded, no two alike) in a temporary folder, then measures in turns
the bare loop (open, convert, resize, drop; a process pool of as many processes) and the command
`run --until ingest` whole: interpreter, digests of all files, decoding, splits, audit, arrays.
Peak memory is the largest sum, over the processes of the command, of memory that is theirs alone.
"""

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
import psutil
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SIZE = 96
CLASSES = 10
PROCESSES = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Measured:
    """One command: its seconds, and the peak of its memory in bytes."""

    seconds: float
    peak: int


@dataclass(frozen=True)
class Round:
    """Seconds of the bare loop, before and after, and both ingests between."""

    pictures: int
    bare: float
    many: Measured
    few: Measured


def make(job: tuple[str, int, tuple[int, int]]) -> None:
    """Write one JPEG of soft noise with a pattern of its class."""
    path, number, shape = job
    random = np.random.default_rng(number)
    coarse = random.integers(0, 256, (15, 20, 3), np.uint8)
    coarse[:: 1 + number % CLASSES] //= 2
    picture = np.asarray(Image.fromarray(coarse).resize(shape, Image.Resampling.BICUBIC))
    grain = random.integers(0, 24, picture.shape, np.uint8)
    Image.fromarray((picture // 2 + grain + 40).astype(np.uint8)).save(path, quality=85)


def bare(path: str) -> None:
    """What everyone writes: open, convert, resize."""
    with Image.open(path) as image:
        np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def time_bare(paths: list[str]) -> float:
    """Seconds of the bare loop, with the start of its processes."""
    started = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        for _ in pool.imap_unordered(bare, paths, chunksize=16):
            pass
    return time.monotonic() - started


def measure(folder: Path, artifacts: Path) -> Measured:
    """Ingest a folder by the command line, with nothing cached, and watch its memory."""
    shutil.rmtree(artifacts, ignore_errors=True)
    words = ["ingest.dataset=folder", f"ingest.path={folder}", f"ingest.size={SIZE}"]
    command = [sys.executable, "run_pipeline.py", "run", *words, "--until", "ingest"]
    started = time.monotonic()
    child = subprocess.Popen(
        [*command, "--artifacts", str(artifacts)], cwd=ROOT, stderr=subprocess.PIPE
    )
    peak = 0
    while child.poll() is None:
        peak = max(peak, _own_memory(psutil.Process(child.pid)))
        time.sleep(0.2)
    seconds = time.monotonic() - started
    if child.returncode:
        raise SystemExit(child.stderr.read().decode() if child.stderr else "ingest failed")
    return Measured(seconds, peak)


def _own_memory(process: psutil.Process) -> int:
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_full_info().uss
    except psutil.Error:  # it has just ended
        return 0
    return total


def pictures(folder: Path, count: int, shape: tuple[int, int]) -> list[str]:
    """Make so many pictures, of width and height `shape`, in class folders; return their paths."""
    for number in range(CLASSES):
        (folder / f"class {number}").mkdir(parents=True)
    jobs = [(str(folder / f"class {n % CLASSES}" / f"{n:06}.jpg"), n, shape) for n in range(count)]
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        pool.map(make, jobs, chunksize=64)
    return [path for path, _, _ in jobs]


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--shape", default="640x480", help="width x height")
    parser.add_argument("--rounds", type=int, default=3)
    said = parser.parse_args()
    width, height = map(int, said.shape.split("x"))
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        paths = pictures(root / "many", said.pictures, (width, height))
        pictures(root / "few", said.pictures // 10, (width, height))
        for _ in range(said.rounds):
            before = time_bare(paths)
            many = measure(root / "many", root / "artifacts")
            few = measure(root / "few", root / "artifacts")
            after = time_bare(paths)
            rounds.append(Round(said.pictures, (before + after) / 2, many, few))
            print(rounds[-1], flush=True)
    name = f"ingest_folder_{said.shape}.md"
    Path(__file__).with_name(name).write_text(table(rounds, said.shape))


def table(rounds: list[Round], shape: str) -> str:
    """Write down medians, and ratios within each round."""
    one = rounds[0]
    speed = statistics.median(each.pictures / each.many.seconds for each in rounds)
    bare_speed = statistics.median(each.pictures / each.bare for each in rounds)
    ratio = statistics.median(each.bare / each.many.seconds for each in rounds)
    few, many = (
        statistics.median(peaks)
        for peaks in ([each.few.peak for each in rounds], [each.many.peak for each in rounds])
    )
    growth = many / few - 1
    return f"""# Ingest of a folder of JPEGs, {shape}

`python benchmarks/ingest_folder.py --pictures {one.pictures} --shape {shape}`,
{len(rounds)} rounds, {PROCESSES} cores, Pillow {PIL.__version__}: to {SIZE}x{SIZE}, the whole
command against a bare loop of open, convert, resize on {PROCESSES} processes.

| what | figure | floor | met |
|---|--:|--:|---|
| bare Pillow loop, pictures a second | {bare_speed:,.0f} | | |
| `run --until ingest`, pictures a second | {speed:,.0f} | | |
| ratio | {ratio:.2f}x | >= 0.8x | {"yes" if ratio >= 0.8 else "**no**"} |
| peak memory, {one.pictures // 10:,} pictures | {few / 1e6:.0f} MB | | |
| peak memory, {one.pictures:,} pictures | {many / 1e6:.0f} MB | | |
| growth | {100 * growth:.1f} % | < 10 % | {"yes" if growth < 0.1 else "**no**"} |
"""


if __name__ == "__main__":
    main()
