"""The stage report on folders as the other stages leave them."""

import json
import shutil

import numpy as np
import pytest
from huggingface_hub import ModelCard
from PIL import Image
from sklearn.datasets import load_digits

from pipeline.fit.history import write_history
from pipeline.settings import Report as Settings
from pipeline.show.audit import Audit
from pipeline.stages import report

CLASSES = ["<b>zero</b>", "one\ntwo", "$x_2$"]
COUNTS = [9, 14, 30]


def write(folder, name, content):
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


def measured(name, size, latency_ratio):
    return {
        "name": name, "file": f"tflite/{name}.tflite", "bytes": size, "gzip_bytes": size,
        "macs": 9, "accuracy": 0.9, "accuracy_ci95": [0.8, 0.95], "validation_accuracy": 0.9,
        "drop_pp": 0.0, "latency_ratio": latency_ratio,
        "ops": {"int8": 3, "float32": 0, "other": 0}, "gained": 0, "lost": 2,
        "calibration_error": 0.01, "top_k": None, "agreement": 0.9,
        "latency_us": {"p50": 9.0, "p90": 9.0, "p99": 9.0, "threads": 1, "runs": 5},
    }  # fmt: skip


def audit():
    classes = [
        {"name": name, "train": count, "validation": 2, "test": 3,
         "brightness_mean": 80.0, "brightness_sd": 9.0}
        for name, count in zip(CLASSES, COUNTS, strict=True)
    ]  # fmt: skip
    side = {"min": 8, "median": 8, "max": 8}
    return {
        "found": 70, "bad_fraction": 2 / 70, "imbalance": 2.5, "classes": classes,
        "quarantined": [{"where": "a/1.png", "reason": "is empty"}] * 2,
        "duplicates": {"groups": 0, "extra": 0, "across_splits": 0, "dropped": 0},
        "near_duplicates": {"pairs": 0, "across_splits": 0, "rms": 2.0, "complete": True},
        "sizes": {"width": side, "height": side, "distinct": 1,
                  "most": [{"width": 8, "height": 8, "count": 68}]},
        "brightness": {"mean": 80, "sd": 9, "min": 50, "max": 99, "histogram": [0, 68, 0, 0]},
    }  # fmt: skip


@pytest.fixture
def inputs(tmp_path):
    """What the stages before it leave, as far as the report reads it; no test split is there."""
    folders = {}
    for step in ("ingest", "augment", "build", "train", "evaluate", "export", "benchmark"):
        folders[step] = tmp_path / step
        (folders[step] / "figures").mkdir(parents=True)
        metrics = {"params": 90, "epochs": 2, "best_epoch": 2}
        manifest = {"key": step, "digest": f"digest of {step}", "seconds": 1.5, "metrics": metrics}
        write(folders[step], "manifest.json", manifest)
    data = load_digits()
    rows = np.concatenate([np.flatnonzero(data.target == k)[:n] for k, n in enumerate(COUNTS)])
    images = np.round(data.images[rows] * 255 / 16).astype(np.uint8)[..., None]
    np.save(folders["ingest"] / "train_images.npy", images)
    np.save(folders["ingest"] / "train_labels.npy", data.target[rows].astype(np.int64))
    splits = {"train": sum(COUNTS), "validation": 6, "test": 9, "quarantined": 2}
    known = {"name": "odd", "classes": CLASSES, "shape": [8, 8, 1], **splits}
    write(folders["ingest"], "dataset.json", known)
    write(folders["ingest"], "audit.json", audit())
    write(folders["augment"], "policy.json", [])
    layer = {"name": "images", "kind": "InputLayer", "inputs": [], "output": [8, 8, 1]}
    layers = [layer | {"params": 90, "trainable": 80, "macs": 7}]
    network = {"name": "net", "params": 90, "trainable": 80, "macs": 7, "int8_bytes": 110}
    network |= {"receptive_field": [22, 22], "uncounted": [], "layers": layers}
    write(folders["build"], "layers.json", network)
    score = {"precision": 0.9, "recall": 0.9, "f1": 0.9, "support": 3}
    per_class = [{"class": name, **score} for name in CLASSES]
    evaluation = {"split": "test", "correct": 8, "accuracy": 0.9, "accuracy_ci95": [0.8, 0.95]}
    write(folders["evaluate"], "evaluation.json", evaluation | {"per_class": per_class})
    write_history(folders["train"], {"loss": [2.0, 1.0], "val_loss": [2.0, 1.5]})
    rows = [measured("float32", 400, 1.0), measured("int8", 100, 0.5)]
    write(folders["benchmark"], "benchmark.json", {"machine": {"cpu": "x"}, "variants": rows})
    for stage, names in (
        ("augment", ["augmentation_preview"]),
        ("build", ["network"]),
        ("evaluate", ["training_curves", "confusion_matrix", "wrong_pictures", "least_sure",
                      "probability_bars"]),
        ("benchmark", ["reliability-int8", "changed_pictures-int8", "reliability-float32"]),
    ):  # fmt: skip
        for name in names:
            Image.new("RGB", (4, 4)).save(folders[stage] / "figures" / f"{name}.png")
    return folders


@pytest.fixture
def done(inputs, tmp_path):
    """The folder of the report, and what the stage said."""
    out = tmp_path / "report"
    out.mkdir()
    said = report.run(settings(), inputs, out)
    return out, said


def settings(replicas=(), variants=("float32", "int8", "prune+int8"), **problems):
    failed = {"prune+int8": {"status": "failed", "reason": "out of luck"}}
    return Settings(
        config={"name": "odd", "build": {"model": "small_cnn"}, "train": {"class_weights": "none"},
                "variants": list(variants)},
        problems=failed | problems,
        replicas=replicas,
    )  # fmt: skip


def test_the_report_holds_the_audit_and_says_what_no_one_should_miss(done):
    out, said = done
    written = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert Audit.model_validate(written["dataset"]["audit"]) == Audit.model_validate(audit())
    assert written["notes"] == ["2 pictures were set aside (2.86 % of those found)."]
    assert written["dataset"]["digest"] == "digest of ingest"
    assert said == {"recommended": "int8"}


def test_the_report_puts_together_what_the_stages_left(done):
    written = json.loads((done[0] / "report.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row["status"] for row in written["variants"]}
    assert rows == {"float32": "ok", "int8": "ok", "prune+int8": "failed"}
    model = written["model"]
    assert (model["name"], model["params"], model["trainable"]) == ("small_cnn", 90, 80)
    assert (model["macs"], model["receptive_field"], len(model["layers"])) == (7, [22, 22], 1)
    assert written["training"]["history"]["val_loss"] == [2.0, 1.5]
    assert "correct" not in written["evaluation"]
    assert written["seconds"] == 10.5
    assert written["stages"][0] == {"name": "ingest", "key": "ingest", "seconds": 1.5}
    assert written["command"] == "python run_pipeline.py run odd.yaml"
    assert written["training"]["logs"] == ".cache/train/train/logs"


def test_a_card_stands_beside_it_with_the_recipes_licence(inputs, tmp_path):
    said = settings()
    (tmp_path / "out").mkdir()
    config = said.config | {"report": {"license": "mit"}}
    report.run(said.model_copy(update={"config": config}), inputs, tmp_path / "out")
    card = ModelCard.load(tmp_path / "out" / "model_card.md")
    assert (card.data.license, card.data.model_name) == ("mit", "odd")
    assert r"&lt;b&gt;zero&lt;/b&gt;, one\\ntwo, \$x_2\$" in card.text


def test_every_figure_that_is_listed_is_drawn_and_no_other(done):
    out, _ = done
    written = json.loads((out / "report.json").read_text(encoding="utf-8"))
    listed = {figure["file"] for figure in written["figures"]}
    assert listed == {path.name for path in (out / "figures").iterdir()}
    assert {f"contact_sheet-00{number}.png" for number in range(3)} < listed
    assert {"class_balance.png", "data_spread.png"} < listed
    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(f'id="figure-{file}"' in page for file in listed)


def test_figures_of_the_files_that_are_looked_at_are_published_by_number(done, inputs, tmp_path):
    out, _ = done
    drawn = {"reliability-1.png", "changed_pictures-1.png"}
    kinds = ("reliability", "confusion_change", "changed_pictures")
    assert {path.name for kind in kinds for path in (out / "figures").glob(f"{kind}*")} == drawn
    written = json.loads((out / "report.json").read_text(encoding="utf-8"))
    titles = {one["file"]: one["title"] for one in written["figures"]}
    assert titles["reliability-1.png"] == "Reliability: int8"
    rows = [measured("float32", 400, 1.0), measured("int8", 390, 0.9), measured("qat", 100, 0.5)]
    write(inputs["benchmark"], "benchmark.json", {"machine": {"cpu": "x"}, "variants": rows})
    for name in ("reliability-qat", "confusion_change-qat"):
        Image.new("RGB", (4, 4)).save(inputs["benchmark"] / "figures" / f"{name}.png")
    (tmp_path / "again").mkdir()
    asked = settings(variants=("float32", "int8", "prune+int8", "qat"))
    assert report.run(asked, inputs, tmp_path / "again") == {"recommended": "qat"}
    found = (tmp_path / "again" / "figures").iterdir()
    assert {path.name for path in found if path.name.startswith(kinds)} == {
        *("reliability-1.png", "confusion_change-1.png"),
        *("reliability-2.png", "changed_pictures-2.png"),
    }


def test_what_evaluate_had_no_reason_to_draw_is_listed_only_where_it_did(inputs, tmp_path):
    here = inputs["evaluate"] / "figures" / "grad_cam.png"
    Image.new("RGB", (4, 4)).save(here)
    (tmp_path / "out").mkdir()
    report.run(settings(), inputs, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    listed = [figure["file"] for figure in written["figures"]]
    assert "grad_cam.png" in listed
    assert "feature_maps.png" not in listed


def pruned(folders, root, name, stage="prune", **files):
    """Leave what a pruning does, or another stage, at the end of the path `name`."""
    folder = folders[f"{stage}({name})"] = root / name
    folder.mkdir()
    write(folder, "manifest.json", {"key": "k", "digest": "d", "seconds": 1.5, "metrics": {}})
    for file, content in files.items():
        write(folder, f"{file}.json", content)


def test_a_scan_of_one_model_is_shown_once_and_rounds_by_name(inputs, tmp_path):
    curve = {"name": "conv", "weights": 9, "accuracy": [0.8, 0.5]}
    scan = {"pictures": 6, "pattern": "unstructured", "accuracy": 0.9, "levels": [0.5, 0.9]}
    scan |= {"layers": [curve]}
    one = {"wished": 0.5, "layers": {"conv": 0.5}, "sparsity": 0.5, "val_accuracy": 0.9}
    one |= {"drop_pp": 0.0, "within": True}
    spent = {"max_drop_pp": 0.3, "val_accuracy": 0.9, "rounds": [one]}
    pruned(inputs, tmp_path, "prune", sensitivity=scan)
    pruned(inputs, tmp_path, "prune.auto", sensitivity=scan, rounds=spent)
    pruned(inputs, tmp_path, "prune.blocks", sensitivity=scan | {"pattern": "4x1"})
    pruned(inputs, tmp_path, "distill+prune", sensitivity=scan)
    pruned(inputs, tmp_path, "prune.unseen")
    (tmp_path / "out").mkdir()
    report.run(settings(), inputs, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [found["names"] for found in written["sensitivities"]] == [
        ["prune", "prune.auto"],
        ["prune.blocks"],
        ["distill+prune"],
    ]
    assert [found["name"] for found in written["rounds"]] == ["prune.auto"]
    drawn = {path.name for path in (tmp_path / "out" / "figures").glob("sensitivity*")}
    assert drawn == {f"sensitivity-{number}.png" for number in (1, 2, 3)}
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert all(f'id="figure-{file}"' in page for file in drawn)


def test_what_was_slimmed_is_told_by_its_path_and_drawn(inputs, tmp_path):
    one = {"macs": 5, "params": 50, "shares": {"macs": 0.5}, "settled": 0.5, "tuned": 0.8}
    layer = {"name": "conv", "kind": "Conv2D", "channels": [16, 8], "macs": [9, 4]}
    layer |= {"params": [9, 4]}
    target = {"measure": "macs", "asked": 0.5, "reached": 0.5}
    facts = {"targets": [target], "importance": "taylor"}
    facts |= {"ranking": "global", "pictures": 6, "val_accuracy": 0.9, "macs": [10, 5]}
    facts |= {"params": [90, 50], "layers": [layer], "rounds": [one]}
    pruned(inputs, tmp_path, "slim", "slim", slim=facts)
    pruned(inputs, tmp_path, "distill+slim.thin", "slim", slim=facts)
    (tmp_path / "out").mkdir()
    report.run(settings(), inputs, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [found["name"] for found in written["slimmings"]] == ["slim", "distill+slim.thin"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for number in (1, 2):
        assert (tmp_path / "out" / "figures" / f"channels-{number}.png").is_file()
        assert f'id="figure-channels-{number}.png"' in page


def test_kernels_of_a_file_are_listed_where_the_model_had_what_to_keep(inputs, tmp_path):
    kernel = {"name": "conv", "weights": 90, "values": 80, "zeros": 0, "stored_zeros": 1}
    kernel |= {"clusters": 70}
    for name, zeros in (("float32", 0), ("int8", 60)):
        pruned(inputs, tmp_path, name, "quantize", kernels=[kernel | {"zeros": zeros}])
    (tmp_path / "out").mkdir()
    report.run(settings(), inputs, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    found = {row["name"]: row["kernels"] for row in written["variants"] if "kernels" in row}
    assert found == {"int8": [kernel | {"zeros": 60}]}


SPREAD = {"number": 0, "lowest": 0.0, "highest": 1.0, "float32": [3, 4], "stored": [5, 2]}
SICK = {
    "accuracy": 0.9, "max_drop_pp": 1.0, "max_float_share": 0.75, "kept": True, "pictures": 9,
    "trials": [
        {"in_float": 0, "float_share": 0, "accuracy": 0.2, "drop_pp": 70.0, "bytes": 10},
        {"in_float": 1, "float_share": 0.5, "accuracy": 0.9, "drop_pp": 0.0, "bytes": 12},
    ],
    "shipped": 1, "float_operations": [4],
    "operations": [
        {"number": 0, "code": "CONV_2D", "layer": "conv", "form": "float32", "macs": 7,
         "before_db": 1.0, "after_db": 90.0, "alone_db": 0.5, "weights_lost": 0.9,
         "rounding_db": 45.0, "cause": "weights"},
    ],
    "spreads": [SPREAD],
}  # fmt: skip


def test_what_the_doctor_left_in_float_is_drawn_told_and_no_failed_gate(inputs, tmp_path):
    pruned(inputs, tmp_path, "int8", "quantize", doctor=SICK)
    pruned(inputs, tmp_path, "prune+int8", "quantize", doctor=SICK | {"kept": False})
    rows = json.loads((inputs["benchmark"] / "benchmark.json").read_text())
    inside = {
        "form": "mixed", "claimed": "int8", "computing": 2, "scaled": 1, "per_channel": 1,
        "zeros": 0.1, "problems": ["said to be int8, and 1 of 2 operations are not"],
        "operations": [
            {"number": number, "code": "CONV_2D", "form": form, "given": [], "gives": []}
            for number, form in ((3, "int8"), (4, "float32"))
        ],
    }  # fmt: skip
    next(row for row in rows["variants"] if row["name"] == "int8")["audit"] = inside
    write(inputs["benchmark"], "benchmark.json", rows)
    (tmp_path / "out").mkdir()
    report.run(settings(), inputs, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [found["name"] for found in written["doctors"]] == ["int8", "prune+int8"]
    assert written["gates"] == [
        {"name": "int8.form", "asked": "is int8 but for 1 operation", "found": "mixed",
         "passed": True, "reason": None},
    ]  # fmt: skip
    assert any(note.startswith("int8 is not all integers: 1 op") for note in written["notes"])
    assert any(note.startswith("prune+int8 loses 0.00 points") for note in written["notes"])
    listed = {figure["file"] for figure in written["figures"]}
    assert {
        f"{stem}-{n}.png" for stem in ("error_by_depth", "activations") for n in (1, 2)
    } < listed
    assert listed == {path.name for path in (tmp_path / "out" / "figures").iterdir()}


def test_weights_are_drawn_of_files_of_integers_beside_float32(inputs, chain, tmp_path):
    shown = inputs["export"] / "tflite"
    shown.mkdir()
    for name in ("float32", "int8", "prune+int8"):
        shutil.copy(chain[name] / "model.tflite", shown / f"{name}.tflite")
    (tmp_path / "out").mkdir()
    report.run(settings(), inputs, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    titles = {one["file"]: one["title"] for one in written["figures"]}
    assert titles["weights-1.png"] == "Weights before and after: int8"
    assert titles["weights-2.png"] == "Weights before and after: prune+int8"
    assert set(titles) == {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    histograms = report.weighed(inputs["export"])
    zero = len(histograms["int8"][1].after) // 2
    pruned, plain = (histograms[name][1].after for name in ("prune+int8", "int8"))
    assert pruned[zero] > 0.7 * sum(pruned) > 2 * plain[zero]


def replica(folders, number, root, **accuracies):
    """Leave what a later replica does: training, and files measured but not timed."""
    for stage in ("train", "benchmark"):
        folder = folders[f"{stage}#{number}"] = root / f"{stage}#{number}"
        folder.mkdir()
        metrics = {"epochs": 2, "best_epoch": number}
        manifest = {"key": "k", "digest": "d", "seconds": 1.5, "metrics": metrics}
        write(folder, "manifest.json", manifest)
    rows = [
        {"name": name, "accuracy": share, "validation_accuracy": share - 0.1,
         "drop_pp": 100 * (accuracies["float32"] - share)}
        for name, share in accuracies.items()
    ]  # fmt: skip
    write(folder, "benchmark.json", {"variants": rows})


def test_seeds_are_put_together_and_one_that_failed_is_left_out(inputs, tmp_path):
    three = tuple({"seed": seed, "fold": None} for seed in (5, 6, 7))
    replica(inputs, 2, tmp_path, **{"float32": 0.8, "int8": 0.7, "prune+int8": 0.6})
    lost = {"status": "failed", "reason": "training diverged"}
    lost = {f"{name}#3": lost for name in ("float32", "int8", "prune+int8")}
    (tmp_path / "out").mkdir()
    report.run(settings(three, **lost), inputs, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in written["variants"]}
    seeds = rows["int8"]["seeds"]
    assert (seeds["n"], seeds["mean"]) == (2, pytest.approx(0.8))
    assert seeds["sd"] == pytest.approx(np.std([0.9, 0.7], ddof=1))
    assert seeds["drop_pp"]["mean"] == pytest.approx(5)
    assert rows["prune+int8"]["status"] == "failed", "its file, of the first seed, is missing"
    assert rows["prune+int8"]["seeds"]["n"] == 1
    assert rows["prune+int8"]["seeds"]["sd"] is None
    first, second, third = written["replicas"]
    assert [one["seed"] for one in written["replicas"]] == [5, 6, 7]
    assert (first["best_epoch"], second["best_epoch"], third["best_epoch"]) == (2, 2, None)
    assert second["variants"][1]["accuracy"] == 0.7
    assert {row["reason"] for row in third["variants"]} == {"training diverged"}
    assert (tmp_path / "out" / "figures" / "accuracy_by_run.png").is_file()
