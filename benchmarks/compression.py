"""What shrinking costs, and what it buys, on the networks of `benchmarks/reference`.

    python benchmarks/compression.py                   three hours on two cores
    python benchmarks/compression.py --work DIR        keeps what is done there, and goes on
    python benchmarks/compression.py --seeds 0 --variants qat,prune+qat

The variants of `configs/fashion_mnist_100k.yaml`, made by the stages of a run from three trained
networks, and read on the 10,000 test pictures. What is measured is kept in `compression.json`
beside this file; `compression.md` is written once every seed has every variant of the recipe as it
stands.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.variants import Network, Record, Results, spread  # noqa: E402
from pipeline.config import Config  # noqa: E402
from pipeline.show.numbers import size  # noqa: E402

HERE = ROOT / "benchmarks"
RECIPE = HERE.parent / "configs" / "fashion_mnist_100k.yaml"
SEEDS = (0, 1, 2)


def network(seed: int, words: Sequence[str] = ()) -> Network:
    """The recipe with one seed, and the network that was trained with it."""
    trained = HERE / "reference" / f"fashion_mnist_100k-seed{seed}.keras"
    return Network(f"seed{seed}", Config.load(RECIPE, [f"seed={seed}", *words]), trained)


def table(results: Sequence[Results]) -> str:
    """The page."""
    reference = [result["float32"] for result in results]
    lines = [
        f"`python benchmarks/compression.py`, {time.strftime('%Y-%m-%d', time.gmtime())}.",
        "",
        f"The {len(results)} networks of [`reference`](reference/README.md) and what the variants "
        "of `configs/fashion_mnist_100k.yaml` make of them, on the 10,000 test pictures: percent, "
        "mean ± sample standard deviation; points against `float32` of the same network, by seed. "
        "Zeros are counted in the kernels of the file. `gzip` is level 9, `ratio` the bytes of "
        "`float32` over these.",
        "",
        "| variant | accuracy | points | by seed | zeros | bytes | gzip | ratio |",
        f"|---|{'--:|' * 7}",
    ]
    for name in results[0]:
        rows = [result[name] for result in results]
        points = [
            row["accuracy"] - one["accuracy"] for row, one in zip(rows, reference, strict=True)
        ]
        ratio = [one["bytes"] / row["gzip"] for row, one in zip(rows, reference, strict=True)]
        cells = [
            f"`{name}`",
            spread([row["accuracy"] for row in rows]),
            f"{statistics.fmean(points):+.2f}",
            " ".join(f"{one:+.2f}" for one in points),
            f"{statistics.fmean(row['zeros'] for row in rows):.1f} %",
            size(round(statistics.fmean(row["bytes"] for row in rows))),
            size(round(statistics.fmean(row["gzip"] for row in rows))),
            f"{statistics.fmean(ratio):.1f}x",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make, measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, default=ROOT / "artifacts" / "compression")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--variants", default="")
    parser.add_argument("settings", nargs="*", help="section.key=value, laid over the recipe")
    given: Any = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    words = list(given.settings)
    if given.variants:
        words.append(f"variants=[{given.variants}]")
    record, results = Record(HERE / "compression.json"), []
    for seed in given.seeds.split(","):
        one = network(int(seed), words)
        results.append(one.results(given.work))
        record.keep(one, results[-1])
    print(table(results))
    if everything := record.of([network(seed) for seed in SEEDS]):
        (HERE / "compression.md").write_text(table(everything), encoding="utf-8")


if __name__ == "__main__":
    main()
