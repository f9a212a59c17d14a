"""How steady the latency ratio is: one pair of files, measured several times over.

    python benchmarks/latency.py        about a minute

A convolutional network of more than a million multiply-accumulates, as float32 and as int8, timed
by `benchmark` five times, each in a process of its own as ever. The ratio is what a report promises
of a file, so it has to be the same tomorrow. Writes `latency.md` beside this file.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.pair import FORMS, MODEL, write_pair  # noqa: E402
from pipeline.measure.machine import machine  # noqa: E402
from pipeline.measure.side_by_side import measure  # noqa: E402

TIMES, LEAST_MACS, FLOOR = 5, 1_000_000, 0.1


def main() -> None:
    """Measure, print and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        files = write_pair(Path(folder))
        load, runs = machine()["load"], []
        for number in range(1, TIMES + 1):
            runs.append(measure(files))
            print(f"  {number}: {runs[-1][1]['latency_ratio']:.4f}x", flush=True)
    macs = runs[0][1]["macs"]
    assert macs >= LEAST_MACS, f"{macs} multiply-accumulates are too few to time"
    ratios = [second["latency_ratio"] for _, second in runs]
    spread = max(ratios) / min(ratios) - 1
    lines = [
        f"`python benchmarks/latency.py`, {len(os.sched_getaffinity(0))} x86 cores, load "
        f"{load:.1f}, {time.strftime('%Y-%m-%d', time.gmtime())}: `{MODEL}`, "
        f"{macs / 1e6:.2f} MMAC, timed {TIMES} times by `benchmark`.",
        "",
        f"| run | {' | '.join(f'{form}, p50' for form in FORMS)} | ratio |",
        "|--:|--:|--:|--:|",
        *(
            f"| {number} | {first['latency_us']['p50']:.1f} µs "
            f"| {second['latency_us']['p50']:.1f} µs | {second['latency_ratio']:.3f}x |"
            for number, (first, second) in enumerate(runs, 1)
        ),
        "",
        f"The largest ratio is {100 * spread:.1f} % above the smallest; floor <= "
        f"{100 * FLOOR:.0f} %, met: {'yes' if spread <= FLOOR else '**no**'}.",
    ]
    text = "\n".join(lines) + "\n"
    (ROOT / "benchmarks" / "latency.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
