"""Report: the facts of a run, put together and rendered four ways."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.data.dataset import facts, training_split
from pipeline.fit.history import read_history
from pipeline.measure.choice import recommend
from pipeline.measure.machine import versions
from pipeline.settings import AUDIT, LAYERS, REFERENCE, Inputs, Metrics
from pipeline.settings import Report as Settings
from pipeline.show import figures, places
from pipeline.show.audit import Audit
from pipeline.show.findings import notes
from pipeline.show.report import render
from pipeline.show.schema import Report

Facts = dict[str, Any]


def run(settings: Settings, inputs: Inputs, out: Path) -> Metrics:
    """Write `report.{html,md,json,csv}` and `figures/`."""
    audit = Audit.model_validate(_read(inputs["ingest"] / AUDIT))
    sheets = figures.sheet_classes([one.train for one in audit.classes])
    report = gather(settings, inputs, audit, sheets)
    (out / "figures").mkdir()
    for stage in ("augment", "build", "evaluate"):
        shutil.copytree(inputs[stage] / "figures", out / "figures", dirs_exist_ok=True)
    scatter = figures.size_accuracy_latency(report.variants, report.recommended)
    figures.save(scatter, out / "figures" / "size_accuracy_latency.png")
    draw_pictures(inputs["ingest"], audit, sheets, out / "figures")
    render(report, out / "figures", out)
    return {"recommended": report.recommended}


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
    measured = _read(inputs["benchmark"] / "benchmark.json")
    return Report.model_validate(
        {
            **_this_run(settings, manifests),
            **_compared(settings, measured),
            **_learned(inputs, manifests),
            "dataset": _dataset(inputs["ingest"], manifests["ingest"]["digest"], audit),
            "model": _read(inputs["build"] / LAYERS) | {"name": settings.config["build"]["model"]},
            "figures": [
                *places.listed(),
                *(places.sheet(number, audit.classes[number].name) for number in sheets),
            ],
            "notes": notes(audit, settings.config["train"]["class_weights"] == "balanced"),
        }
    )


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
        "stages": [
            {"name": step, "key": manifest["key"], "seconds": manifest["seconds"]}
            for step, manifest in manifests.items()
        ],
    }


def _compared(settings: Settings, measured: Facts) -> Facts:
    """The variants, also those that have no file, where they were measured, and which to ship."""
    rows = {
        name: row | {"status": "ok", "reason": None} for name, row in _by_name(measured).items()
    }
    problems = {name: {"name": name, **problem} for name, problem in settings.problems.items()}
    recommended, reason = recommend(measured["variants"], REFERENCE, settings.max_drop_pp)
    return {
        "machine": measured["machine"],
        "variants": [(rows | problems)[name] for name in settings.config["variants"]],
        "recommended": recommended,
        "recommended_reason": reason,
    }


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
        },
        "augmentation": _read(inputs["augment"] / "policy.json"),
    }


def _dataset(ingest: Path, digest: str, audit: Audit) -> Facts:
    known = facts(ingest)
    kept = ("name", "classes", "train", "validation", "test")
    aside = {"quarantined": len(audit.quarantined), "audit": audit}
    return {**{key: known[key] for key in kept}, "digest": digest, **aside}


def _by_name(measured: Facts) -> dict[str, Facts]:
    return {row["name"]: row for row in measured["variants"]}


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _short_digest(manifests: Mapping[str, Facts]) -> str:
    keys = json.dumps([manifest["key"] for manifest in manifests.values()])
    return hashlib.sha256(keys.encode()).hexdigest()[:6]
