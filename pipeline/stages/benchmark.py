"""Benchmark: run every deployed file with LiteRT on all test pictures, and time them in turns.

Of a replica of a run the files are not deployed: they are read where they were made, not timed.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.data.dataset import facts, test_split, validation_split
from pipeline.data.several import several
from pipeline.data.sources import Images, Labels
from pipeline.measure import statistics
from pipeline.measure.audit import audit, described
from pipeline.measure.calibration import calibration_error, reliability
from pipeline.measure.changes import changes, confusion_change
from pipeline.measure.choice import contenders
from pipeline.measure.controls import controls
from pipeline.measure.latency import Latency, time_files
from pipeline.measure.litert import LiteRT
from pipeline.measure.machine import machine, usable_cores
from pipeline.progress import bar
from pipeline.settings import REFERENCE, Benchmark, Inputs, Metrics
from pipeline.show import figures
from pipeline.show.reliability import Calibrated

CORES = 4  # threads that are tried where nothing is said: as many fast cores as a phone has
FEW_ROUNDS = 5  # of numbers of threads that are tried beside the one asked for
STARTS = 5  # of each file, of which the median is its cold start


@dataclass(frozen=True)
class Answers:
    """What one file says of the test and the validation pictures: probabilities `(N, classes)`."""

    test: np.ndarray
    validation: np.ndarray


def run(settings: Benchmark, inputs: Inputs, out: Path) -> Metrics:
    """Write `benchmark.json`: a row a variant, as in the report, and the machine; and `figures/`.

    There the files that may be recommended, and `int8`, are drawn beside the reference. Without
    rounds a row has a name and what `compare` gives, no machine is named and nothing is drawn.
    """
    test, validation = test_split(inputs["ingest"]), validation_split(inputs["ingest"])
    files = find(inputs)
    answers = ask(files, test[0], validation[0])
    compared = {
        name: compare(answers[name], answers[REFERENCE], test[1], validation[1]) for name in files
    }
    classes = facts(inputs["ingest"])["classes"]
    for name in set(files) - {REFERENCE}:
        compared[name]["classes"] = by_class(answers[name], answers[REFERENCE], test[1], classes)
    for name, others in controls(files).items():
        against = [against_control(answers[name], answers[one], test[1]) for one in others]
        named = zip(others, against, strict=True)
        compared[name]["controls"] = [{"name": one} | found for one, found in named]
    if settings.rounds:
        here = machine()
        timed = over_threads(settings, files, np.asarray(test[0][: settings.runs]))
        rows = [
            describe(name, path) | compared[name] | timing(timed, name, settings.threads)
            for name, path in files.items()
        ]
        found = {
            "variants": rows,
            "machine": here | {"amx": timed[settings.threads][REFERENCE].amx},
        }
        (out / "figures").mkdir()
        for name in {*contenders(rows, REFERENCE), *(set(files) & {"int8"})}:
            drawn = draw(name, answers, test, classes)
            for kind, figure in drawn.items():
                figures.save(figure, out / "figures" / f"{kind}-{name}.png")
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
    found = audit(path)
    facts = found.facts
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
        "audit": described(found, name),
    }


def compare(own: Answers, reference: Answers, test: Labels, validation: Labels) -> dict[str, Any]:
    """How right a file is on test, and how it differs from the reference on the same pictures."""
    right, reference_right = (statistics.right(a.test, test) for a in (own, reference))
    accuracy = float(right.mean())
    top = statistics.top_k(own.test, test)
    return {
        "accuracy": accuracy,
        "accuracy_ci95": statistics.wilson(int(right.sum()), len(right)),
        "validation_accuracy": statistics.accuracy(own.validation, validation),
        "drop_pp": statistics.drop_pp(accuracy, float(reference_right.mean())),
        "agreement": statistics.agreement(own.test, reference.test, several(test)),
        "mcnemar_p": statistics.mcnemar(right, reference_right),
        "gained": int(np.count_nonzero(right & ~reference_right)),
        "lost": int(np.count_nonzero(reference_right & ~right)),
        "calibration_error": calibration_error(reliability(own.test, test)),
        "top_k": None if top is None else {"k": statistics.TOP, "accuracy": top},
    }


def by_class(
    own: Answers, reference: Answers, test: Labels, classes: list[str]
) -> list[dict[str, Any]]:
    """What a file gains and loses of each class against the reference."""
    found = changes(own.test, reference.test, test)
    return [{"class": name} | asdict(one) for name, one in zip(classes, found, strict=True)]


def draw(
    name: str, answers: Mapping[str, Answers], test: tuple[Images, Labels], classes: list[str]
) -> dict[str, Figure]:
    """Figures of a file beside the reference, by kind; what would show nothing is left out."""
    images, labels = test
    sets = several(labels)
    own, reference = answers[name].test, answers[REFERENCE].test
    calibrated = []
    for one in dict.fromkeys([REFERENCE, name]):
        bins = reliability(answers[one].test, labels)
        calibrated.append(Calibrated(one, calibration_error(bins), [asdict(bin) for bin in bins]))
    drawn = {"reliability": figures.reliability(calibrated, sets)}
    if not sets and (difference := confusion_change(own, reference, labels)).any():
        drawn["confusion_change"] = figures.confusion_change(difference, classes, name)
    lost = figures.changed_pictures(images, labels, (reference, own), classes, name)
    return drawn | ({"changed_pictures": lost} if lost else {})


def against_control(own: Answers, control: Answers, test: Labels) -> dict[str, Any]:
    """How much more of the test pictures it reads than its control, and whether by luck."""
    right, control_right = (statistics.right(a.test, test) for a in (own, control))
    return {
        "gain_pp": 100 * float(right.mean() - control_right.mean()),
        "mcnemar_p": statistics.mcnemar(right, control_right),
    }


def over_threads(
    settings: Benchmark, files: Mapping[str, Path], images: np.ndarray
) -> dict[int, dict[str, Latency]]:
    """Time the files, by numbers of threads; those beside what is asked for in fewer rounds."""
    most = settings.most_threads or min(usable_cores(), CORES)
    wanted = sorted({*range(1, most + 1), settings.threads})
    found = {}
    with bar() as shown:
        task = shown.add_task("timing", total=len(wanted), note="")
        for threads in wanted:
            shown.update(task, note=f"{threads} thread{'s' if threads > 1 else ''}")
            found[threads] = time_files(
                files,
                images,
                reference=REFERENCE,
                rounds=settings.rounds if threads == settings.threads else FEW_ROUNDS,
                runs=settings.runs,
                warmup=settings.warmup,
                threads=threads,
                starts=STARTS if threads == settings.threads else 0,
            )
            shown.advance(task)
    return found


def timing(timed: Mapping[int, Mapping[str, Latency]], name: str, threads: int) -> dict[str, Any]:
    """Latency in microseconds, and as a share of the reference's in the same rounds."""
    measured = timed[threads][name]
    return {
        "latency_us": {
            "p50": measured.p50,
            "p90": measured.p90,
            "p99": measured.p99,
            "threads": measured.threads,
            "runs": measured.runs,
            "cold_start": measured.cold_start,
        },
        "latency_ratio": measured.ratio,
        "latency_ratio_range": measured.ratio_range,
        "latency_by_threads": [
            {"threads": count, "p50": found[name].p50} for count, found in timed.items()
        ],
    }
