"""A small report with everything in it, and real digits with a quick model's opinion of them."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

from pipeline.measure.replicas import over
from pipeline.show import figures
from pipeline.show.schema import Report

HOSTILE = (
    "<script>alert(1)</script>",
    "=1+1",
    "a|b\nc",
    "$x_1$",
    "猫",
    '"><img src=x onerror=x>',
    "`tick`",
    "\u202egnp.exe",
    "عربي",
)

INT8 = [0, 0, 2, 0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 2, 0]  # lost, gained, by class
PRUNED = [0] * 10, [0, 0, 0, 2, 0, 0, 0, 0, 0, 0]


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
        "gained": 2,
        "lost": 3,
        "calibration_error": 0.0123456,
        "top_k": {"k": 5, "accuracy": 0.99876543},
        "latency_us": {
            "p50": latency,
            "p90": latency * 1.1,
            "p99": latency * 1.3,
            "threads": 1,
            "runs": 200,
            "cold_start": latency * 70,
        },
        "latency_ratio": latency / 30.123,
        "latency_ratio_range": [latency / 30.123 * 0.97, latency / 30.123 * 1.04],
        "latency_by_threads": [
            {"threads": 1, "p50": latency},
            {"threads": 2, "p50": latency * 0.6},
        ],
        "ops": {"int8": 9, "float32": 1, "other": 0},
        "audit": inside(),
        **more,
    }


def changes(names: Sequence[str], lost: Sequence[int], gained: Sequence[int]) -> list[Any]:
    """What a file loses and gains of each class, of 36 pictures each."""
    return [
        {"class": name, "pictures": 36, "gained": more, "lost": less}
        | {"drop_pp": 100 * (less - more) / 36}
        for name, less, more in zip(names, lost, gained, strict=True)
    ]


def inside(**more: Any) -> dict[str, Any]:
    """What a file computes in, of two operations and a conversion."""
    port = {
        "name": "images",
        "dtype": "uint8",
        "shape": [1, 8, 8, 1],
        "scale": 1.0,
        "zero_point": 0,
    }
    odd = {
        "name": "out",
        "dtype": "int8",
        "shape": [1, 10],
        "scale": 0.00390625,
        "zero_point": -128,
    }
    conv = {"code": "CONV_2D", "form": "int8", "given": ["int8"], "gives": ["int8"]}
    return {
        "form": "int8",
        "claimed": "int8",
        "computing": 2,
        "xnnpack": 1,
        "scaled": 1,
        "per_channel": 1,
        "zeros": 0.123456,
        "inputs": [port],
        "outputs": [odd],
        "metadata": {"min_runtime_version": 16},
        "operations": [
            {
                "number": 0,
                "code": "QUANTIZE",
                "form": "conversion",
                "given": ["uint8"],
                "gives": [],
            },
            {"number": 1, **conv, "weights": "int8", "scales": 24, "xnnpack": True},
            {"number": 2, **conv, "code": "SOFTMAX", "xnnpack": False},
        ],
        **more,
    }


@pytest.fixture
def clean() -> dict[str, Any]:
    """The audit of a set with which nothing is wrong: ten classes of about 180 digits."""
    classes = [
        {
            "name": str(number),
            "train": 126,
            "validation": 18,
            "test": 36,
            "brightness_mean": 70.0 + number,
            "brightness_sd": 9.5,
        }
        for number in range(10)
    ]
    return {
        "found": 1800,
        "bad_fraction": 0.0,
        "imbalance": 1.0,
        "classes": classes,
        "duplicates": {"groups": 0, "extra": 0, "across_splits": 0, "dropped": 0},
        "near_duplicates": {"pairs": 0, "across_splits": 0, "rms": 2.0, "complete": True},
        "sizes": {
            "width": {"min": 8, "median": 8, "max": 8},
            "height": {"min": 8, "median": 8, "max": 8},
            "distinct": 1,
            "most": [{"width": 8, "height": 8, "count": 1800}],
        },
        "brightness": {
            "mean": 78.2,
            "sd": 9.1,
            "min": 51.0,
            "max": 114.0,
            "histogram": [0, 0, 0, 900, 880, 20, 0, 0],
        },
    }


@pytest.fixture
def troubled(clean: dict[str, Any]) -> dict[str, Any]:
    """The audit of a set with which everything is wrong that can be."""
    small = clean["classes"][9] | {"train": 8, "validation": 1, "test": 2}
    return clean | {
        "classes": [*clean["classes"][:9], small],
        "found": 1641,
        "bad_fraction": 3 / 1641,
        "imbalance": 180 / 11,
        "quarantined": [
            {"where": "4/IMG_0001.jpg", "reason": "the file ends before the picture does"},
            {"where": "4/IMG_0002.jpg", "reason": "is empty"},
            {"where": "9/IMG_0003.jpg", "reason": "is no picture"},
        ],
        "passed_over": [{"where": "Thumbs.db", "reason": "no picture by its name"}],
        "noted": [{"where": "2/a.png", "reason": "is called .png and is a JPEG"}],
        "moved": ["9"],
        "duplicates": {
            "groups": 3,
            "extra": 4,
            "across_splits": 1,
            "dropped": 2,
            "examples": [["3/a.png", "3/b.png"]],
        },
        "near_duplicates": {
            "pairs": 5,
            "across_splits": 2,
            "rms": 2.0,
            "complete": False,
            "examples": [["5/a.png", "5/b.png"]],
        },
        "conflicts": [{"where": ["1/c.png", "7/d.png"], "labels": ["1", "7"]}],
        "sizes": {
            "width": {"min": 100, "median": 640, "max": 4000},
            "height": {"min": 80, "median": 480, "max": 3000},
            "distinct": 90,
            "most": [
                {"width": 640, "height": 480, "count": 900},
                {"width": 480, "height": 640, "count": 500},
                {"width": 4000, "height": 3000, "count": 9},
            ],
        },
    }


def attacked_by(names: Sequence[str], audit: dict[str, Any]) -> dict[str, Any]:
    """The audit with `names` for files, reasons, classes and labels."""
    remarks = [{"where": f"{name}/x.png", "reason": name} for name in names]
    classes = [audit["classes"][0] | {"name": name} for name in names]
    return audit | {
        "classes": classes,
        **dict.fromkeys(("quarantined", "passed_over", "noted"), remarks),
        "moved": names,
        "duplicates": audit["duplicates"] | {"examples": [names]},
        "near_duplicates": audit["near_duplicates"] | {"examples": [names[:2]]},
        "conflicts": [{"where": names, "labels": names}],
    }


@pytest.fixture
def facts(troubled: dict[str, Any]) -> dict[str, Any]:
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
            "audit": troubled,
        },
        "model": {"name": "small_cnn", "params": 94_634, "macs": None},
        "variants": [
            variant("float32", 115_004, 356 / 360, 30.123, drop_pp=0.0, latency_ratio=1.0),
            variant("int8", 36_104, 355 / 360, 12.345, classes=changes(classes, *INT8)),
            variant("prune+int8", 36_101, 357 / 360, 12.5, classes=changes(classes, *PRUNED)),
            {"name": "qat", "status": "failed", "reason": "out of luck"},
        ],
        "recommended": "int8",
        "recommended_reason": "Smallest within budget.",
        "gates": [
            {"name": "int8.form", "asked": "is int8", "found": "int8", "passed": True},
            {"name": "int8.bytes", "asked": "<= 30,000", "found": 36104.0, "passed": False},
            {"name": "qat.bytes", "asked": "<= 1", "passed": False, "reason": "it failed"},
        ],
        "stages": [{"name": "train", "key": "k" * 64, "seconds": 41.2}],
        "evaluation": {
            "split": "test",
            "accuracy": 356 / 360,
            "accuracy_ci95": [0.9717, 0.9957],
            "loss": 0.04,
            "calibration_error": 0.0234567,
            "top_k": {"k": 5, "accuracy": 0.987654},
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


def again(facts: dict[str, Any], folds: bool = False) -> dict[str, Any]:
    """The same report over three seeds from 4 on, or three folds: int8 failed in the second."""
    accuracies = {"float32": (356, 352, 357), "int8": (355, None, 354), "prune+int8": (357,) * 3}
    replicas = []
    for number in range(3):
        rows: list[dict[str, Any]] = []
        for name, right in accuracies.items():
            if right[number] is None:
                rows.append({"name": name, "status": "failed", "reason": "no | luck"})
                continue
            share, reference = right[number] / 360, accuracies["float32"][number] / 360
            shares = dict.fromkeys(("accuracy", "validation_accuracy"), share)
            drop = {"drop_pp": 100 * (reference - share)}
            rows.append({"name": name, "status": "ok"} | shares | drop)
        rows.append({"name": "qat", "status": "failed", "reason": "out of luck"})
        varied = {"seed": 4, "fold": number + 1} if folds else {"seed": 4 + number}
        replicas.append(
            {"number": number + 1, "train": 1257, "validation": 180, "epochs": 2, "best_epoch": 2}
            | varied
            | {"variants": rows}
        )
    for place, row in enumerate(facts["variants"][:3]):
        own = [one["variants"][place] for one in replicas]
        row["seeds"] = over([{"reason": None} | one for one in own])
    return facts | {"replicas": replicas}


@pytest.fixture
def seeds(facts: dict[str, Any]) -> Report:
    return Report.model_validate(again(facts))


@pytest.fixture
def folds(facts: dict[str, Any]) -> Report:
    return Report.model_validate(again(facts, folds=True))


@pytest.fixture
def hostile(facts: dict[str, Any]) -> Report:
    """A report whose every name tries something."""
    score = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    attack = "".join(HOSTILE)
    audit = attacked_by(HOSTILE, facts["dataset"]["audit"])
    facts["dataset"] |= {"name": attack, "classes": list(HOSTILE), "audit": audit}
    facts["evaluation"]["per_class"] = [{"class": name, **score} for name in HOSTILE]
    for row in facts["variants"][1:3]:
        row["classes"] = changes(HOSTILE, [1] * len(HOSTILE), [0] * len(HOSTILE))
    facts["variants"][2]["name"] = "@SUM(A1)"
    facts["variants"][3] |= {"name": "<script>alert(2)</script>", "reason": "=cmd|' /C calc'!A0"}
    facts["variants"][1]["audit"] = inside(problems=list(HOSTILE))
    for number, name in enumerate(HOSTILE):
        operation = {"number": number, "code": name, "form": "other", "given": [], "gives": []}
        facts["variants"][1]["audit"]["operations"].append(operation)
    facts["gates"] = [
        {"name": f"{attack}.bytes", "asked": "<= 1", "passed": False, "reason": attack}
    ]
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
