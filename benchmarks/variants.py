"""Variants of a recipe made stage by stage, measured, and the measurements kept from day to day.

For benchmarks that take hours: a step that is done in a working folder is not done again, a
training goes on where it was cut, and what was measured is kept in a JSON file under its network,
variant and settings, so that seeds may be run on different days.
"""

import gzip
import hashlib
import json
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from pipeline.config import Config
from pipeline.data.dataset import test_split
from pipeline.engine import run
from pipeline.fit import session
from pipeline.graph import Step
from pipeline.measure.flatbuffer import inspect
from pipeline.measure.litert import LiteRT
from pipeline.measure.statistics import accuracy
from pipeline.settings import Section

Facts = dict[str, float]
Results = dict[str, Facts]  # by variant
PICTURES = ("ingest", "augment")


@dataclass(frozen=True)
class Network:
    """A recipe with one seed, under a name; trained already where `trained` has its file."""

    name: str
    config: Config
    trained: Path | None = None

    def signatures(self) -> dict[str, str]:
        """A digest of all the settings on the way to each variant's file."""
        said: dict[str, str] = {}
        found: dict[str, str] = {}
        for step, section in self.config.resolve().values():
            before = said.get(_parent(step), "")
            said[step.id] = f"{before}{step.stage} {section.model_dump_json()}\n"
            if self.trained and step.id == "train":
                said[step.id] = self.trained.name
            if step.path and step.is_file:
                found[step.path] = hashlib.sha256(said[step.id].encode()).hexdigest()[:12]
        return found

    def results(self, work: Path) -> Results:
        """Make every variant in a folder, or find it made there, and measure its file."""
        folders, found = self.make(work), {}
        for step, _ in self.config.resolve().values():
            if step.path and step.is_file:
                facts = measure(folders[step.id] / "model.tflite", folders["ingest"])
                found[step.path] = facts | {"seconds": _seconds(step, folders, self.config)}
                print(f"  {self.name}: {step.path}: {found[step.path]}", flush=True)
        return found

    def make(self, work: Path) -> dict[str, Path]:
        """The folders of all steps to the variants' files, by their ids."""
        shared = self.config.model_copy(update={"seed": 0})  # replicas share the first's pictures
        pictures = run(shared, artifacts=work, until="augment", quiet=True)
        folders = {name: pictures.entries[name].folder for name in PICTURES}
        for step, section in self.config.resolve().values():
            if step.id == "train" and self.trained:
                folders["train"] = work / self.name / "train"
                folders["train"].mkdir(parents=True, exist_ok=True)
                shutil.copy(self.trained, folders["train"] / "model.keras")
            elif step.path or step.stage in {"build", "train"}:
                folders[step.id] = work / self.name / step.id
                _do(step, section, folders, folders[step.id])
        return folders


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
        "macs": facts.macs,
        "zeros": 100 * zeros,
    }


def _do(step: Step, section: Section, folders: Mapping[str, Path], out: Path) -> None:
    """Do one step in a folder, or find it done there; how long it took is written down."""
    done = out / "done.json"
    if not done.exists():
        out.mkdir(parents=True, exist_ok=True)
        session.begin(section.seed)
        started = time.monotonic()
        inputs = {role: folders[source] for role, source in step.inputs.items()}
        import_module(f"pipeline.stages.{step.stage}").run(section, inputs, out)
        done.write_text(json.dumps(time.monotonic() - started))


def _parent(step: Step) -> str:
    """The id of the step whose model it goes on with."""
    return step.inputs.get("candidate") or step.inputs.get("build", "")


def _seconds(step: Step, folders: Mapping[str, Path], config: Config) -> float:
    """What all steps of a path took together, from the trained network on."""
    steps = {one.id: one for one, _ in config.resolve().values()}
    total, at = 0.0, step
    while at.path:
        total += json.loads((folders[at.id] / "done.json").read_text())
        at = steps[_parent(at)]
    return total


class Record:
    """Measurements in a JSON file: by network, variant and settings."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _read(self) -> dict[str, dict[str, dict[str, Facts]]]:
        kept: dict[str, dict[str, dict[str, Facts]]] = {}
        if self._path.exists():
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        return kept

    def keep(self, network: Network, found: Results) -> None:
        """Put what was measured of a network in its place; other settings of a variant go."""
        kept, signed = self._read(), network.signatures()
        fresh = {path: {signed[path]: facts} for path, facts in found.items()}
        kept[network.name] = kept.get(network.name, {}) | fresh
        text = json.dumps(kept, indent=1, sort_keys=True)
        self._path.write_text(text + "\n", encoding="utf-8")

    def of(self, networks: Sequence[Network]) -> list[Results] | None:
        """All variants of networks with the settings they have now; None while one is missing."""
        results = self.so_far(networks)
        wanted = [network.signatures().keys() for network in networks]
        return results if [one.keys() for one in results] == wanted else None

    def so_far(self, networks: Sequence[Network]) -> list[Results]:
        """Of each network the variants that were measured with the settings they have now."""
        kept = self._read()
        return [
            {
                path: kept[network.name][path][digest]
                for path, digest in network.signatures().items()
                if digest in kept.get(network.name, {}).get(path, {})
            }
            for network in networks
        ]


def spread(values: Sequence[float]) -> str:
    """Mean, and sample standard deviation where there are several."""
    mean = f"{statistics.fmean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else mean
