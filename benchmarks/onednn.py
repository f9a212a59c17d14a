"""What oneDNN's kernels do for training, beside TensorFlow's own: seconds a step, in turns.

    python benchmarks/onednn.py        some minutes on two cores

TensorFlow takes oneDNN by itself only on processors with AVX-512 VNNI or newer; `import pipeline`
asks for it everywhere. Each measurement is a process of its own, as the choice is made once a
process; what counts is the ratio within a round. Writes `onednn.md` beside this file.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS, STEPS, BATCH = 5, 30, 128
NETWORKS = ("small_cnn", "pocket_cnn", "resnet8", "mobilenet_v2")


def measure(name: str) -> float:
    """Milliseconds of a training step at 28x28x1, the fastest half's median, in this process."""
    import keras
    import numpy as np

    from models import MODELS
    from pipeline.fit import session

    session.begin(0)
    model = MODELS[name]((28, 28, 1), 10)
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", jit_compile=False)
    images = keras.random.uniform((BATCH, 28, 28, 1), seed=0)
    labels = np.arange(BATCH) % 10
    taken = []
    for _ in range(STEPS):
        started = time.perf_counter()
        model.train_on_batch(images, labels)
        taken.append(1e3 * (time.perf_counter() - started))
    return statistics.median(sorted(taken[2:])[: STEPS // 2])


def in_a_process(name: str, onednn: bool) -> float:
    """Measure with and without, in a process that decides anew."""
    choice = {"TF_ENABLE_ONEDNN_OPTS": str(int(onednn)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, __file__, name],
        env=os.environ | choice | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    """Measure in turns, print and write the table."""
    lines = [
        f"`python benchmarks/onednn.py`, {len(os.sched_getaffinity(0))} x86 cores, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}: a training step of batch {BATCH} at 28x28x1, "
        f"medians of {ROUNDS} rounds in turns, each in a process of its own.",
        "",
        "| network | TensorFlow's kernels | oneDNN's | ratio, median [range] |",
        "|---|--:|--:|--:|",
    ]
    for name in NETWORKS:
        pairs = [
            (in_a_process(name, onednn=False), in_a_process(name, onednn=True))
            for _ in range(ROUNDS)
        ]
        ratios = [fast / slow for slow, fast in pairs]
        slow, fast = (statistics.median(column) for column in zip(*pairs, strict=True))
        lines.append(
            f"| `{name}` | {slow:.0f} ms | {fast:.0f} ms | {statistics.median(ratios):.2f}x "
            f"[{min(ratios):.2f}, {max(ratios):.2f}] |"
        )
        print(lines[-1], flush=True)
    (ROOT / "benchmarks" / "onednn.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(measure(sys.argv[1]))
    else:
        main()
