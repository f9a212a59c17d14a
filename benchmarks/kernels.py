"""What oneDNN's kernels and the fused batch normalization do for training, in turns.

    python benchmarks/kernels.py        some minutes on two cores

TensorFlow takes oneDNN by itself only on processors with AVX-512 VNNI or newer; `import pipeline`
asks for it everywhere. Keras 3 composes batch normalization of a dozen operations; `pipeline.fit`
has a kernel do it. Each measurement is a process of its own, as oneDNN is chosen once a process;
what counts is the ratio within a round. Writes `kernels.md` beside this file.
"""

import os
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

ROUNDS, BATCH = 3, 128
STEPS, SECONDS = 30, 8  # of a measurement: it ends at the first of them
NETWORKS = ("small_cnn", "pocket_cnn", "resnet8", "mobilenet_v2")
CASES = {  # oneDNN, fused normalization
    "TensorFlow's own": ("0", False),
    "oneDNN": ("1", False),
    "oneDNN, fused": ("1", True),
}


def measure(name: str, fused: bool) -> float:
    """Milliseconds of a training step at 28x28x1, the faster half's median, in this process."""
    import keras
    import numpy as np

    from models import MODELS
    from pipeline.fit import session
    from pipeline.fit.fused import fused_normalization

    session.begin(0)
    model = MODELS[name]((28, 28, 1), 10)
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", jit_compile=False)
    images = keras.random.uniform((BATCH, 28, 28, 1), seed=0)
    labels = np.arange(BATCH) % 10
    taken: list[float] = []
    with fused_normalization(model) if fused else nullcontext():
        for _ in range(2):  # the first traces
            model.train_on_batch(images, labels)
        while len(taken) < STEPS and sum(taken) < 1e3 * SECONDS:
            started = time.perf_counter()
            model.train_on_batch(images, labels)
            taken.append(1e3 * (time.perf_counter() - started))
    return statistics.median(sorted(taken)[: (len(taken) + 1) // 2])


def in_a_process(name: str, case: str) -> float:
    """Measure a case in a process that decides anew."""
    onednn, fused = CASES[case]
    done = subprocess.run(
        [sys.executable, __file__, name, *["fused"] * fused],
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": onednn},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    """Measure in turns, print and write the table."""
    first, *others = CASES
    lines = [
        f"`python benchmarks/kernels.py`, {len(os.sched_getaffinity(0))} x86 cores, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}: milliseconds of a training step of batch "
        f"{BATCH} at 28x28x1, and the ratio to {first} kernels; medians of {ROUNDS} rounds in "
        "turns [range], each measurement in a process of its own.",
        "",
        f"| network | {' | '.join(CASES)} |",
        f"|---|{'--:|' * len(CASES)}",
    ]
    for name in NETWORKS:
        rounds = [{case: in_a_process(name, case) for case in CASES} for _ in range(ROUNDS)]
        cells = [f"{statistics.median(one[first] for one in rounds):.0f} ms"]
        for case in others:
            ratios = [one[case] / one[first] for one in rounds]
            cells.append(
                f"{statistics.median(one[case] for one in rounds):.0f} ms, "
                f"{statistics.median(ratios):.2f}x [{min(ratios):.2f}, {max(ratios):.2f}]"
            )
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    (ROOT / "benchmarks" / "kernels.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(measure(sys.argv[1], fused="fused" in sys.argv))
    else:
        main()
