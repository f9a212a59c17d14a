"""The stages on pages of digits, which show none of the classes, one or several."""

import json

import numpy as np
import pytest

from pipeline.data import dataset
from pipeline.fit.files import load_model
from pipeline.measure.litert import LiteRT
from pipeline.stages import augment, benchmark, build, evaluate, export, ingest, prune, quantize
from pipeline.stages import train as train_stage
from pipeline.stages.benchmark import Answers, compare

PAGES = {
    "ingest": {"dataset": "digit_pages", "classes": ["1", "3", "5", "7", "9"], "validation": 0.2,
               "limit": None},
    "augment": {"policy": [{"cutmix": {"alpha": 1.0, "probability": 0.3}}]},
    "train": {"epochs": 20, "label_smoothing": 0.05},
    "prune": {"sparsity": 0.5},
    "variants": ["float32", "int8", "prune+int8"],
}  # fmt: skip


@pytest.fixture(scope="module")
def folders():
    """Where finished steps lie, by name."""
    return {}


@pytest.fixture(scope="module")
def step(tmp_path_factory, do, settings, folders):
    """Run a step on what others have left."""
    root = tmp_path_factory.mktemp("pages")

    def run(name, stage, id=None, **roles):
        inputs = {role: folders[source] for role, source in roles.items()}
        do(stage, settings(id or name, **PAGES), inputs, root / name)
        folders[name] = root / name

    return run


@pytest.fixture(scope="module")
def pages(step, folders):
    """Folders of finished steps on pages of digits."""
    trained = {"ingest": "ingest", "augment": "augment"}
    step("ingest", ingest)
    step("augment", augment, ingest="ingest")
    step("build", build, ingest="ingest")
    step("train", train_stage, **trained, build="build")
    for variant in ("float32", "int8"):
        step(variant, quantize, f"quantize({variant})", ingest="ingest", candidate="train")
    step("evaluate", evaluate, ingest="ingest", train="train")
    return folders


@pytest.fixture(scope="module")
def pruned_too(pages, step):
    """The same folders, with those of a pruning and its file."""
    trained = {"ingest": "ingest", "augment": "augment"}
    step("prune", prune, "prune(prune)", **trained, candidate="train")
    step("prune+int8", quantize, "quantize(prune+int8)", ingest="ingest", candidate="prune")
    return pages


def test_the_network_answers_for_each_class_by_itself(pages):
    model = load_model(pages["train"] / "model.keras")
    images, labels = dataset.validation_split(pages["ingest"])
    said = model.predict(np.asarray(images, np.float32), verbose=0)
    assert ((said >= 0.5) == labels).all(axis=1).mean() > 0.5, "a third have none"
    totals = said.sum(axis=1)
    assert totals.min() < 0.5, "on some there is none"
    assert totals.max() > 1.5, "on others there are several"
    with (pages["train"] / "history.csv").open() as stream:
        assert "val_accuracy" in stream.readline()


@pytest.mark.parametrize("variant", ["float32", "int8"])
def test_every_file_gives_independent_probabilities(variant, pages):
    answers_for_each_class(variant, "train", pages)


@pytest.mark.slow
def test_so_does_that_of_a_pruned_network(pruned_too):
    answers_for_each_class("prune+int8", "prune", pruned_too)


def answers_for_each_class(variant, candidate, pages):
    """Check what a file says against the network it was made of."""
    images, _ = dataset.validation_split(pages["ingest"])
    said = LiteRT(pages[variant] / "model.tflite").predict(images)
    assert said.dtype == np.float32
    assert (said.min() >= 0) & (said.max() <= 1)
    assert np.ptp(said.sum(axis=1)) > 1
    model = load_model(pages[candidate] / "model.keras")
    expected = model.predict(np.asarray(images, np.float32), verbose=0)
    assert np.abs(said - expected).mean() < (1e-5 if variant == "float32" else 0.03)


def test_files_are_compared_by_all_their_answers(pages):
    images, labels = dataset.validation_split(pages["ingest"])
    float32, int8 = (
        LiteRT(pages[name] / "model.tflite").predict(images) for name in ("float32", "int8")
    )
    found = compare(Answers(int8, int8), Answers(float32, float32), labels, labels)
    same = ((int8 >= 0.5) == (float32 >= 0.5)).all(axis=1)
    right = [((said >= 0.5) == labels).all(axis=1) for said in (int8, float32)]
    assert found["agreement"] == same.mean() > 0.8
    assert found["accuracy"] == found["validation_accuracy"] == right[0].mean()
    assert found["drop_pp"] == pytest.approx(100 * (right[1].mean() - right[0].mean()))


def test_evaluate_leaves_scores_and_figures_of_several_labels(pages):
    scores = json.loads((pages["evaluate"] / "evaluation.json").read_text())
    assert scores["threshold"] == 0.5
    assert 0.5 < scores["mean_average_precision"] <= 1
    assert scores["accuracy"] <= 1 - scores["hamming_loss"]
    assert {path.stem for path in (pages["evaluate"] / "figures").glob("*.png")} == {
        *("training_curves", "class_scores", "wrong_pictures"),
        *("least_sure", "probability_bars", "grad_cam", "feature_maps"),
    }


@pytest.mark.slow
def test_export_and_benchmark_take_it_as_any(pages, step, do, settings, tmp_path):
    step("export", export, ingest="ingest", train="train", float32="float32", int8="int8")
    quick = settings("benchmark", **PAGES, benchmark={"rounds": 1, "runs": 2, "warmup": 0})
    roles = {"ingest": pages["ingest"], "export": pages["export"]}
    said = do(benchmark, quick, roles, tmp_path)
    assert said["files"] == 2
    rows = json.loads((tmp_path / "benchmark.json").read_text())["variants"]
    evaluated = json.loads((pages["evaluate"] / "evaluation.json").read_text())["accuracy"]
    by_name = {row["name"]: row for row in rows}
    assert by_name["float32"]["accuracy"] == pytest.approx(evaluated, abs=0.01)
    assert by_name["int8"]["ops"]["float32"] == 0
    assert [one["class"] for one in by_name["int8"]["classes"]] == PAGES["ingest"]["classes"]
    assert by_name["int8"]["top_k"] is None
    drawn = {path.stem.partition("-")[0] for path in (tmp_path / "figures").iterdir()}
    lost = {"changed_pictures"} if by_name["int8"]["lost"] else set()
    assert drawn == {"reliability"} | lost
