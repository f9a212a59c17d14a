"""The main job against its floors: how long it takes, what it costs, what comes out.

    python benchmarks/main_job.py            digits: about two minutes
    python benchmarks/main_job.py fashion    and Fashion-MNIST: about twenty minutes more

Run by hand on a machine with nothing else to do; writes `benchmarks/main_job.md`.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOOR = [sys.executable, str(ROOT / "run_pipeline.py")]
REPEATS = 5

Row = tuple[str, str, str, bool]


def timed(*command: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run a command in a process of its own; return seconds and what it gave."""
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return time.monotonic() - started, done


def median_seconds(*command: str) -> float:
    """Median over a few runs, after one that warms the disk cache."""
    timed(*command)
    return statistics.median(timed(*command)[0] for _ in range(REPEATS))


def row(what: str, value: float, floor: str, shown: Callable[[float], str]) -> Row:
    """A line of the table: figure, floor such as "<= 3", and whether it is met."""
    sign, bound = floor.split()
    met = value <= float(bound) if sign == "<=" else value >= float(bound)
    return what, shown(value), floor, met


seconds, percent = "{:.2f} s".format, "{:.2f} %".format
points, ratio = "{:.2f} points".format, "{:.3f}x".format


def run_recipe(recipe: str, artifacts: Path) -> tuple[float, dict[str, Any]]:
    """Run a recipe cold; return seconds and its report."""
    took, done = timed(*DOOR, "run", recipe, "--artifacts", str(artifacts))
    if done.returncode:
        sys.exit(done.stderr)
    report = json.loads((artifacts / Path(recipe).stem / "report.json").read_text())
    return took, report


def digits(artifacts: Path) -> list[Row]:
    """The default recipe, cold, then again; and what the front door costs."""
    cold, report = run_recipe("configs/digits.yaml", artifacts)
    variants = {v["name"]: v for v in report["variants"]}
    again = median_seconds(*DOOR, "run", "configs/digits.yaml", "--artifacts", str(artifacts))
    tensorflow = median_seconds(sys.executable, "-c", "import tensorflow")
    wrong = median_seconds(*DOOR, "run", "train.epohcs=3", "--artifacts", str(artifacts))
    return [
        row("digits: the run, cold", cold, "<= 90", seconds),
        row("digits: float32, test", 100 * variants["float32"]["accuracy"], ">= 98", percent),
        row("digits: int8 drop", variants["int8"]["drop_pp"], "<= 0.6", points),
        row("digits: variants that are ok", sum(v["status"] == "ok" for v in variants.values()),
            f">= {len(report['config']['variants'])}", str),
        row("second run", again, "<= 3", seconds),
        row("--help against `import tensorflow`", median_seconds(*DOOR, "--help") / tensorflow,
            "<= 0.1", ratio),
        row("a wrong setting refused", wrong, "<= 1", seconds),
    ]  # fmt: skip


def fashion(artifacts: Path) -> list[Row]:
    """Fashion-MNIST, whole: accuracy, bytes and latency of int8, zeros of prune+int8."""
    cold, report = run_recipe("configs/fashion_mnist.yaml", artifacts)
    variants = {v["name"]: v for v in report["variants"]}
    base, int8, pruned = (variants[name] for name in ("float32", "int8", "prune+int8"))
    zeros = 1 - pruned["nonzero_params"] / pruned["params"]
    return [
        ("Fashion-MNIST: the run, cold", seconds(cold), "", True),
        ("Fashion-MNIST: parameters", f"{report['model']['params']:,}", "", True),
        ("Fashion-MNIST: float32, test", percent(100 * base["accuracy"]), "", True),
        row("Fashion-MNIST: int8, test", 100 * int8["accuracy"], ">= 92.5", percent),
        row("Fashion-MNIST: int8 bytes", int8["bytes"] / base["bytes"], "<= 0.29", ratio),
        row("Fashion-MNIST: int8 latency", int8["latency_ratio"], "<= 0.5", ratio),
        row("Fashion-MNIST: prune+int8 drop", pruned["drop_pp"], "<= 1", points),
        row("Fashion-MNIST: zeros in the prune+int8 file", 100 * zeros, ">= 78", percent),
    ]


def main() -> None:
    """Measure, print and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        rows = digits(Path(folder))
        if "fashion" in sys.argv[1:]:
            rows += fashion(Path(folder))
    lines = [
        "# The main job",
        "",
        f"`python benchmarks/main_job.py {' '.join(sys.argv[1:])}`, "
        f"{len(os.sched_getaffinity(0))} cores, {time.strftime('%Y-%m-%d', time.gmtime())}.",
        "",
        "| what | figure | floor | met |",
        "|---|--:|--:|---|",
        *(
            f"| {what} | {value} | {floor} | {'yes' if met else '**no**'} |"
            for what, value, floor, met in rows
        ),
    ]
    text = "\n".join(lines) + "\n"
    (ROOT / "benchmarks" / "main_job.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
