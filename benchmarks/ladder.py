"""The ladder: every network on the same pictures, side by side in one table and one picture.

    python benchmarks/ladder.py                   an hour or two on two cores
    python benchmarks/ladder.py lenet5 resnet8    some rungs only; the table holds these alone
    python benchmarks/ladder.py --artifacts DIR   keeps what is done there, and goes on from it

Each rung is `python run_pipeline.py run configs/ladder/NAME.yaml`. When all are trained, their
files are timed together, in turns, so that the latencies compare; that wants a machine with nothing
else to do. Writes `ladder.md` and `ladder.png` beside this file.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from models import MODELS  # noqa: E402
from pipeline.measure.latency import Latency, time_files  # noqa: E402
from pipeline.show import figures  # noqa: E402
from pipeline.show.numbers import percent, points, size  # noqa: E402
from pipeline.show.schema import Variant  # noqa: E402

RUNGS = ROOT / "configs" / "ladder"
ROUNDS, RUNS, WARMUP = 12, 20, 3
SHAPE = (28, 28, 1)

Rung = dict[str, Any]  # a report.json


def climb(name: str, artifacts: Path) -> Rung:
    """Run one rung, or take it from the cache; return its report."""
    recipe = RUNGS / f"{name}.yaml"
    started = time.monotonic()
    command = [sys.executable, "run_pipeline.py", "run", str(recipe), "--artifacts", str(artifacts)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
    report: Rung = json.loads((artifacts / name / "report.json").read_text())
    variants = by_name(report)
    print(
        f"{name:<14} {time.monotonic() - started:6.0f} s  "
        f"float32 {percent(variants['float32']['accuracy'])}  "
        f"int8 {percent(variants['int8']['accuracy'])}",
        flush=True,
    )
    return report


def by_name(report: Rung) -> dict[str, Any]:
    """The rows of a report by variant."""
    return {row["name"]: row for row in report["variants"]}


def timed(names: list[str], artifacts: Path) -> dict[str, Latency]:
    """Time all files of all rungs in turns: `name/variant` to its latency."""
    files = {
        f"{name}/{variant}": artifacts / name / "tflite" / f"{variant}.tflite"
        for name in names
        for variant in ("float32", "int8")
    }
    pictures = np.random.default_rng(0).integers(0, 256, (16, *SHAPE), np.uint8)
    first = next(iter(files))
    return time_files(files, pictures, reference=first, rounds=ROUNDS, runs=RUNS, warmup=WARMUP)


def line(name: str, report: Rung, latency: dict[str, Latency]) -> str:
    """A row of the table."""
    variants = by_name(report)
    base, int8 = variants["float32"], variants["int8"]
    slow, fast = latency[f"{name}/float32"].p50, latency[f"{name}/int8"].p50
    low, high = base["accuracy_ci95"]
    cells = [
        f"`{name}`",
        f"{report['model']['params']:,}",
        f"{base['macs'] / 1e6:,.2f}",
        size(base["bytes"]),
        size(int8["bytes"]),
        f"{percent(base['accuracy'])} [{100 * low:.1f}, {100 * high:.1f}]",
        percent(int8["accuracy"]),
        points(int8["drop_pp"]),
        f"{slow:,.0f}",
        f"{fast:,.0f}",
        f"{fast / slow:.2f}x",
    ]
    return f"| {' | '.join(cells)} |"


def table(reports: dict[str, Rung], latency: dict[str, Latency]) -> str:
    """The whole page, with what was the same for all."""
    settings = yaml.safe_load((RUNGS / f"{next(iter(reports))}.yaml").read_text())
    data = next(iter(reports.values()))["dataset"]
    cores = len(os.sched_getaffinity(0))
    load = next(iter(latency.values())).load
    head = (
        *("network", "parameters", "MMAC", "float32 bytes", "int8 bytes", "float32 test [95 %]"),
        *("int8 test", "drop", "float32 us", "int8 us", "int8/float32"),
    )
    return "\n".join([
        f"`python benchmarks/ladder.py`, {cores} x86 cores, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, load {load:.1f} when timing began.",
        "",
        f"Every network at its full width saw the same {data['train']:,} training pictures of "
        f"Fashion-MNIST (28x28x1) {settings['train']['epochs']} times, one seed, without "
        f"augmentation, and was measured on {data['test']:,} test pictures "
        f"(`ingest.limit={settings['ingest']['limit']}`). **The table compares networks given "
        "little; it says nothing of what each can reach.** Rates differ, see the recipes. "
        f"Latency is the p50 of {ROUNDS} rounds in which all files took turns, LiteRT, one thread, "
        "batch 1. Parameters include the moving statistics of batch norms.",
        "",
        f"| {' | '.join(head)} |",
        f"|---|{'--:|' * (len(head) - 1)}",
        *(line(name, report, latency) for name, report in reports.items()),
        "",
        "![int8 files: size, accuracy, latency](ladder.png)",
        "",
    ])  # fmt: skip


def draw(reports: dict[str, Rung], latency: dict[str, Latency], file: Path) -> None:
    """Draw the int8 files: size against accuracy, with latency as area."""
    rows = []
    for name, report in reports.items():
        row, found = by_name(report)["int8"], latency[f"{name}/int8"]
        times = row["latency_us"] | {"p50": found.p50, "p90": found.p90, "p99": found.p99}
        rows.append(Variant.model_validate(row | {"name": name, "latency_us": times}))
    figures.save(figures.size_accuracy_latency(rows), file)


def main() -> None:
    """Climb, time, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="rungs; default: all of them")
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts" / "ladder")
    given = parser.parse_args()
    known = [name for name in MODELS if (RUNGS / f"{name}.yaml").exists()]
    if wrong := sorted(set(given.names) - set(known)):
        sys.exit(f"no such rung: {', '.join(wrong)}; known: {', '.join(known)}")
    names = given.names or known
    reports = {name: climb(name, given.artifacts.resolve()) for name in names}
    latency = timed(names, given.artifacts.resolve())
    page = table(reports, latency)
    (ROOT / "benchmarks" / "ladder.md").write_text(page, encoding="utf-8")
    draw(reports, latency, ROOT / "benchmarks" / "ladder.png")
    print(page)


if __name__ == "__main__":
    main()
