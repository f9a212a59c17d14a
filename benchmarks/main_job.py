"""The main job against its floors: how long it takes, what it costs, what comes out.

    python benchmarks/main_job.py digits        about two minutes
    python benchmarks/main_job.py fashion       about ten minutes

Run by hand on a machine with nothing else to do; each writes its table beside this file.
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

Row = tuple[str, str, str, str]


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
    return what, shown(value), floor, "yes" if met else "**no**"


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
        row("the run, cold", cold, "<= 90", seconds),
        row("float32, test", 100 * variants["float32"]["accuracy"], ">= 98", percent),
        row("int8 drop", variants["int8"]["drop_pp"], "<= 0.6", points),
        row("variants that are ok", sum(v["status"] == "ok" for v in variants.values()),
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
        ("the run, cold", seconds(cold), "", ""),
        ("parameters", f"{report['model']['params']:,}", "", ""),
        ("float32, test", percent(100 * base["accuracy"]), "", ""),
        row("int8, test", 100 * int8["accuracy"], ">= 92.5", percent),
        row("int8 bytes", int8["bytes"] / base["bytes"], "<= 0.29", ratio),
        row("int8 latency", int8["latency_ratio"], "<= 0.5", ratio),
        row("prune+int8 drop", pruned["drop_pp"], "<= 1", points),
        row("zeros in the prune+int8 file", 100 * zeros, ">= 78", percent),
    ]


PARTS: dict[str, Callable[[Path], list[Row]]] = {"digits": digits, "fashion": fashion}


def main() -> None:
    """Measure one part, print and write its table."""
    if len(sys.argv) != 2 or sys.argv[1] not in PARTS:
        sys.exit(f"usage: python benchmarks/main_job.py {'|'.join(PARTS)}")
    part = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        rows = PARTS[part](Path(folder))
    date = time.strftime("%Y-%m-%d", time.gmtime())
    lines = [
        f"`python benchmarks/main_job.py {part}`, {len(os.sched_getaffinity(0))} cores, {date}.",
        "",
        "| what | figure | floor | met |",
        "|---|--:|--:|---|",
        *(f"| {what} | {value} | {floor} | {met} |" for what, value, floor, met in rows),
    ]
    text = "\n".join(lines) + "\n"
    (ROOT / "benchmarks" / f"main_job_{part}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
