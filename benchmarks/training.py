"""What the training loop costs beside a bare `model.fit` on the same batches.

    python benchmarks/training.py        some minutes on two cores

Two networks: the 95k one on Fashion-MNIST, and a tiny dense one on digits. Both contestants
compile the same optimizer and loss, see the same batches in the same order, and validate after each
epoch; ours also keeps the best weights, writes a checkpoint an epoch and curves for TensorBoard,
shows a bar, and runs several steps in a call where that helps. They take turns; what counts is the
ratio within a round. Writes `training.md` beside this file.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import keras  # noqa: E402
import numpy as np  # noqa: E402

from pipeline.config import Config  # noqa: E402
from pipeline.data.augmentation import augmenter  # noqa: E402
from pipeline.data.batches import plain_batches, training_batches  # noqa: E402
from pipeline.engine import run  # noqa: E402
from pipeline.fit import session  # noqa: E402
from pipeline.fit.files import load_model  # noqa: E402
from pipeline.fit.loop import Task, fit  # noqa: E402
from pipeline.fit.losses import loss  # noqa: E402
from pipeline.fit.optimizers import optimizer  # noqa: E402
from pipeline.settings import Train  # noqa: E402

ROUNDS = 3
CASES = {
    "small_cnn, 94,186 parameters, Fashion-MNIST": (
        ["ingest.dataset=idx", "ingest.limit=8000", "augment.policy=none"],
        Train(epochs=2, batch=128, optimizer="nesterov", learning_rate=0.05, warmup_epochs=0.5),
        1.03,
    ),
    "mlp, width 32, digits": (
        ["build.model=mlp", "build.width=32", "augment.policy=none"],
        Train(epochs=60, batch=32),
        0.6,
    ),
}


def ours(model: Any, task: Task, settings: Train) -> float:
    """Seconds that a fit of ours takes, of which the first epoch's tracing is a part."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        fit(model, task, settings, out=Path(folder))
        return time.perf_counter() - started


def bare(model: Any, task: Task, settings: Train) -> float:
    """Seconds that Keras' own takes on the same batches."""
    per_epoch, classes = task.steps_per_epoch(settings), model.output_shape[-1]
    started = time.perf_counter()
    model.compile(
        optimizer=optimizer(settings, per_epoch, keras),
        loss=loss(settings, keras),
        metrics=["accuracy"],
    )
    model.fit(
        training_batches(
            task.train, settings.batch, settings.seed, augmenter(task.policy), classes=classes
        ),
        epochs=settings.epochs,
        steps_per_epoch=per_epoch,
        validation_data=plain_batches(task.validation, 256, classes=classes),
        shuffle=False,
        verbose=0,
    )
    return time.perf_counter() - started


def compare(words: list[str], settings: Train) -> tuple[list[float], list[float]]:
    """Let both train from the same initial weights, in turns."""
    contestants: tuple[Callable[..., float], ...] = (bare, ours)
    taken: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory() as artifacts:
        made = run(
            Config.load(overrides=["train.epochs=2", *words]),
            artifacts=artifacts,
            until="build",
            quiet=True,
        )
        inputs = {name: made.entries[name].folder for name in ("ingest", "augment", "build")}
        for number in range(ROUNDS + 1):
            for contestant, seconds in zip(contestants, taken, strict=True):
                session.begin(0)
                model = load_model(inputs["build"] / "model.keras")
                seconds.append(contestant(model, Task.read(inputs), settings))
            print(f"  round {number}: {taken[0][-1]:.1f} s bare, {taken[1][-1]:.1f} s ours")
    return taken[0][1:], taken[1][1:]  # the first round warms up


def main() -> None:
    """Compare, print and write the table."""
    lines = [
        f"`python benchmarks/training.py`, {len(os.sched_getaffinity(0))} x86 cores, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {ROUNDS} rounds in turns.",
        "",
        "| network | bare `model.fit` | ours | ratio, median [range] | floor | met |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for name, (words, settings, floor) in CASES.items():
        print(name)
        theirs, seconds = compare(words, settings)
        ratios = np.divide(seconds, theirs)
        ratio = float(np.median(ratios))
        lines.append(
            f"| {name}, {settings.epochs} epochs of batch {settings.batch} "
            f"| {statistics.median(theirs):.2f} s | {statistics.median(seconds):.2f} s "
            f"| {ratio:.3f}x [{ratios.min():.3f}, {ratios.max():.3f}] | <= {floor} "
            f"| {'yes' if ratio <= floor else '**no**'} |"
        )
    text = "\n".join(lines) + "\n"
    (ROOT / "benchmarks" / "training.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
