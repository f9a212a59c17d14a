"""Fashion-MNIST below 100,000 weights: our two recipes, and the tutorial's on the same network.

    python benchmarks/fashion_mnist.py                   an hour on two free cores
    python benchmarks/fashion_mnist.py --artifacts DIR   keeps what is done there, and goes on
    python benchmarks/fashion_mnist.py --reference       also keeps the networks of
                                                         fashion_mnist_100k in benchmarks/reference

Three seeds each; what differs between the rows is written in the recipes. Writes `fashion_mnist.md`
and `fashion_mnist.png` beside this file.
"""

import argparse
import csv
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from matplotlib.figure import Figure  # noqa: E402

from pipeline.show.canvas import BLUE, GREY, HEAD, INK, ORANGE, drawn, page, panel, save  # noqa: E402
from pipeline.show.numbers import size  # noqa: E402

HERE = ROOT / "benchmarks"
SEEDS = 3
TUTORIAL = (
    *("name=fashion_mnist_tutorial", "augment.policy=none", "build.preprocess=scale"),
    *("train.optimizer=adam", "train.learning_rate=0.001", "train.schedule=constant"),
    *("train.warmup_epochs=0", "train.weight_decay=0", "train.label_smoothing=0"),
    "train.patience=5",
)
COLORS = {"fashion_mnist_tutorial": GREY, "fashion_mnist_fast": ORANGE, "fashion_mnist_100k": BLUE}


@dataclass(frozen=True)
class Row:
    """A recipe over its seeds: the report, and seconds and folder of each training."""

    name: str
    report: dict[str, Any]
    seconds: Sequence[float]
    trained: Sequence[Path]

    def accuracies(self, variant: str, key: str) -> list[float]:
        """Of a variant in each replica, in percent."""
        found = [
            {row["name"]: row for row in one["variants"]}[variant]
            for one in self.report["replicas"]
        ]
        return [100 * row[key] for row in found]

    def bytes(self, variant: str) -> int:
        """Of the first seed's file."""
        count: int = {row["name"]: row for row in self.report["variants"]}[variant]["bytes"]
        return count


def run(name: str, artifacts: Path, recipe: str, *words: str) -> Row:
    """Run a recipe with three seeds, or take it from the cache."""
    command = [
        *(sys.executable, "run_pipeline.py", "run", f"configs/{recipe}.yaml", *words),
        *(f"repeat={SEEDS}", "--artifacts", str(artifacts)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
    report = json.loads((artifacts / name / "report.json").read_text())
    trainings = [stage for stage in report["stages"] if stage["name"].partition("#")[0] == "train"]
    folders = [artifacts / ".cache" / "train" / stage["key"] for stage in trainings]
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in folders]
    row = Row(name, report, [manifest["seconds"] for manifest in manifests], folders)
    print(line(row), flush=True)
    return row


def curve(file: Path) -> list[float]:
    """Validation accuracy by epoch, in percent."""
    with file.open(newline="") as lines:
        return [100 * float(row["val_accuracy"]) for row in csv.DictReader(lines)]


def spread(values: Sequence[float]) -> str:
    """Mean and sample standard deviation of percentages."""
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"


def line(row: Row) -> str:
    """A row of the table."""
    cells = [
        f"`{row.name}`",
        f"{row.report['model']['trainable']:,}",
        f"{row.report['training']['epochs']}",
        " ".join(f"{one:.0f}" for one in row.seconds),
        spread(row.accuracies("float32", "validation_accuracy")),
        spread(row.accuracies("float32", "accuracy")),
        spread(row.accuracies("int8", "accuracy")),
        " ".join(f"{one:.2f}" for one in row.accuracies("int8", "accuracy")),
        size(row.bytes("int8")),
    ]
    return f"| {' | '.join(cells)} |"


def table(rows: Sequence[Row]) -> str:
    """The whole page."""
    head = (
        *("recipe", "weights", "epochs", "seconds of training, by seed", "validation"),
        *("float32 test", "int8 test", "int8 test, by seed", "int8 bytes"),
    )
    data = rows[0].report["dataset"]
    return "\n".join([
        f"`python benchmarks/fashion_mnist.py`, {len(os.sched_getaffinity(0))} x86 cores, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}.",
        "",
        f"`pocket_cnn` on {data['train']:,} pictures, {data['validation']:,} for validation and "
        f"{data['test']:,} for test, {SEEDS} seeds: percent, mean ± sample standard deviation. The "
        "epoch that is kept is chosen on validation. Epochs are those of the first seed. The "
        "tutorial's recipe is Adam at 0.001, no augmentation, pixels to 0..1, and an end when five "
        "epochs bring nothing better. Weights are the trainable ones.",
        "",
        f"| {' | '.join(head)} |",
        f"|---|{'--:|' * (len(head) - 1)}",
        *map(line, rows),
        "",
        "![Validation accuracy over seconds of training](fashion_mnist.png)",
        "",
    ])  # fmt: skip


@drawn
def draw(rows: Sequence[Row]) -> Figure:
    """Validation accuracy over seconds of training: a line a seed."""
    subtitle = (
        "Validation accuracy of pocket_cnn on Fashion-MNIST after so many seconds of training on "
        f"two cores; {SEEDS} seeds of each recipe."
    )
    figure, _ = page("What a second of training buys", subtitle, 3.6)
    axes = panel(figure, 0.62, HEAD + 0.05, 5.1, 3.05)
    for row in rows:
        for seconds, folder in zip(row.seconds, row.trained, strict=True):
            values = curve(folder / "history.csv")
            times = [seconds * (number + 1) / len(values) for number in range(len(values))]
            axes.plot(times, values, color=COLORS[row.name], linewidth=1.2)
        axes.plot([], [], color=COLORS[row.name], label=row.name)
    axes.set(xscale="log", ylim=(88, 96), xlabel="seconds of training")
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y")
    axes.legend(frameon=False, loc="lower right", labelcolor=INK)
    return figure


def keep(row: Row) -> None:
    """Copy the trained networks, a file a seed, for work that need not train them again."""
    folder = HERE / "reference"
    folder.mkdir(exist_ok=True)
    lines = [
        f"What `python benchmarks/fashion_mnist.py --reference` left on "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}: the networks of `configs/{row.name}.yaml`, "
        "trained with three seeds, before any shrinking. They take pixels 0..255, float32, of "
        "28x28x1; preprocessing is inside. Work on compression need not train them again: "
        "`build.model=file build.path=benchmarks/reference/FILE build.preprocess=own`, or "
        "`keras.saving.load_model`.",
        "",
        "| file | validation | float32 test | int8 test | SHA-256 |",
        "|---|--:|--:|--:|---|",
    ]
    for at, (one, trained) in enumerate(zip(row.report["replicas"], row.trained, strict=True)):
        file = folder / f"{row.name}-seed{one['seed']}.keras"
        shutil.copyfile(trained / "model.keras", file)
        figures = [
            row.accuracies("float32", "validation_accuracy")[at],
            row.accuracies("float32", "accuracy")[at],
            row.accuracies("int8", "accuracy")[at],
        ]
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        shown = " | ".join(f"{figure:.2f} %" for figure in figures)
        lines.append(f"| `{file.name}` | {shown} | `{digest[:16]}` |")
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Run, write, keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts" / "fashion_mnist")
    parser.add_argument("--reference", action="store_true")
    given = parser.parse_args()
    artifacts = given.artifacts.resolve()
    rows = [
        run("fashion_mnist_fast", artifacts, "fashion_mnist_fast"),
        run("fashion_mnist_100k", artifacts, "fashion_mnist_100k"),
        run("fashion_mnist_tutorial", artifacts, "fashion_mnist_100k", *TUTORIAL),
    ]
    (HERE / "fashion_mnist.md").write_text(table(rows), encoding="utf-8")
    save(draw(rows), HERE / "fashion_mnist.png")
    if given.reference:
        keep(rows[1])


if __name__ == "__main__":
    main()
