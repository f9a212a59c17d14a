"""Report: the facts of a run, put together and rendered four ways."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.data.dataset import facts, training_split
from pipeline.fit.history import read_history
from pipeline.measure import gates
from pipeline.measure.audit import INTEGERS, claimed
from pipeline.measure.choice import recommend
from pipeline.measure.consultation import FILE as DOCTOR
from pipeline.measure.kernels import FILE as KERNELS
from pipeline.measure.machine import versions
from pipeline.measure.replicas import over
from pipeline.measure.weights import kernel_spreads
from pipeline.settings import AUDIT, LAYERS, LOGS, REFERENCE, Inputs, Metrics, nth
from pipeline.settings import Report as Settings
from pipeline.settings.gates import parse
from pipeline.show import album, doctor, figures, places
from pipeline.show.album import Plate
from pipeline.show.audit import Audit
from pipeline.show.differences import looked_at
from pipeline.show.doctor import Doctor
from pipeline.show.findings import notes
from pipeline.show.kernels import Kernel, kept
from pipeline.show.pruning import grouped
from pipeline.show.report import render
from pipeline.show.schema import Report
from pipeline.show.words import again

Facts = dict[str, Any]
WEIGHED, KERNELS_DRAWN = 4, 6  # files whose weights are drawn, and kernels of each
CACHE = ".cache"  # beside the published folder: what the engine keeps of each step
MEASURED = ("name", "status", "reason", "accuracy", "validation_accuracy", "drop_pp")  # a replica


def run(settings: Settings, inputs: Inputs, out: Path) -> Metrics:
    """Write `report.{html,md,json,csv}`, `model_card.md` and `figures/`."""
    audit = Audit.model_validate(_read(inputs["ingest"] / AUDIT))
    facts = gather(settings, inputs, audit)
    bare = Report.model_validate(facts)
    plates = album.in_order(
        [
            *drawn_before(inputs, bare),
            *album.plates(bare, weighed(inputs["export"])),
            *sheets(inputs["ingest"], audit),
        ]
    )
    report = Report.model_validate(facts | {"figures": [plate.picture for plate in plates]})
    (out / "figures").mkdir()
    for plate in plates:
        plate.leave(out / "figures")
    render(report, out / "figures", out)
    return {"recommended": report.recommended}


def drawn_before(inputs: Inputs, report: Report) -> Iterator[Plate]:
    """The figures that other stages drew, where there was something to draw."""
    for stage in ("augment", "build", "evaluate"):
        for path in (inputs[stage] / "figures").glob("*.png"):
            yield Plate(places.single(path.stem, report.dataset.multi_label), path)
    for number, names in enumerate(pupils(inputs), 1):
        path = inputs[f"build({names[0]})"] / "figures" / "network.png"
        yield Plate(places.taught(number, names), path)
    measured = [variant.name for variant in report.variants if variant.status == "ok"]
    for number, name in enumerate(looked_at(measured, report.recommended), 1):
        for kind in places.DIFFERENCES:
            path = inputs["benchmark"] / "figures" / f"{kind}-{name}.png"
            if path.is_file():
                yield Plate(places.numbered(kind, number, name), path)


def pupils(inputs: Inputs) -> list[list[str]]:
    """Parts of paths that teach a network of their own, those of one network together."""
    found: dict[str, list[str]] = {}
    for one in _left_by("distill", inputs, "distillation.json"):
        folder = inputs.get(f"build({one['name']})")
        if folder is not None:
            found.setdefault(_read(folder / "manifest.json")["key"], []).append(one["name"])
    return list(found.values())


def weighed(export: Path) -> dict[str, list[figures.Histogram]]:
    """The largest kernels of the first few files of integers, beside those of float32's.

    A file of another network has nothing to stand beside.
    """
    found: dict[str, list[figures.Histogram]] = {}
    for path in sorted((export / "tflite").glob("*.tflite"), key=lambda path: len(path.stem)):
        if claimed(path.name) in INTEGERS and len(found) < WEIGHED:
            spreads = kernel_spreads(path.with_stem(REFERENCE), path, KERNELS_DRAWN)
            found[path.stem] = [
                figures.Histogram(one.title, -one.limit, one.limit, one.before, one.after)
                for one in spreads
            ]
    return {name: spreads for name, spreads in found.items() if spreads}


def sheets(ingest: Path, audit: Audit) -> Iterator[Plate]:
    """Training pictures of some classes, which the audit, that counts over all splits, has not."""
    images, labels = training_split(ingest)
    names = [one.name for one in audit.classes]
    for number in figures.sheet_classes([one.train for one in audit.classes]):
        draw = partial(figures.contact_sheet, images, labels, names, number)
        yield Plate(places.sheet(number, names[number]), draw)


def gather(settings: Settings, inputs: Inputs, audit: Audit) -> Facts:
    """Put the facts together that the stages left: all that a report has but its figures."""
    manifests = {step: _read(folder / "manifest.json") for step, folder in inputs.items()}
    numbers = range(1, 1 + len(settings.replicas))
    several = facts(inputs["ingest"]).get("multi_label", False)
    replicas = [_replica(settings, inputs, manifests, number) for number in numbers]
    doctors = [Doctor.model_validate(one) for one in _left_by("quantize", inputs, DOCTOR)]
    return {
        **_this_run(settings, manifests),
        **_compared(settings, inputs, replicas, doctors, places.measured_as("accuracy", several)),
        **_learned(inputs, manifests),
        "dataset": _dataset(inputs["ingest"], manifests["ingest"]["digest"], audit),
        "model": _read(inputs["build"] / LAYERS) | {"name": settings.config["build"]["model"]},
        "notes": [
            *notes(audit, settings.config["train"]["class_weights"] == "balanced"),
            *doctor.notes(doctors),
        ],
        "replicas": replicas,
        "ensembles": _left_by("ensemble", inputs, "ensemble.json"),
        "pupils": _left_by("distill", inputs, "distillation.json"),
        "slimmings": _left_by("slim", inputs, "slim.json"),
        "sensitivities": grouped(_left_by("prune", inputs, "sensitivity.json")),
        "rounds": _left_by("prune", inputs, "rounds.json"),
        "aware": _left_by("qat", inputs, "aware.json"),
        "doctors": doctors,
    }


def _this_run(settings: Settings, manifests: Mapping[str, Facts]) -> Facts:
    """Which run it was, when, of which settings, and how long each stage took."""
    created = datetime.now(UTC)
    return {
        "schema": 1,
        "name": settings.config["name"],
        "id": f"{created:%Y%m%dT%H%M%S}-{_short_digest(manifests)}",
        "created": created.isoformat(timespec="seconds"),
        "seconds": sum(manifest["seconds"] for manifest in manifests.values()),
        "versions": versions(),
        "config": settings.config,
        "command": again(settings.config["name"])[1],
        "stages": [
            {"name": step, "key": manifest["key"], "seconds": manifest["seconds"]}
            for step, manifest in manifests.items()
        ],
    }


def _compared(
    settings: Settings,
    inputs: Inputs,
    replicas: list[Facts],
    doctors: list[Doctor],
    measure: str,
) -> Facts:
    """The variants, also those that have no file, where they were measured, and which to ship.

    `measure` is what accuracy is called.
    """
    measured = _read(inputs["benchmark"] / "benchmark.json")
    rows = {name: _row(settings, measured, name, 1) for name in settings.config["variants"]}
    for place, name in enumerate(rows):
        seeds = over([one["variants"][place] for one in replicas])
        rows[name] |= {"seeds": seeds} if seeds else {}
        if rows[name]["status"] == "ok":
            rows[name] |= {"kernels": _kernels(inputs, name)}
    in_float = {one.name: one.float_operations for one in doctors}
    asked = parse(settings.config.get("gates", {}))
    bounds = [gates.kept(*gate, rows.get(gate.variant)) for gate in asked]
    recommended, reason = recommend(measured["variants"], REFERENCE, settings.max_drop_pp, measure)
    return {
        "machine": measured["machine"],
        "variants": list(rows.values()),
        "recommended": recommended,
        "recommended_reason": reason,
        "gates": [*gates.genuine(rows.values(), in_float), *bounds],
    }


def _row(settings: Settings, measured: Facts, name: str, replica: int) -> Facts:
    """All that was measured of a variant in a replica, or why nothing was."""
    if problem := settings.problems.get(nth(name, replica)):
        return {"name": name, **problem}
    return _by_name(measured)[name] | {"status": "ok", "reason": None}


def _kernels(inputs: Inputs, name: str) -> tuple[Kernel, ...]:
    """What the file of a variant holds of each kernel; nothing, where none had what to keep."""
    for step, folder in inputs.items():
        if step.endswith(f"({name})") and (folder / KERNELS).is_file():
            found = tuple(Kernel.model_validate(row) for row in _read(folder / KERNELS))
            return found if kept(found) else ()
    return ()


def _replica(
    settings: Settings, inputs: Inputs, manifests: Mapping[str, Facts], number: int
) -> Facts:
    """What one of the replicas was and came to; all but the first may have failed at any step."""
    varied = settings.replicas[number - 1]
    split = _metrics(manifests, nth("ingest", number if varied["fold"] else 1))
    training = _metrics(manifests, nth("train", number))
    folder = inputs.get(nth("benchmark", number))
    measured = _read(folder / "benchmark.json") if folder else {"variants": []}
    rows = [_row(settings, measured, name, number) for name in settings.config["variants"]]
    return {
        "number": number,
        **varied,
        **{key: split.get(key) for key in ("train", "validation")},
        **{key: training.get(key) for key in ("epochs", "best_epoch")},
        "variants": [{key: row[key] for key in MEASURED if key in row} for row in rows],
    }


def _left_by(stage: str, inputs: Inputs, file: str) -> list[Facts]:
    """What steps of a transform left of themselves, each with its path; of the first replica.

    A step that had nothing to say left no such file.
    """
    paths = {step: step.removeprefix(f"{stage}(").removesuffix(")") for step in inputs}
    return [
        {"name": path, **_read(inputs[step] / file)}
        for step, path in paths.items()
        if step == f"{stage}({path})" and (inputs[step] / file).is_file()
    ]


def _metrics(manifests: Mapping[str, Facts], step: str) -> Facts:
    """What a step said of its work; nothing where it was not done."""
    found: Facts = manifests[step]["metrics"] if step in manifests else {}
    return found


def _learned(inputs: Inputs, manifests: Mapping[str, Facts]) -> Facts:
    """How the model was fitted, on which changes to pictures, and how well it reads."""
    training = manifests["train"]["metrics"]
    evaluation = _read(inputs["evaluate"] / "evaluation.json")
    return {
        "evaluation": {name: value for name, value in evaluation.items() if name != "correct"},
        "training": {
            "epochs": training["epochs"],
            "best_epoch": training["best_epoch"],
            "seconds": manifests["train"]["seconds"],
            "history": read_history(inputs["train"]),
            "logs": f"{CACHE}/train/{manifests['train']['key']}/{LOGS}",
        },
        "augmentation": _read(inputs["augment"] / "policy.json"),
    }


def _dataset(ingest: Path, digest: str, audit: Audit) -> Facts:
    known = facts(ingest)
    kept = ("name", "classes", "train", "validation", "test")
    aside = {"quarantined": len(audit.quarantined), "audit": audit}
    aside |= {"multi_label": known.get("multi_label", False)}
    return {**{key: known[key] for key in kept}, "digest": digest, **aside}


def _by_name(measured: Facts) -> dict[str, Facts]:
    return {row["name"]: row for row in measured["variants"]}


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _short_digest(manifests: Mapping[str, Facts]) -> str:
    keys = json.dumps([manifest["key"] for manifest in manifests.values()])
    return hashlib.sha256(keys.encode()).hexdigest()[:6]
