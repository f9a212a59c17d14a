"""Report: the facts of a run, put together and rendered four ways."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
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
from pipeline.show import doctor, figures, places
from pipeline.show.audit import Audit
from pipeline.show.differences import looked_at
from pipeline.show.doctor import Doctor
from pipeline.show.findings import notes
from pipeline.show.kernels import Kernel, kept
from pipeline.show.pruning import grouped
from pipeline.show.report import render
from pipeline.show.schema import Picture, Report
from pipeline.show.words import again

Facts = dict[str, Any]
WEIGHED, KERNELS_DRAWN = 4, 6  # files whose weights are drawn, and kernels of each
CACHE = ".cache"  # beside the published folder: what the engine keeps of each step
MEASURED = ("name", "status", "reason", "accuracy", "validation_accuracy", "drop_pp")  # a replica


def run(settings: Settings, inputs: Inputs, out: Path) -> Metrics:
    """Write `report.{html,md,json,csv}`, `model_card.md` and `figures/`."""
    audit = Audit.model_validate(_read(inputs["ingest"] / AUDIT))
    sheets = figures.sheet_classes([one.train for one in audit.classes])
    report = gather(settings, inputs, audit, sheets)
    (out / "figures").mkdir()
    for stage in ("augment", "build", "evaluate"):
        shutil.copytree(inputs[stage] / "figures", out / "figures", dirs_exist_ok=True)
    measure = places.measured_as("accuracy", report.dataset.multi_label)
    scatter = figures.size_accuracy_latency(report.variants, report.recommended, measure)
    figures.save(scatter, out / "figures" / "size_accuracy_latency.png")
    if report.replicas:
        drawn = figures.accuracy_by_run(report.variants, report.replicas, measure)
        figures.save(drawn, out / "figures" / "accuracy_by_run.png")
    measured = [variant.name for variant in report.variants if variant.status == "ok"]
    for picture, path in different(inputs, measured, report.recommended):
        shutil.copy(path, out / "figures" / picture.file)
    for number, names in enumerate(pupils(inputs), 1):
        drawn_there = inputs[f"build({names[0]})"] / "figures" / "network.png"
        shutil.copy(drawn_there, out / "figures" / f"pupil-{number}.png")
    for number, scan in enumerate(report.sensitivities, 1):
        drawn = figures.sensitivity(scan, measure)
        figures.save(drawn, out / "figures" / f"sensitivity-{number}.png")
    for number, slimming in enumerate(report.slimmings, 1):
        drawn = figures.channels(slimming, measure)
        figures.save(drawn, out / "figures" / f"channels-{number}.png")
    draw_doctors(report.doctors, out / "figures")
    for number, (name, spreads) in enumerate(weighed(inputs["export"]).items(), 1):
        figures.save(figures.weights(name, spreads), out / "figures" / f"weights-{number}.png")
    draw_pictures(inputs["ingest"], audit, sheets, out / "figures")
    render(report, out / "figures", out)
    return {"recommended": report.recommended}


def pupils(inputs: Inputs) -> list[list[str]]:
    """Parts of paths that teach a network of their own, those of one network together."""
    found: dict[str, list[str]] = {}
    for one in _left_by("distill", inputs, "distillation.json"):
        folder = inputs.get(f"build({one['name']})")
        if folder is not None:
            found.setdefault(_read(folder / "manifest.json")["key"], []).append(one["name"])
    return list(found.values())


def draw_doctors(found: Sequence[Doctor], out: Path) -> None:
    """Draw the error by depth and the worst activations of the int8 files that have figures."""
    for number, one in enumerate(doctor.drawn(found), 1):
        figures.save(figures.error_by_depth(one), out / f"error_by_depth-{number}.png")
        figures.save(figures.activations(one), out / f"activations-{number}.png")


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


def different(
    inputs: Inputs, names: list[str], recommended: str | None
) -> list[tuple[Picture, Path]]:
    """Figures that benchmark drew of those of the variants that are looked at, and where.

    Where a file does not differ from float32, there is nothing of that kind.
    """
    folder = inputs["benchmark"] / "figures"
    found = [
        (places.numbered(kind, number, name), folder / f"{kind}-{name}.png")
        for number, name in enumerate(looked_at(names, recommended), 1)
        for kind in places.DIFFERENCES
    ]
    return [(picture, path) for picture, path in found if path.is_file()]


def draw_pictures(ingest: Path, audit: Audit, sheets: list[int], out: Path) -> None:
    """Draw what the pictures are like, and a sheet of training pictures of each class in `sheets`.

    The audit counts over all splits; pictures themselves are shown from the train split alone.
    """
    figures.save(figures.class_balance(audit.classes), out / "class_balance.png")
    spread = figures.data_spread(audit.sizes, audit.brightness)
    figures.save(spread, out / "data_spread.png")
    images, labels = training_split(ingest)
    names = [one.name for one in audit.classes]
    for number in sheets:
        sheet = figures.contact_sheet(images, labels, names, number)
        figures.save(sheet, out / places.sheet(number, names[number]).file)


def gather(settings: Settings, inputs: Inputs, audit: Audit, sheets: list[int]) -> Report:
    """Put the facts together that the stages left; `sheets` numbers the classes with a sheet."""
    manifests = {step: _read(folder / "manifest.json") for step, folder in inputs.items()}
    numbers = range(1, 1 + len(settings.replicas))
    several = facts(inputs["ingest"]).get("multi_label", False)
    replicas = [_replica(settings, inputs, manifests, number) for number in numbers]
    scans = grouped(_left_by("prune", inputs, "sensitivity.json"))
    slimmings = _left_by("slim", inputs, "slim.json")
    doctors = [Doctor.model_validate(one) for one in _left_by("quantize", inputs, DOCTOR)]
    measure = places.measured_as("accuracy", several)
    compared = _compared(settings, inputs, replicas, measure)
    measured = [row["name"] for row in compared["variants"] if row["status"] == "ok"]
    return Report.model_validate(
        {
            **_this_run(settings, manifests),
            **compared,
            **_learned(inputs, manifests),
            "dataset": _dataset(inputs["ingest"], manifests["ingest"]["digest"], audit),
            "model": _read(inputs["build"] / LAYERS) | {"name": settings.config["build"]["model"]},
            "figures": [
                *places.listed(bool(replicas), several, _undrawn(inputs["evaluate"])),
                *(one for one, _ in different(inputs, measured, compared["recommended"])),
                *(places.taught(n, names) for n, names in enumerate(pupils(inputs), 1)),
                *(places.slimmed(n, one["name"], several) for n, one in enumerate(slimmings, 1)),
                *(places.scan(n, one["names"], several) for n, one in enumerate(scans, 1)),
                *(
                    places.numbered(stem, n, one.name)
                    for n, one in enumerate(doctor.drawn(doctors), 1)
                    for stem in ("error_by_depth", "activations")
                ),
                *(
                    places.numbered("weights", n, name)
                    for n, name in enumerate(weighed(inputs["export"]), 1)
                ),
                *(places.sheet(number, audit.classes[number].name) for number in sheets),
            ],
            "notes": [
                *notes(audit, settings.config["train"]["class_weights"] == "balanced"),
                *doctor.notes(doctors),
            ],
            "replicas": replicas,
            "ensembles": _left_by("ensemble", inputs, "ensemble.json"),
            "pupils": _left_by("distill", inputs, "distillation.json"),
            "slimmings": slimmings,
            "sensitivities": scans,
            "rounds": _left_by("prune", inputs, "rounds.json"),
            "aware": _left_by("qat", inputs, "aware.json"),
            "doctors": doctors,
        }
    )


def _undrawn(evaluate: Path) -> set[str]:
    """Figures for which there was nothing to draw."""
    return {name for name in places.NOT_ALWAYS if not (evaluate / f"figures/{name}.png").is_file()}


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


def _compared(settings: Settings, inputs: Inputs, replicas: list[Facts], measure: str) -> Facts:
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
    in_float = {
        one["name"]: one["float_operations"] for one in _left_by("quantize", inputs, DOCTOR)
    }
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
