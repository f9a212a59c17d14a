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
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, FuncFormatter, LogLocator, NullFormatter

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from models import MODELS  # noqa: E402
from pipeline.measure.latency import Latency, time_files  # noqa: E402
from pipeline.show import numbers  # noqa: E402
from pipeline.show.canvas import BLUE, GREY, HEAD, RULE, SMALL_SIZE, drawn, page, panel, save  # noqa: E402
from pipeline.show.numbers import percent, points, size  # noqa: E402

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
        "![int8 files: accuracy, size, latency](ladder.png)",
        "",
    ])  # fmt: skip


@drawn
def draw(reports: dict[str, Rung], latency: dict[str, Latency]) -> Figure:
    """Draw the int8 files, a line a network: accuracy with its interval, size, latency."""
    rows = {name: by_name(report)["int8"] for name, report in reports.items()}
    height = 0.24 * len(rows)
    subtitle = (
        "int8 files of networks that saw the same pictures equally often, and few of them: what "
        "each makes of little, not what it can reach. Bars are 95 % intervals."
    )
    figure, sheet = page("The ladder", subtitle, height + 0.75)
    panels: tuple[tuple[str, Formatter, list[float]], ...] = (
        ("accuracy", _percent, [100 * row["accuracy"] for row in rows.values()]),
        ("size", _bytes, [row["bytes"] for row in rows.values()]),
        ("latency (p50)", _microseconds, [latency[f"{name}/int8"].p50 for name in rows]),
    )
    at = range(len(rows))
    for number, (title, form, values) in enumerate(panels):
        left = 1.25 + 1.57 * number
        axes = panel(figure, left, HEAD + 0.25, 1.42, height)
        axes.set(ylim=(len(rows) - 0.5, -0.5), yticks=[])
        axes.spines["left"].set_visible(False)
        axes.hlines(at, 0, 1, color=RULE, linewidth=0.8, transform=axes.get_yaxis_transform())
        sheet.text(left, HEAD + 0.12, title, weight="bold", size=SMALL_SIZE)
        if number == 0:
            axes.hlines(at, *_interval(rows), color=GREY, linewidth=2)
        else:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(numticks=4))
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(form)
        axes.plot(values, at, "o", color=BLUE, markersize=4.5)
    for number, name in enumerate(rows):
        sheet.text(0.22, HEAD + 0.25 + 0.24 * (number + 0.5), name, size=SMALL_SIZE, va="center")
    return figure


@FuncFormatter
def _percent(value: float, _: int) -> str:
    return f"{value:g} %"


@FuncFormatter
def _bytes(value: float, _: int) -> str:
    return numbers.round_size(value)


@FuncFormatter
def _microseconds(value: float, _: int) -> str:
    return f"{value:g} µs" if value < 1000 else f"{value / 1000:g} ms"


def _interval(rows: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Both ends of the intervals, in percent."""
    low, high = zip(*(row["accuracy_ci95"] for row in rows.values()), strict=True)
    return [100 * one for one in low], [100 * one for one in high]


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
    save(draw(reports, latency), ROOT / "benchmarks" / "ladder.png")
    print(page)


if __name__ == "__main__":
    main()
