"""What evaluating a file costs beside the inferences themselves.

    python benchmarks/evaluating.py        under a minute

Every accuracy in a report comes from `LiteRT(path).predict` over a whole split. Here it reads
10,000 pictures with an int8 file; against it stand the same 10,000 calls of `invoke`, each timed by
itself with its picture in its place, and summed. They take turns, in one process, which is kept out
of AMX as where latency is measured; what counts is the ratio within a round. Putting a picture in
its place and taking its answer out costs a microsecond or two, which a network of a few
microseconds feels: the smaller case shows by how much. Writes `evaluating.md` beside this file.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks.pair import MODEL, write_pair  # noqa: E402
from pipeline.measure import amx  # noqa: E402
from pipeline.measure.litert import LiteRT  # noqa: E402

PICTURES, ROUNDS = 10_000, 7
FLOORS = {28: 1.15, 8: None}  # by the side of the pictures


def measure(path: Path) -> list[tuple[float, float]]:
    """Seconds of `predict`, and of the bare inferences, in each round."""
    model = LiteRT(path)
    images = np.random.default_rng(1).integers(0, 256, (PICTURES, *model.image_shape), np.uint8)
    model.predict(images[:1000])
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        model.predict(images)
        whole = time.perf_counter() - started
        taken.append((whole, sum(map(model.invoke_once, images)) / 1e9))
    return taken


def row(side: int, taken: list[tuple[float, float]]) -> str:
    """A line of the table."""
    ratios, floor = [whole / bare for whole, bare in taken], FLOORS[side]
    ratio = statistics.median(ratios)
    whole, bare = (statistics.median(seconds) for seconds in zip(*taken, strict=True))
    bound = f"<= {floor} | {'yes' if ratio <= floor else '**no**'}" if floor else " | "
    return (
        f"| {side}x{side} | {whole:.3f} s | {bare:.3f} s "
        f"| {ratio:.3f}x [{min(ratios):.3f}, {max(ratios):.3f}] | {bound} |"
    )


def main() -> None:
    """Make the files in a process of their own, measure, print and write the table."""
    amx.keep_out()
    lines = [
        f"`python benchmarks/evaluating.py`, {len(os.sched_getaffinity(0))} x86 cores, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}: {PICTURES:,} pictures, `{MODEL}` as int8, "
        f"medians of {ROUNDS} rounds in turns [range].",
        "",
        "| pictures | `predict` | `invoke` alone, summed | ratio | floor | met |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for side in FLOORS:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, __file__, folder, str(side)], check=True)
            lines.append(row(side, measure(Path(folder) / "int8.tflite")))
    text = "\n".join(lines) + "\n"
    (ROOT / "benchmarks" / "evaluating.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_pair(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
