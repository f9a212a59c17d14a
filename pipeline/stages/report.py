"""Report: the facts of a run, put together and rendered four ways."""

import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.data.dataset import facts
from pipeline.fit.history import read_history
from pipeline.measure.choice import recommend
from pipeline.measure.machine import versions
from pipeline.settings import REFERENCE, Inputs, Metrics
from pipeline.settings import Report as Settings
from pipeline.show import figures
from pipeline.show.report import render
from pipeline.show.schema import Report

FIGURES = {
    "size_accuracy_latency": (
        "Size, accuracy, latency",
        "Each variant by file size and test accuracy with its 95 % interval; the larger the disc "
        "the slower.",
    ),
    "training_curves": ("Training", "Loss and accuracy of training and validation by epoch."),
    "confusion_matrix": ("Confusion", "How often each true class was called each class."),
    "wrong_pictures": ("Wrong", "Test pictures the network got wrong, the surest first."),
    "least_sure": (
        "Right, but least sure",
        "Test pictures it got right with the least confidence.",
    ),
    "probability_bars": ("Probabilities", "A few test pictures and the five likeliest classes."),
    "augmentation_preview": (
        "Augmentation",
        "Training pictures, and what random changes make of them.",
    ),
}


def run(settings: Settings, inputs: Inputs, out: Path) -> Metrics:
    """Write `report.{html,md,json,csv}` and `figures/`."""
    report = gather(settings, inputs)
    (out / "figures").mkdir()
    for stage in ("augment", "evaluate"):
        shutil.copytree(inputs[stage] / "figures", out / "figures", dirs_exist_ok=True)
    scatter = figures.size_accuracy_latency(report.variants, report.recommended)
    figures.save(scatter, out / "figures" / "size_accuracy_latency.png")
    render(report, out / "figures", out)
    return {"recommended": report.recommended}


def gather(settings: Settings, inputs: Inputs) -> Report:
    """Put the facts together that the stages left."""
    manifests = {step: _read(folder / "manifest.json") for step, folder in inputs.items()}
    measured = _read(inputs["benchmark"] / "benchmark.json")
    rows = {row["name"]: row | {"status": "ok", "reason": None} for row in measured["variants"]}
    recommended, reason = recommend(measured["variants"], REFERENCE, settings.max_drop_pp)
    created = datetime.now(UTC)
    known = facts(inputs["ingest"])
    training = manifests["train"]["metrics"]
    problems = {name: {"name": name, **problem} for name, problem in settings.problems.items()}
    return Report.model_validate(
        {
            "schema": 1,
            "name": settings.config["name"],
            "id": f"{created:%Y%m%dT%H%M%S}-{_short_digest(manifests)}",
            "created": created.isoformat(timespec="seconds"),
            "seconds": sum(manifest["seconds"] for manifest in manifests.values()),
            "machine": measured["machine"],
            "versions": versions(),
            "config": settings.config,
            "dataset": {
                **{key: known[key] for key in ("name", "classes", "train", "validation", "test")},
                "digest": manifests["ingest"]["digest"],
                "quarantined": known["quarantined"],
            },
            "model": {
                "name": settings.config["build"]["model"],
                "params": manifests["build"]["metrics"]["params"],
                "macs": rows[REFERENCE]["macs"],
            },
            "variants": [(rows | problems)[name] for name in settings.config["variants"]],
            "recommended": recommended,
            "recommended_reason": reason,
            "gates": [],
            "stages": [
                {"name": step, "key": manifest["key"], "seconds": manifest["seconds"]}
                for step, manifest in manifests.items()
            ],
            "evaluation": _without(_read(inputs["evaluate"] / "evaluation.json"), "correct"),
            "training": {
                "epochs": training["epochs"],
                "best_epoch": training["best_epoch"],
                "seconds": manifests["train"]["seconds"],
                "history": read_history(inputs["train"]),
            },
            "augmentation": _read(inputs["augment"] / "policy.json"),
            "figures": [
                {"file": f"{name}.png", "title": title, "alt": alt}
                for name, (title, alt) in FIGURES.items()
            ],
        }
    )


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _without(facts: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name != key}


def _short_digest(manifests: dict[str, Any]) -> str:
    keys = json.dumps([manifest["key"] for manifest in manifests.values()])
    return hashlib.sha256(keys.encode()).hexdigest()[:6]
