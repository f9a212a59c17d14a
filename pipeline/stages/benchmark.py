"""Benchmark: run every deployed file with LiteRT on all test pictures, and time them in turns.

Of a replica of a run the files are not deployed: they are read where they were made, not timed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.dataset import test_split, validation_split
from pipeline.data.several import several
from pipeline.data.sources import Images, Labels
from pipeline.measure import statistics
from pipeline.measure.controls import controls
from pipeline.measure.flatbuffer import inspect
from pipeline.measure.latency import Latency, time_files
from pipeline.measure.litert import LiteRT
from pipeline.measure.machine import machine
from pipeline.progress import bar
from pipeline.settings import REFERENCE, Benchmark, Inputs, Metrics


@dataclass(frozen=True)
class Answers:
    """What one file says of the test and the validation pictures: probabilities `(N, classes)`."""

    test: np.ndarray
    validation: np.ndarray


def run(settings: Benchmark, inputs: Inputs, out: Path) -> Metrics:
    """Write `benchmark.json`: a row a variant, as in the report, and the machine.

    Without rounds a row has a name and what `compare` gives, and no machine is named.
    """
    test, validation = test_split(inputs["ingest"]), validation_split(inputs["ingest"])
    files = find(inputs)
    answers = ask(files, test[0], validation[0])
    compared = {
        name: compare(answers[name], answers[REFERENCE], test[1], validation[1]) for name in files
    }
    for name, others in controls(files).items():
        against = [against_control(answers[name], answers[one], test[1]) for one in others]
        named = zip(others, against, strict=True)
        compared[name]["controls"] = [{"name": one} | found for one, found in named]
    if settings.rounds:
        timed = time_files(
            files,
            np.asarray(test[0][: settings.runs]),
            reference=REFERENCE,
            rounds=settings.rounds,
            runs=settings.runs,
            warmup=settings.warmup,
            threads=settings.threads,
        )
        rows = [
            describe(name, path) | compared[name] | timing(timed[name])
            for name, path in files.items()
        ]
        found = {"variants": rows, "machine": machine() | {"amx": timed[REFERENCE].amx}}
    else:
        found = {"variants": [{"name": name} | row for name, row in compared.items()]}
    (out / "benchmark.json").write_text(json.dumps(found, indent=1, allow_nan=False))
    return {"files": len(files), "pictures": len(test[1])}


def find(inputs: Inputs) -> dict[str, Path]:
    """The files to measure, by variant: those exported, or each where it was made."""
    if "export" in inputs:
        deployed = sorted((inputs["export"] / "tflite").glob("*.tflite"))
        return {path.stem: path for path in deployed}
    return {role: inputs[role] / "model.tflite" for role in inputs if role != "ingest"}


def ask(files: dict[str, Path], test: Images, validation: Images) -> dict[str, Answers]:
    """Run each file on both splits, whole."""
    answers = {}
    with bar() as shown:
        task = shown.add_task("measuring", total=len(files), note="")
        for name, path in files.items():
            shown.update(task, note=name)
            model = LiteRT(path)
            answers[name] = Answers(model.predict(test), model.predict(validation))
            shown.advance(task)
    return answers


def describe(name: str, path: Path) -> dict[str, Any]:
    """What a file says of itself."""
    facts = inspect(path)
    return {
        "name": name,
        "file": f"tflite/{path.name}",
        "sha256": facts.sha256,
        "bytes": facts.bytes,
        "gzip_bytes": facts.gzip_bytes,
        "params": facts.params,
        "nonzero_params": facts.nonzero_params,
        "macs": facts.macs,
        "arena_bytes": facts.arena_bytes,
        "ops": facts.ops,
    }


def compare(own: Answers, reference: Answers, test: Labels, validation: Labels) -> dict[str, Any]:
    """How right a file is on test, and how it differs from the reference on the same pictures."""
    right, reference_right = (statistics.right(a.test, test) for a in (own, reference))
    accuracy = float(right.mean())
    return {
        "accuracy": accuracy,
        "accuracy_ci95": statistics.wilson(int(right.sum()), len(right)),
        "validation_accuracy": statistics.accuracy(own.validation, validation),
        "drop_pp": statistics.drop_pp(accuracy, float(reference_right.mean())),
        "agreement": statistics.agreement(own.test, reference.test, several(test)),
        "mcnemar_p": statistics.mcnemar(right, reference_right),
    }


def against_control(own: Answers, control: Answers, test: Labels) -> dict[str, Any]:
    """How much more of the test pictures it reads than its control, and whether by luck."""
    right, control_right = (statistics.right(a.test, test) for a in (own, control))
    return {
        "gain_pp": 100 * float(right.mean() - control_right.mean()),
        "mcnemar_p": statistics.mcnemar(right, control_right),
    }


def timing(measured: Latency) -> dict[str, Any]:
    """Latency in microseconds, and as a share of the reference's in the same rounds."""
    return {
        "latency_us": {
            "p50": measured.p50,
            "p90": measured.p90,
            "p99": measured.p99,
            "threads": measured.threads,
            "runs": measured.runs,
        },
        "latency_ratio": measured.ratio,
    }
