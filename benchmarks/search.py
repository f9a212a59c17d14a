"""What a search costs beside what it searches with: time, memory, and what two workers save.

    python benchmarks/search.py                   some 20 minutes on two cores
    python benchmarks/search.py overhead memory   parts of it

- `overhead`: a search of Fashion-MNIST in part, against a bare loop over the same builds and
  fits, in turns. Both find the pictures ready.
- `memory`: 100 tiny trials in one process.
- `workers`, `workers_large`: the same search with one process and with two.
- `digits`: the space of `configs/digits.yaml`; its winner in full, beside the recipe as it is.
- `fashion`: the space of `configs/fashion_mnist.yaml` below 60,000 bytes; its winner's file.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402

from pipeline.config import Config  # noqa: E402
from pipeline.engine import run  # noqa: E402
from pipeline.search.space import candidate  # noqa: E402
from pipeline.search.trials import Trial, Trials, best  # noqa: E402

HERE = ROOT / "benchmarks"
MB = 1e6
PART = (  # of Fashion-MNIST: trials of 10 s or more
    "ingest.limit=12000",
    "search.algorithm=random",
    "search.trials=6",
    "search.epochs=6",
    "search.space={build.width: {int: [16, 32, 8]}, train.learning_rate: {log: [0.02, 0.3]}}",
)
TINY = (
    "ingest.limit=100",
    "build.width=4",
    "search.algorithm=random",
    "search.trials=101",
    "search.epochs=2",
    "search.space={train.learning_rate: {log: [1e-4, 1e-2]}}",
)
FASHION, DIGITS = "fashion_mnist", "digits"
LEAST_BYTES = 60_000
Facts = dict[str, Any]
Row = tuple[str, str]


def recipe(name: str) -> str:
    """The file of a recipe of ours."""
    return f"configs/{name}.yaml"


def front_door(*words: str, artifacts: Path) -> subprocess.Popen[bytes]:
    """Start the command line."""
    command = [sys.executable, str(ROOT / "run_pipeline.py"), *words, "--artifacts", str(artifacts)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def seconds(process: subprocess.Popen[bytes]) -> float:
    """How long a process takes that was just started."""
    started = time.monotonic()
    if process.wait():
        raise SystemExit("a command failed")
    return time.monotonic() - started


def trials_of(artifacts: Path, name: str) -> list[Trial]:
    """What a search has tried."""
    return Trials(artifacts / name / "search" / "trials").all()


def ready(work: Path, name: str, words: Sequence[str]) -> Path:
    """A folder of artifacts that has the pictures, and nothing else."""
    artifacts = Path(tempfile.mkdtemp(dir=work))
    run(Config.load(ROOT / recipe(name), words), artifacts=artifacts, until="augment", quiet=True)
    return artifacts


def overhead(work: Path) -> Facts:
    """Seconds of a search and of the bare loop, in the order search, loop, loop, search."""
    searched: list[float] = []
    bare: list[float] = []
    known: Path | None = None
    for what in ("search", "loop", "loop", "search"):
        artifacts = ready(work, FASHION, PART)
        if what == "search":
            words = ("search", recipe(FASHION), *PART)
            searched.append(seconds(front_door(*words, artifacts=artifacts)))
            known = artifacts
        else:
            loop = [sys.executable, __file__, "--loop", str(known), str(artifacts)]
            bare.append(seconds(subprocess.Popen(loop, cwd=ROOT)))
    trained = [t for t in trials_of(known, FASHION) if t.status == "trained"] if known else []
    return {
        "search": searched,
        "loop": bare,
        "ratio": sum(searched) / sum(bare),
        "trial": min(trial.seconds for trial in trained),
    }


def bare_loop(known: Path, artifacts: Path) -> None:
    """Build and fit what a search has tried, and nothing besides."""
    from pipeline.fit import session
    from pipeline.stages import build, train

    config = Config.load(ROOT / recipe(FASHION), PART)
    for trial in trials_of(known, FASHION):
        resolved = candidate(config, trial.values).resolve()
        folders = {name: next((artifacts / ".cache" / name).glob("[!.]*")) for name in STAGED}
        for name, stage in (("build", build), ("train", train)):
            folders[name] = Path(tempfile.mkdtemp(dir=artifacts))
            settings: Any = resolved[name][1]
            session.begin(settings.seed)
            stage.run(settings, folders, folders[name])


STAGED = ("ingest", "augment")


def memory(work: Path) -> Facts:
    """Megabytes of a process after its first trial, and after a hundred more."""
    artifacts = ready(work, DIGITS, TINY)
    process = front_door("search", recipe(DIGITS), *TINY, artifacts=artifacts)
    watched, found = psutil.Process(process.pid), {}
    while process.poll() is None:
        done = len(list((artifacts / DIGITS / "search" / "trials").glob("0*.json")))
        resident = watched.memory_info().rss / MB
        if resident:  # one that has just ended has none
            found[done] = resident
        time.sleep(0.1)
    last = max(found)
    return {"first": found[1], "last": found[last], "grown": found[last] - found[1], "trials": last}


def workers(work: Path) -> Facts:
    """Seconds of a search of tiny trials by one process and by two; the pictures are ready."""
    return _shared(work, DIGITS, ("search.algorithm=random",))


def workers_large(work: Path) -> Facts:
    """The same of trials that use more than one core each."""
    return _shared(work, FASHION, (*PART, "search.trials=8"))


def _shared(work: Path, name: str, words: Sequence[str]) -> Facts:
    taken, every = {}, {}
    for count in (1, 2):
        artifacts = ready(work, name, words)
        said = ("search", recipe(name), *words, f"search.workers={count}")
        taken[count] = seconds(front_door(*said, artifacts=artifacts))
        every[str(count)] = sum(trial.status == "trained" for trial in trials_of(artifacts, name))
    return {"one": taken[1], "two": taken[2], "ratio": taken[2] / taken[1], "trials": every}


def digits(work: Path) -> Facts:
    """Seconds of the search; accuracy and bytes of its winner's int8 file, and of the recipe's."""
    artifacts = Path(tempfile.mkdtemp(dir=work))
    taken = seconds(front_door("search", recipe(DIGITS), artifacts=artifacts))
    found: Facts = {"seconds": taken, "trials": len(trials_of(artifacts, DIGITS))}
    for name, file in (
        ("winner", artifacts / DIGITS / "search" / "best.yaml"),
        ("recipe", ROOT / recipe(DIGITS)),
    ):
        config = Config.load(file, ["variants=[int8]"])
        found[name] = int8(run(config, artifacts=artifacts, quiet=True).report)
    return found


def fashion(work: Path) -> Facts:
    """Trials below a limit, and the winner's file as it was measured and as it came out."""
    artifacts = Path(tempfile.mkdtemp(dir=work))
    words = (f"search.max_bytes={LEAST_BYTES}", "search.trials=8")
    taken = seconds(front_door("search", recipe(FASHION), *words, artifacts=artifacts))
    found = trials_of(artifacts, FASHION)
    trained = [trial for trial in found if trial.status == "trained"]
    winner = best(found, "val_accuracy")
    config = Config.load(artifacts / FASHION / "search" / "best.yaml", ["variants=[int8]"])
    final = int8(run(config, artifacts=artifacts, quiet=True).report)
    measured = winner.bytes if winner and winner.bytes else 0
    return {
        "seconds": taken,
        "trained": len(trained),
        "refused": len(found) - len(trained),
        "largest": max(trial.bytes or 0 for trial in trained),
        "measured": measured,
        "final": final,
        "ratio": final["bytes"] / measured,
    }


def int8(report: Mapping[str, Any] | None) -> Facts:
    """What a report says of the int8 file."""
    rows = report["variants"] if report else []
    row = next(row for row in rows if row["name"] == "int8")
    return {"accuracy": row["accuracy"], "bytes": row["bytes"]}


def page(found: Mapping[str, Facts]) -> str:
    """The table of what was measured."""
    rows = [row for part, told in ROWS.items() if part in found for row in told(found[part])]
    lines = [f"| {what} | {figure} |" for what, figure in rows]
    head = "`python benchmarks/search.py`, two x86 cores; each part as last measured."
    return "\n".join([head, "", "| what | figure |", "|---|--:|", *lines, ""])


def _overhead(f: Facts) -> Iterator[Row]:
    yield (
        f"a search of 6 trials of {f['trial']:.0f} s and more, against a bare loop over the same "
        "builds and fits",
        f"{f['ratio']:.3f}x ({_all(f['search'])} s, {_all(f['loop'])} s)",
    )


def _memory(f: Facts) -> Iterator[Row]:
    yield (
        f"memory after {f['trials']} tiny trials in one process, against one",
        f"+{f['grown']:.0f} MB ({f['first']:.0f}, {f['last']:.0f})",
    )


def _workers(f: Facts, what: str) -> Iterator[Row]:
    yield (
        f"{f['trials']['2']} {what}, by two workers against one process",
        f"{f['ratio']:.2f}x ({f['two']:.0f} s, {f['one']:.0f} s)",
    )


def _digits(f: Facts) -> Iterator[Row]:
    yield (
        f"`configs/digits.yaml`, 20 trials ({f['trials']} candidates), with all that comes before",
        f"{f['seconds']:.0f} s",
    )
    for name in ("winner", "recipe"):
        yield (
            f"... the {name}'s `int8`, trained in full, on test pictures",
            f"{f[name]['accuracy']:.2%}, {f[name]['bytes']:,} bytes",
        )


def _fashion(f: Facts) -> Iterator[Row]:
    yield (
        f"`configs/fashion_mnist.yaml` below {LEAST_BYTES:,} bytes: {f['trained']} trained, "
        f"{f['refused']} refused; the largest file that was trained",
        f"{f['largest']:,} bytes ({f['seconds']:.0f} s)",
    )
    yield (
        "... the winner's `int8` in the report of the full training, against what the search "
        "measured",
        f"{f['ratio']:.4f}x ({f['final']['bytes']:,}, {f['measured']:,} bytes), "
        f"{f['final']['accuracy']:.2%} on test pictures",
    )


def _all(values: Sequence[float]) -> str:
    return " ".join(f"{value:.0f}" for value in values)


TINY_NETWORK = "trials of a tiny network, which leaves the second core idle"
LARGE_NETWORK = "trials of a network that uses both cores by itself"
ROWS: Mapping[str, Callable[[Facts], Iterator[Row]]] = {
    "overhead": _overhead,
    "memory": _memory,
    "workers": partial(_workers, what=TINY_NETWORK),
    "workers_large": partial(_workers, what=LARGE_NETWORK),
    "digits": _digits,
    "fashion": _fashion,
}
PARTS = {
    "overhead": overhead,
    "memory": memory,
    "workers": workers,
    "workers_large": workers_large,
    "digits": digits,
    "fashion": fashion,
}


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--loop", nargs=2, type=Path, help=argparse.SUPPRESS)
    given: Any = parser.parse_args()
    if given.loop:
        bare_loop(*given.loop)
        return
    kept = HERE / "search.json"
    found: dict[str, Facts] = json.loads(kept.read_text()) if kept.exists() else {}
    for part in given.parts:
        with tempfile.TemporaryDirectory() as work:
            found[part] = PARTS[part](Path(work))
        print(f"  {part}: {found[part]}", flush=True)
        kept.write_text(json.dumps(found, indent=1) + "\n")
        (HERE / "search.md").write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
