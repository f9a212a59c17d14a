"""A small report with everything in it, and real digits with a quick model's opinion of them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

from pipeline.show import figures
from pipeline.show.schema import Report

HOSTILE = ("<script>alert(1)</script>", "=1+1", "a|b\nc", "$x_1$", "猫", '"><img src=x onerror=x>')


class Digits(NamedTuple):
    images: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    classes: list[str]


@pytest.fixture(scope="session")
def digits() -> Digits:
    """300 pictures uint8 (N, 8, 8, 1), and probabilities that are wrong now and then."""
    data = load_digits()
    model = GaussianNB(var_smoothing=0.05).fit(data.data[:800], data.target[:800])
    images = np.round(data.images[800:1100] * 255 / 16).astype(np.uint8)[..., None]
    probabilities = model.predict_proba(data.data[800:1100])
    return Digits(images, data.target[800:1100], probabilities, [str(i) for i in range(10)])


def variant(name: str, size: int, accuracy: float, latency: float, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "status": "ok",
        "file": f"tflite/{name}.tflite",
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "bytes": size,
        "gzip_bytes": size - 1234,
        "params": 94_634,
        "nonzero_params": 94_000,
        "accuracy": accuracy,
        "accuracy_ci95": [accuracy - 0.017, accuracy + 0.0081],
        "validation_accuracy": 0.99444444444,
        "drop_pp": (356 / 360 - accuracy) * 100,
        "agreement": 359 / 360,
        "mcnemar_p": 0.625,
        "latency_us": {
            "p50": latency,
            "p90": latency * 1.1,
            "p99": latency * 1.3,
            "threads": 1,
            "runs": 200,
        },
        "latency_ratio": latency / 30.123,
        "ops": {"int8": 9, "float32": 1, "other": 0},
        **more,
    }


@pytest.fixture
def facts() -> dict[str, Any]:
    """The content of a report.json."""
    classes = [str(i) for i in range(10)]
    score = {"precision": 0.97, "recall": 0.98, "f1": 0.975, "support": 36}
    return {
        "schema": 1,
        "name": "digits",
        "id": "20261103-ab12",
        "created": "2026-11-03T10:15:00Z",
        "seconds": 74.25,
        "machine": {"cpu": "some x86", "memory_bytes": 8_000_000_000},
        "versions": {"keras": "3.15.1"},
        "config": {"name": "digits", "train": {"epochs": 2}, "benchmark": {"warmup": 50}},
        "dataset": {
            "name": "digits",
            "classes": classes,
            "train": 1257,
            "validation": 180,
            "test": 360,
            "digest": "d1",
            "quarantined": 3,
        },
        "model": {"name": "small_cnn", "params": 94_634, "macs": None},
        "variants": [
            variant("float32", 115_004, 356 / 360, 30.123, drop_pp=0.0, latency_ratio=1.0),
            variant("int8", 36_104, 355 / 360, 12.345),
            variant("prune+int8", 36_101, 357 / 360, 12.5),
            {"name": "qat", "status": "failed", "reason": "out of luck"},
        ],
        "recommended": "int8",
        "recommended_reason": "Smallest within budget.",
        "gates": [],
        "stages": [{"name": "train", "key": "k" * 64, "seconds": 41.2}],
        "evaluation": {
            "split": "test",
            "accuracy": 356 / 360,
            "accuracy_ci95": [0.9717, 0.9957],
            "loss": 0.04,
            "per_class": [{"class": name, **score} for name in classes],
        },
        "training": {
            "epochs": 2,
            "best_epoch": 2,
            "seconds": 4.0,
            "history": {"loss": [1.0, 0.5], "val_loss": [1.1, 0.6]},
        },
        "augmentation": [{"RandomTranslation": {"height_factor": 0.1}}],
        "figures": [{"file": "training_curves.png", "title": "Curves", "alt": "Loss falls."}],
        "notes": ["Three pictures were set aside."],
    }


@pytest.fixture
def make(facts: dict[str, Any]) -> Callable[..., Report]:
    """A report, with some of its facts replaced."""
    return lambda **changes: Report.model_validate({**facts, **changes})


@pytest.fixture
def report(make: Callable[..., Report]) -> Report:
    return make()


@pytest.fixture
def hostile(facts: dict[str, Any]) -> Report:
    """A report whose every name tries something."""
    score = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    attack = "".join(HOSTILE)
    facts["dataset"] |= {"name": attack, "classes": list(HOSTILE)}
    facts["evaluation"]["per_class"] = [{"class": name, **score} for name in HOSTILE]
    facts["variants"][2]["name"] = "@SUM(A1)"
    facts["variants"][3] |= {"name": "<script>alert(2)</script>", "reason": "=cmd|' /C calc'!A0"}
    facts["notes"] = ["</style><script>alert(3)</script>", "[x](javascript:alert(1))"]
    facts["config"] = {"name": attack, "fence": "```\n````"}
    facts["machine"] = {attack: attack}
    facts["figures"][0]["alt"] = attack
    return Report.model_validate(facts)


@pytest.fixture
def figures_dir(tmp_path: Path) -> Path:
    """A folder with the one figure that the report names."""
    folder = tmp_path / "figures"
    folder.mkdir()
    curves = figures.training_curves({"loss": [1.0, 0.5], "val_loss": [1.1, 0.6]})
    figures.save(curves, folder / "training_curves.png")
    return folder
