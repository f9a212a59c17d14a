"""A network with weights learned before, the whole way: from photos in a folder to the report."""

import json

import keras
import pytest

from pipeline.fit import session
from pipeline.fit.files import load_model
from pipeline.fit.history import read_history
from tests.front_door import steps
from tests.picture_folders import photo_folder

QUICK = (
    "ingest.size=32",
    "build.network=MobileNet",
    "build.alpha=0.25",
    "train.batch=8",
    "train.epochs=4",
    "train.frozen_epochs=2",
    "prune.epochs=3",
    "quantize.calibration_images=32",
    "benchmark.rounds=2",
    "benchmark.runs=5",
    "variants=[float32, int8, prune+int8]",
)


@pytest.fixture
def photos(tmp_path):
    return photo_folder(tmp_path / "photos", {"temple": 48, "flower": 48}, sizes=((40, 32),))


def save_weights(path, seed):
    session.begin(seed)
    shape = {"include_top": False, "weights": None, "input_shape": (32, 32, 3)}
    keras.applications.MobileNet(alpha=0.25, **shape).save_weights(path)


@pytest.mark.slow
def test_weights_from_a_file_go_the_whole_way_and_enter_the_key(inside, photos, tmp_path):
    weights = tmp_path / "its.weights.h5"
    save_weights(weights, seed=1)
    words = ("configs/backbone.yaml", f"ingest.path={photos}", f"build.weights={weights}", *QUICK)
    artifacts = tmp_path / "artifacts"
    done = inside("run", *words, artifacts=artifacts)
    assert done.code == 0, done.err
    report = json.loads((artifacts / "backbone" / "report.json").read_text())
    assert {row["status"] for row in report["variants"]} == {"ok"}
    assert report["variants"][1]["ops"]["float32"] == report["variants"][1]["ops"]["other"] == 0
    (trained,) = (artifacts / ".cache" / "train").iterdir()
    assert read_history(trained)["frozen"] == [1, 1, 0, 0]
    model = load_model(trained / "model.keras")
    assert {layer.trainable for layer in model.layers} == {True, False}

    again = inside("run", *words, "--until", "build", artifacts=artifacts)
    assert steps(again) == {"ingest": "cached", "augment": "cached", "build": "cached"}
    save_weights(weights, seed=2)
    other = inside("run", *words, "--until", "build", artifacts=artifacts)
    assert steps(other) == {"ingest": "cached", "augment": "cached", "build": "ran"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("ingest.size=16",), 2, "set ingest.size=32"),
        (("build.network=MobilNet",), 2, "did you mean 'MobileNet'?"),
        (("build.weights=/no/such.h5",), 2, "cannot be read"),
        (("train.frozen_epochs=4",), 2, "leaves none to train the whole network"),
    ],
)
def test_what_cannot_work_is_one_line_and_a_code(words, code, said, inside, photos, tmp_path):
    weights = () if "build.weights" in words[0] else ("build.weights=none",)
    recipe = ("configs/backbone.yaml", f"ingest.path={photos}", *QUICK, "train.frozen_epochs=0")
    done = inside("run", *recipe, *weights, *words, artifacts=tmp_path / "artifacts")
    assert done.code == code, done.err
    assert said in done.errors[-1]
    assert done.errors[-1].startswith("error: ")


def test_a_file_of_ones_own_that_is_none_is_not_trusted(inside, tmp_path):
    path = tmp_path / "mine.h5"
    path.write_bytes(b"anything")
    words = ("ingest.dataset=digits", "build.model=file", f"build.path={path}")
    done = inside("run", "configs/digits.yaml", *words, artifacts=tmp_path / "artifacts")
    assert done.code == 6, done.err
    assert "mine.h5 is no .keras file" in done.errors[-1]
