"""The recipes that come with the project, run for real: digits whole, Fashion-MNIST in part."""

import json
from pathlib import Path

import pytest

from models import MODELS
from pipeline.config import Config
from pipeline.data.sources.idx import DEBIAN
from pipeline.search.space import check
from pipeline.show.places import figures_by_place
from pipeline.show.schema import Report

CONFIGS = Path(__file__).parent.parent / "configs"
RUNGS = sorted(CONFIGS.glob("ladder/*.yaml"))
RECIPES = sorted([*CONFIGS.glob("*.yaml"), *RUNGS])
OF_ONES_OWN = {"custom", "backbone", "file"}  # no one's network until their options say whose


def rows(report):
    return {row["name"]: row for row in report["variants"]}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_opens_with_how_to_run_it(recipe):
    assert Config.load(recipe).name == recipe.stem
    opening = recipe.read_text().split("\n\n")[0]
    assert opening.startswith("# ")
    assert "python run_pipeline.py" in opening


@pytest.mark.parametrize("recipe", ["digits", "fashion_mnist"])
def test_a_recipe_carries_a_space_of_settings_that_are(recipe):
    config = Config.load(CONFIGS / f"{recipe}.yaml")
    assert len(config.search.space) > 2
    check(config)


def test_every_network_of_a_paper_has_a_rung_and_rungs_differ_in_network_and_rate_alone():
    assert {rung.stem for rung in RUNGS} == set(MODELS) - OF_ONES_OWN
    kept = set()
    for rung in RUNGS:
        recipe = Config.load(rung).recipe()
        assert recipe["build"]["model"] == recipe["name"] == rung.stem
        for section in ("train", "distill", "slim", "prune", "cluster", "qat"):
            recipe[section].pop("learning_rate")
        kept.add(json.dumps(recipe | {"name": "", "build": recipe["build"]["preprocess"]}))
    assert len(kept) == 1


def test_every_variant_of_a_run_is_measured(report):
    assert list(rows(report)) == report["config"]["variants"]
    for row in report["variants"]:
        assert row["status"] == "ok", row
        assert row["latency_us"]["p50"] > 0
        assert row["accuracy_ci95"][0] <= row["accuracy"] <= row["accuracy_ci95"][1]
    assert report["dataset"]["test"] == 369


def test_every_figure_of_a_run_stands_where_it_belongs(report):
    places = figures_by_place(Report.model_validate(report))
    assert [figure.file for figure in places.pop("more")] == []
    assert places.pop("replicas") == [], "there was one run"
    assert places.pop("slimming") == [], "no channel was taken out"
    assert places.pop("ensembles") == [], "no network was taught"
    assert all(places.values())


def test_zeros_of_pruning_are_in_the_file(report):
    pruned, dense = rows(report)["prune+int8"], rows(report)["int8"]
    assert pruned["params"] == dense["params"]
    assert pruned["nonzero_params"] < 0.25 * pruned["params"]
    assert pruned["gzip_bytes"] < 0.7 * dense["gzip_bytes"]


def test_int8_computes_in_int8_and_is_a_third_of_the_bytes(report):
    int8, base = rows(report)["int8"], rows(report)["float32"]
    assert int8["ops"]["float32"] == int8["ops"]["other"] == 0 < int8["ops"]["int8"]
    assert int8["bytes"] < base["bytes"]
    assert base["drop_pp"] == 0
    assert base["agreement"] == base["latency_ratio"] == 1


@pytest.mark.slow
def test_the_default_recipe_reads_digits_well(pix2pocket, tmp_path):
    done = pix2pocket("run", artifacts=tmp_path)
    assert done.code == 0, done.err
    found = rows(json.loads((tmp_path / "digits" / "report.json").read_text()))
    assert found["float32"]["accuracy"] >= 0.98
    assert found["int8"]["drop_pp"] <= 0.6


@pytest.mark.slow
def test_several_labels_a_picture_go_the_whole_way(pix2pocket, tmp_path):
    small = ("train.epochs=12", "prune.epochs=6", "benchmark.rounds=2", "benchmark.runs=5")
    done = pix2pocket("run", "configs/multilabel.yaml", *small, artifacts=tmp_path, timeout=900)
    assert done.code == 0, done.err
    assert "exact match" in done.out
    folder = tmp_path / "multilabel"
    report = json.loads((folder / "report.json").read_text())
    assert report["dataset"]["multi_label"] is True
    scores = report["evaluation"]
    assert scores["mean_average_precision"] > 0.85
    assert 0.6 < scores["accuracy"] <= 1 - scores["hamming_loss"]
    found = rows(report)
    assert all(row["status"] == "ok" for row in found.values())
    assert found["float32"]["accuracy"] == pytest.approx(scores["accuracy"], abs=0.006)
    assert found["int8"]["agreement"] > 0.9
    assert found["int8"]["ops"]["float32"] == found["int8"]["ops"]["other"] == 0
    places = figures_by_place(Report.model_validate(report))
    assert [figure.file for figure in places["classes"]] == ["class_scores.png"]
    assert places["more"] == []
    page = (folder / "report.html").read_text()
    assert "exact match" in page
    assert "a picture may show none, one or several" in page


@pytest.mark.fashion
@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not there")
def test_fashion_mnist_in_part_goes_the_whole_way(pix2pocket, tmp_path):
    part = (
        "ingest.limit=6000",
        "train.epochs=4",
        "prune.epochs=4",
        "slim.epochs=3",
        "quantize.calibration_images=64",
    )
    done = pix2pocket("run", "configs/fashion_mnist.yaml", *part, artifacts=tmp_path, timeout=900)
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "fashion_mnist" / "report.json").read_text())
    assert report["dataset"]["train"] == 6000
    assert report["dataset"]["classes"][9] == "Ankle boot"
    found = rows(report)
    assert found["float32"]["accuracy"] > 0.75
    assert abs(found["int8"]["drop_pp"]) < 2
    assert found["int8"]["bytes"] <= 0.29 * found["float32"]["bytes"]
    assert found["prune+int8"]["nonzero_params"] <= 0.22 * found["prune+int8"]["params"]
    assert found["slim+int8"]["macs"] <= 0.5 * found["int8"]["macs"]
    assert found["slim+int8"]["bytes"] < 0.65 * found["int8"]["bytes"]
    assert found["slim+int8"]["accuracy"] > 0.7


@pytest.mark.fashion
@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not there")
def test_the_fast_recipe_learns_from_a_part_as_well(pix2pocket, tmp_path):
    part = ("ingest.limit=6000", "quantize.calibration_images=64")
    recipe = "configs/fashion_mnist_fast.yaml"
    done = pix2pocket("run", recipe, *part, artifacts=tmp_path, timeout=900)
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "fashion_mnist_fast" / "report.json").read_text())
    found = rows(report)
    assert report["model"]["trainable"] < 100_000
    assert found["float32"]["accuracy"] > 0.8
    assert abs(found["int8"]["drop_pp"]) < 2
