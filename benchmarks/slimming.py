"""What slimming costs and buys, and whether a narrow network from scratch does as well.

    python benchmarks/slimming.py                          most of a day on two cores
    python benchmarks/slimming.py --work DIR               keeps what is done there, and goes on
    python benchmarks/slimming.py --networks pocket_cnn --seeds 0 --variants slim.half+int8

Fashion-MNIST by the recipe `configs/fashion_mnist_100k.yaml` with its own network (those of
`benchmarks/reference`) and with others in its place, slimmed to 0.50 and to 0.65 of their
multiply-accumulates; beside each the control: the slimmed network with fresh weights, trained for
as many epochs as training and slimming took. What is measured is kept in `slimming.json` beside
this file, and `slimming.md` has all of it that the settings as they stand come to.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from scipy.stats import ttest_1samp  # noqa: E402

from benchmarks.variants import Network, Record, Results, spread  # noqa: E402
from pipeline.config import Config  # noqa: E402
from pipeline.data.dataset import test_split  # noqa: E402
from pipeline.measure.latency import time_files  # noqa: E402

HERE = ROOT / "benchmarks"
RECIPE = ROOT / "configs" / "fashion_mnist_100k.yaml"
SEEDS = (0, 1, 2)
REFERENCE = "int8"
LUCK = 0.05  # a mean that comes about this often by luck alone is taken for luck
# Words laid over the recipe: the networks that are large see the pictures less often.
SHORT = ("train.epochs=12", "slim.epochs=12", "slim.multiple=8")
SHORTER = ("train.epochs=4", "slim.epochs=4", "slim.multiple=8")
TRAINED = "pocket_cnn"  # the recipe's own network
GIVEN = ", the networks of `benchmarks/reference`"
NETWORKS: Mapping[str, Sequence[str]] = {
    TRAINED: (
        "slim.presets={half: {macs: 0.5, bytes: 0.6}, "
        "mild: {macs: 0.65, ranking: cost, multiple: 8}}",
    ),
    "resnet8": (
        "build={model: resnet8, preprocess: standardize}",
        "slim.multiple=8",  # in sixteens no half of it can go
        "slim.presets={half: {macs: 0.5, bytes: 0.6, latency: 0.65}, mild: {macs: 0.65}}",
    ),
    "densenet121": (
        "build={model: densenet121, growth: 8, depths: [2, 3, 3, 2], preprocess: standardize}",
        *SHORT,
    ),
    "googlenet": (
        "build={model: googlenet, width: 0.25, normalization: batch, preprocess: standardize}",
        *SHORTER,
    ),
    "mobilenet_v2": (
        "build={model: mobilenet_v2, width: 0.25, preprocess: standardize}",
        *SHORTER,
        "slim.epochs=2",
    ),
}
PRESETS = "slim.presets={half: {macs: 0.5, bytes: 0.6}, mild: {macs: 0.65}}"
SLIMMED = ("slim.half", "slim.mild")
VARIANTS = (
    REFERENCE,
    *(f"{one}+int8" for one in SLIMMED),
    *(f"{one}+scratch+int8" for one in SLIMMED),
)


def network(name: str, seed: int, words: Sequence[str] = ()) -> Network:
    """The recipe with a network and a seed."""
    variants = f"variants=[{','.join(VARIANTS)}]"
    said = [f"seed={seed}", variants, PRESETS, *NETWORKS[name], *words]
    trained = HERE / "reference" / f"fashion_mnist_100k-seed{seed}.keras"
    given = trained if name == TRAINED else None
    return Network(f"{name}-seed{seed}", Config.load(RECIPE, said), given)


def timed(one: Network, work: Path, results: Results) -> Results:
    """Add the latency of each int8 file as a share of the whole network's, taken in turns."""
    folders = one.make(work)
    files = {
        path: folders[f"quantize({path})"] / "model.tflite"
        for path in results
        if path.endswith("int8")
    }
    images = np.asarray(test_split(folders["ingest"])[0][:200])
    shares = time_files(files, images, reference=REFERENCE)
    return {
        path: facts | ({"latency": shares[path].ratio} if path in shares else {})
        for path, facts in results.items()
    }


def gained(path: str, results: Sequence[Results]) -> list[float]:
    """Points of a variant above its control, by seed, where both were measured."""
    control = f"{path.removesuffix('+int8')}+scratch+int8"
    both = [(one[path], one[control]) for one in results if {path, control} <= one.keys()]
    return [own["accuracy"] - other["accuracy"] for own, other in both]


def verdict(path: str, gains: Sequence[float]) -> str:
    """In words, whether weights that were kept were worth keeping."""
    mean = statistics.fmean(gains)
    if len(gains) == 1:
        return f"`{path}`: {mean:+.2f} points above its control with one seed, which tells little."
    luck = ttest_1samp(gains, 0).pvalue
    many = (
        f"{mean:+.2f} points above its control, mean of {len(gains)} seeds (t-test, p {luck:.2f})"
    )
    if luck > LUCK:
        return f"`{path}`: {many}: that may be luck. It does not beat a network from scratch."
    side = "were" if mean > 0 else "were not"
    return f"`{path}`: {many}: hardly luck. The weights that were kept {side} worth it."


def table(name: str, results: Sequence[Results]) -> list[str]:
    """The lines of a network; each row is of the seeds that have it, and its control."""
    lines = [
        f"## {name}",
        "",
        f"`{' '.join(NETWORKS[name])}`{GIVEN if name == TRAINED else ''}",
        "",
        "| variant | MACs | accuracy | points | by seed | bytes | latency | above its control |",
        f"|---|{'--:|' * 7}",
    ]
    verdicts = []
    for path in VARIANTS:
        both = [(one[path], one[REFERENCE]) for one in results if {path, REFERENCE} <= one.keys()]
        if not both:
            continue
        points = [row["accuracy"] - whole["accuracy"] for row, whole in both]
        shares = [
            statistics.fmean(row[key] / whole[key] for row, whole in both)
            for key in ("macs", "bytes", "latency")
        ]
        gains = gained(path, results)
        if gains:
            verdicts.append(f"- {verdict(path, gains)}")
        cells = [
            f"`{path}`",
            f"{shares[0]:.2f}x",
            spread([row["accuracy"] for row, _ in both]),
            f"{statistics.fmean(points):+.2f}",
            " ".join(f"{one:+.2f}" for one in points),
            f"{shares[1]:.2f}x",
            f"{shares[2]:.2f}x",
            spread(gains) if gains else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *verdicts]
    missing = [path for path in VARIANTS if not any(path in one for one in results)]
    told = ", ".join(f"`{path}`" for path in missing)
    return [*lines, "", *([f"Not measured: {told}.", ""] if missing else [])]


def page(found: Mapping[str, Sequence[Results]]) -> str:
    """All networks that something was measured of."""
    lines = [
        f"`python benchmarks/slimming.py`, {time.strftime('%Y-%m-%d', time.gmtime())}.",
        "",
        "Networks by `configs/fashion_mnist_100k.yaml` with what stands below each name, seeds 0 "
        f"to {len(SEEDS) - 1} as far as they were run; the 10,000 test pictures, percent, mean ± "
        "sample standard deviation; points against `int8` of the same network. Shares of "
        "multiply-accumulates, bytes and latency (one thread, taken in turns) are against the same "
        "file. A control, `scratch`, is the slimmed network with fresh weights, trained as the "
        "recipe says for as many epochs as training and slimming took together.",
        "",
    ]
    for name, results in found.items():
        lines += table(name, results)
    return "\n".join(lines)


def main() -> None:
    """Make, measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, default=ROOT / "artifacts" / "slimming")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--variants", default="", help="of these only; int8 is always made")
    given: Any = parser.parse_args()
    words = [f"variants=[{REFERENCE},{given.variants}]"] if given.variants else []
    record = Record(HERE / "slimming.json")
    for name in given.networks.split(","):
        work = given.work / name
        work.mkdir(parents=True, exist_ok=True)
        for seed in given.seeds.split(","):
            one = network(name, int(seed), words)
            found = timed(one, work, one.results(work))
            record.keep(one, found)
            print(f"  {one.name}: {found}", flush=True)
    measured = {name: record.so_far([network(name, seed) for seed in SEEDS]) for name in NETWORKS}
    told = page({name: results for name, results in measured.items() if any(results)})
    (HERE / "slimming.md").write_text(told, encoding="utf-8")
    print(told)


if __name__ == "__main__":
    main()
