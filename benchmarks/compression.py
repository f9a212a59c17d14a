"""What shrinking costs, and what it buys, on the networks of `benchmarks/reference`.

    python benchmarks/compression.py                   three hours on two cores
    python benchmarks/compression.py --work DIR        keeps what is done there, and goes on
    python benchmarks/compression.py --seeds 0 --variants qat,prune+qat

The variants of `configs/fashion_mnist_100k.yaml`, made by the stages of a run from three trained
networks, and read on the 10,000 test pictures. What is measured is kept in `compression.json`
beside this file, under its seed, variant and settings, so that seeds may be run on different days;
`compression.md` is written once every seed has every variant of the recipe as it stands.
"""

import argparse
import gzip
import hashlib
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline.config import Config  # noqa: E402
from pipeline.data.dataset import test_split  # noqa: E402
from pipeline.engine import run  # noqa: E402
from pipeline.fit import session  # noqa: E402
from pipeline.graph import Step  # noqa: E402
from pipeline.measure.flatbuffer import inspect  # noqa: E402
from pipeline.measure.litert import LiteRT  # noqa: E402
from pipeline.measure.statistics import accuracy  # noqa: E402
from pipeline.settings import Section  # noqa: E402
from pipeline.show.numbers import size  # noqa: E402

HERE = ROOT / "benchmarks"
RECORD = HERE / "compression.json"
RECIPE = ROOT / "configs" / "fashion_mnist_100k.yaml"
SEEDS = (0, 1, 2)
TRUNK = ("ingest", "augment")
Facts = dict[str, float]
Record = dict[str, dict[str, dict[str, Facts]]]


def make(step: Step, section: Section, folders: Mapping[str, Path], out: Path) -> float:
    """Do one step of a variant's path in a folder, or find it done there; its seconds."""
    done = out / "done.json"
    if not done.exists():
        out.mkdir(parents=True, exist_ok=True)
        session.begin(section.seed)
        started = time.monotonic()
        inputs = {role: folders[source] for role, source in step.inputs.items()}
        import_module(f"pipeline.stages.{step.stage}").run(section, inputs, out)
        done.write_text(json.dumps(time.monotonic() - started))
    seconds: float = json.loads(done.read_text())
    return seconds


def measure(path: Path, ingest: Path) -> Facts:
    """Accuracy in percent on the test split, bytes, and the share of zeros in kernels."""
    images, labels = test_split(ingest)
    facts = inspect(path)
    kernels = [one for one in facts.weights if len(one.shape) > 1]
    zeros = sum(one.zeros for one in kernels) / sum(one.elements for one in kernels)
    return {
        "accuracy": 100 * accuracy(LiteRT(path).predict(images), labels),
        "bytes": facts.bytes,
        "gzip": len(gzip.compress(path.read_bytes(), 9)),
        "zeros": 100 * zeros,
    }


def one_seed(config: Config, work: Path) -> dict[str, Facts]:
    """Make every variant of one network, and measure its file."""
    seed = config.seed
    trunk = config.model_copy(update={"seed": 0})  # replicas share the first one's pictures
    made = run(trunk, artifacts=work, until="augment", quiet=True)
    folders = {name: made.entries[name].folder for name in TRUNK}
    folders["train"] = work / f"seed{seed}"
    folders["train"].mkdir(exist_ok=True)
    name = f"fashion_mnist_100k-seed{seed}.keras"
    shutil.copy(HERE / "reference" / name, folders["train"] / "model.keras")
    found: dict[str, Facts] = {}
    seconds: dict[str, float] = {}
    for step, section in config.resolve().values():
        if not step.path:
            continue
        folders[step.id] = work / f"seed{seed}" / step.id
        before = seconds.get(step.inputs["candidate"], 0.0)
        seconds[step.id] = before + make(step, section, folders, folders[step.id])
        if step.is_file:
            facts = measure(folders[step.id] / "model.tflite", folders["ingest"])
            found[step.path] = facts | {"seconds": seconds[step.id]}
            print(f"  seed {seed}: {step.path}: {found[step.path]}", flush=True)
    return found


def signatures(config: Config) -> dict[str, str]:
    """A digest of all the settings on the way to each variant's file."""
    said: dict[str, str] = {}
    found: dict[str, str] = {}
    for step, section in config.resolve().values():
        before = said.get(step.inputs.get("candidate", ""), "")
        said[step.id] = f"{before}{step.stage} {section.model_dump_json()}\n"
        if step.path and step.is_file:
            found[step.path] = hashlib.sha256(said[step.id].encode()).hexdigest()[:12]
    return found


def recall() -> Record:
    """What was measured so far and is kept: facts by seed, variant and settings."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


def keep(config: Config, found: dict[str, Facts]) -> None:
    """Put what one seed measured into the record; other settings of a variant go."""
    record = recall()
    signed = signatures(config)
    fresh = {path: {signed[path]: facts} for path, facts in found.items()}
    record[str(config.seed)] = record.get(str(config.seed), {}) | fresh
    RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def complete() -> list[dict[str, Facts]] | None:
    """Facts of all variants of the recipe as it stands, by seed; None while one is missing."""
    record = recall()
    results = []
    for seed in SEEDS:
        kept = record.get(str(seed), {})
        signed = signatures(Config.load(RECIPE, [f"seed={seed}"]))
        if any(digest not in kept.get(path, {}) for path, digest in signed.items()):
            return None
        results.append({path: kept[path][digest] for path, digest in signed.items()})
    return results


def table(results: Sequence[dict[str, Facts]]) -> str:
    """The page."""
    reference = [result["float32"] for result in results]
    lines = [
        f"`python benchmarks/compression.py`, {len(os.sched_getaffinity(0))} x86 cores, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}.",
        "",
        f"The {len(results)} networks of [`reference`](reference/README.md) and what the variants "
        "of `configs/fashion_mnist_100k.yaml` make of them, on the 10,000 test pictures: percent, "
        "mean ± sample standard deviation; points against `float32` of the same network, by seed. "
        "Zeros are counted in the kernels of the file. `gzip` is level 9, `ratio` the bytes of "
        "`float32` over these. Seconds are those of fine-tuning and converting together.",
        "",
        "| variant | accuracy | points | by seed | zeros | bytes | gzip | ratio | seconds |",
        f"|---|{'--:|' * 8}",
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
            f"{statistics.fmean(row['seconds'] for row in rows):.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def spread(values: Sequence[float]) -> str:
    """Mean, and deviation where there are several."""
    mean = f"{statistics.fmean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else mean


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
    results = []
    for seed in given.seeds.split(","):
        config = Config.load(RECIPE, [f"seed={seed}", *words])
        results.append(one_seed(config, given.work))
        keep(config, results[-1])
    print(table(results))
    if everything := complete():
        (HERE / "compression.md").write_text(table(everything), encoding="utf-8")


if __name__ == "__main__":
    main()
