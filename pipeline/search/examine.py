"""One candidate: built, weighed and timed, and trained if it fits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.dataset import validation_split
from pipeline.errors import ConversionError
from pipeline.graph import Step
from pipeline.measure.flatbuffer import inspect
from pipeline.measure.latency import time_files
from pipeline.measure.litert import LiteRT
from pipeline.measure.statistics import accuracy
from pipeline.plan import Plan
from pipeline.runner import Runner
from pipeline.search.space import FILE
from pipeline.search.trials import read, write
from pipeline.settings import Search, nth
from pipeline.store import Entry

Facts = Mapping[str, float]
CALIBRATED = 16  # pictures that set the ranges of a file that is only weighed and timed
ROUNDS, RUNS = 9, 30  # of timing: the quietest round counts, as others use the machine as well


class Refused(Exception):
    """A candidate is over a limit; its text says which, `facts` what it came to."""

    def __init__(self, reason: str, facts: Facts) -> None:
        super().__init__(reason)
        self.facts = facts


@dataclass(frozen=True)
class Examiner:
    """What candidates are held to, and the folder in which timings are kept."""

    search: Search
    timings: Path

    def examine(self, runner: Runner) -> Facts:
        """Build the candidate of a plan and convert it; train it if that file is within limits.

        Returns:
            bytes, macs and latency_us of the file; val_accuracy, and int8_accuracy where asked.

        Raises:
            Refused: it is over a limit, and was not trained.
            PipelineError: it cannot be built, converted or trained.
        """
        plan = runner.plan
        built = _untrained(plan)
        facts = self.measured(_done(runner, built.id)[built.id])
        over = exceeded(self.search, facts)
        if over:
            raise Refused(over, facts)
        replicas = range(1, (self.search.folds or 1) + 1)
        trained = [nth("train", number) for number in replicas]
        files = [nth(f"quantize({FILE})", number) for number in replicas]
        wanted = files if self.search.objective == "int8_accuracy" else trained
        entries = _done(runner, *wanted)
        scores = {"val_accuracy": [_told(entries[name]) for name in trained]}
        if wanted is files:
            ingests = [plan.resolved[name][0].inputs["ingest"] for name in files]
            scores["int8_accuracy"] = [
                _of_file(entries[name].folder, entries[ingest].folder)
                for name, ingest in zip(files, ingests, strict=True)
            ]
        return {**facts, **{name: float(np.mean(found)) for name, found in scores.items()}}

    def measured(self, entry: Entry) -> Facts:
        """Weigh and time a file; an equal file is timed once, whatever process asks."""
        path = entry.folder / "model.tflite"
        kept = self.timings / f"{entry.files[path.name]}.json"
        found: Facts | None = read(kept)
        if found is None:
            facts = inspect(path)
            found = {"bytes": facts.bytes, "macs": facts.macs, "latency_us": latency(path)}
            write(kept, json.dumps(found))
        return found


def exceeded(search: Search, facts: Facts) -> str | None:
    """Say in a line which limit a file is over, and by what; None if it is within all."""
    limits: dict[str, tuple[float | None, str]] = {
        "bytes": (search.max_bytes, ",.0f"),
        "macs": (search.max_macs, ",.0f"),
        "latency_us": (search.max_latency_us, ",.4g"),
    }
    over = [
        f"{facts[name]:{form}} {name} of {limit:{form}}"
        for name, (limit, form) in limits.items()
        if limit is not None and facts[name] > limit
    ]
    return ", ".join(over) or None


def latency(path: Path) -> float:
    """Median microseconds of an inference in the quietest of several rounds, one thread."""
    shape = LiteRT(path).image_shape
    pictures = np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8)
    timed = time_files({FILE: path}, pictures, reference=FILE, rounds=ROUNDS, runs=RUNS)
    return round(timed[FILE].quietest, 2)


def _untrained(plan: Plan) -> Step:
    """Add to a plan the step that converts the network as built; its file is of the final size."""
    like, settings = plan.resolved[f"quantize({FILE})"]
    inputs = {**like.inputs, "candidate": like.built["candidate"]}
    step = Step("quantize", "untrained", inputs=inputs, built=like.built)
    plan.add(
        step, settings.model_copy(update={"calibration_images": CALIBRATED, "untrained": True})
    )
    return step


def _done(runner: Runner, *wanted: str) -> Mapping[str, Entry]:
    """The entries of steps and of what they read; what went wrong in one is raised."""
    outcome = runner.do(runner.plan.towards(*wanted))
    for name, problem in outcome.problems.items():
        raise ConversionError(f"{name}: {problem['reason']}")
    return outcome.entries


def _told(entry: Entry) -> float:
    return float(entry.manifest["metrics"]["val_accuracy"])


def _of_file(file: Path, ingest: Path) -> float:
    """Accuracy of a file on the validation pictures it belongs to."""
    images, labels = validation_split(ingest)
    return accuracy(LiteRT(file / "model.tflite").predict(np.asarray(images)), np.asarray(labels))
