"""How long slimming takes by itself: tracing, scoring, choosing and rebuilding known networks.

    python benchmarks/slim_speed.py        a minute on two cores

Each network at its paper's size, to half of its multiply-accumulates, in multiples of 8; the
median of five in one process. The first of a process, which loads kernels, is shown beside it.
Writes `slim_speed.md` beside this file.
"""

import os
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

NETWORKS = ("ResNet50", "MobileNetV2", "EfficientNetB0", "DenseNet121", "InceptionV3")
ROUNDS, TARGET = 5, 0.5
STEPS = ("trace", "score", "choose", "rebuild")


def measure(model: object) -> tuple[list[list[float]], float]:
    """Seconds of every step in every round, and the share of multiply-accumulates that is left."""
    from pipeline.compress.channels import by_weights, choose, rebuild, summary, trace

    rounds = []
    for _ in range(ROUNDS + 1):
        clock = [time.perf_counter()]
        traced = trace(model)
        clock.append(time.perf_counter())
        scores = by_weights(traced)
        clock.append(time.perf_counter())
        masks = choose(traced, scores, TARGET)
        clock.append(time.perf_counter())
        slim = rebuild(traced, masks)
        clock.append(time.perf_counter())
        rounds.append([after - before for before, after in pairwise(clock)])
    before, after = summary(model, slim).macs
    return rounds, after / before


def main() -> None:
    """Measure, print and write the table."""
    import keras

    lines = [
        f"`python benchmarks/slim_speed.py`, {len(os.sched_getaffinity(0))} x86 cores, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}: seconds to slim a network to "
        f"{TARGET:.0%} of its multiply-accumulates; medians of {ROUNDS}, without training.",
        "",
        f"| network | {' | '.join(STEPS)} | in all | the first time | MACs left |",
        f"|---|{'--:|' * (len(STEPS) + 3)}",
    ]
    for name in NETWORKS:
        (first, *rounds), left = measure(getattr(keras.applications, name)(weights=None))
        middle = [statistics.median(step) for step in zip(*rounds, strict=True)]
        whole = statistics.median(map(sum, rounds))
        cells = [*(f"{seconds:.2f}" for seconds in (*middle, whole, sum(first)))]
        lines.append(f"| `{name}` | {' | '.join(cells)} | {left:.2%} |")
        print(lines[-1], flush=True)
    (ROOT / "benchmarks" / "slim_speed.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
