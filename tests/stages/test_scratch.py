"""A control begins with nothing learned, and is trained as the trunk was, only longer."""

import json
import re

import keras
import numpy as np
import pytest

from pipeline.compress.fresh import fresh
from pipeline.config import Config
from pipeline.data.dataset import validation_split
from pipeline.errors import ConfigError
from pipeline.fit.files import load_model
from pipeline.fit.history import read_history
from pipeline.stages import benchmark, quantize, scratch, slim, train
from tests.keras_accuracy import accuracy

SLIM = {"epochs": 1, "multiple": 2, "pictures": 64, "rounds": 2, "macs": 0.4}
VARIANTS = ["slim+int8", "slim+scratch+int8"]


@pytest.fixture(scope="module")
def made(chain, settings, do, tmp_path_factory):
    """Folders of a slimming, its control, and the files of both."""
    root = tmp_path_factory.mktemp("scratch")
    folders = {"float32": chain["float32"]}
    pictures = {"ingest": chain["ingest"], "augment": chain["augment"]}

    def step(stage, id, **roles):
        folders[id] = root / id
        said = settings(id, slim=SLIM, variants=VARIANTS)
        return do(stage, said, {"ingest": chain["ingest"]} | roles, folders[id])

    step(slim, "slim(slim)", **pictures, candidate=chain["train"])
    step(scratch, "scratch(slim+scratch)", candidate=folders["slim(slim)"])
    step(train, "train(slim+scratch)", **pictures, build=folders["scratch(slim+scratch)"])
    step(quantize, "quantize(slim+int8)", candidate=folders["slim(slim)"])
    step(quantize, "quantize(slim+scratch+int8)", candidate=folders["train(slim+scratch)"])
    return folders


def model(folders, id):
    return load_model(folders[id] / "model.keras")


def test_a_control_has_the_shape_and_none_of_the_weights(made, chain):
    narrow, control = model(made, "slim(slim)"), model(made, "scratch(slim+scratch)")
    assert [layer.name for layer in control.layers] == [layer.name for layer in narrow.layers]
    shapes = [[weight.shape for weight in one.weights] for one in (narrow, control)]
    assert shapes[0] == shapes[1]
    kernels = [[np.asarray(w) for w in one.weights if w.path.endswith("kernel")]
               for one in (narrow, control)]  # fmt: skip
    assert all(
        abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.5 for a, b in zip(*kernels, strict=True)
    )
    split = validation_split(chain["ingest"])
    assert accuracy(control, split) < 0.35
    assert accuracy(narrow, split) > 0.45


def test_it_is_trained_for_as_many_epochs_as_went_into_what_it_controls(made, chain):
    assert len(read_history(made["train(slim+scratch)"])["loss"]) == 5 + 2 * 1
    split = validation_split(chain["ingest"])
    assert accuracy(model(made, "train(slim+scratch)"), split) > 0.6


def test_the_seed_decides_its_weights(made, settings, do, tmp_path):
    inputs = {"candidate": made["slim(slim)"]}
    paths = []
    for seed in (0, 0, 1):
        paths.append(tmp_path / str(len(paths)) / "model.keras")
        words = settings("scratch(slim+scratch)", slim=SLIM, variants=VARIANTS, seed=seed)
        do(scratch, words, inputs, paths[-1].parent)
    same, again, other = (path.read_bytes() for path in paths)
    assert same == again != other


def test_what_was_measured_of_pictures_stays():
    pictures = np.random.default_rng(0).uniform(0, 255, (20, 8, 8, 1)).astype("float32")
    adapted = keras.layers.Normalization(name="front")
    adapted.adapt(pictures)
    network = keras.Sequential(
        [keras.Input((8, 8, 1)), adapted, keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    made = fresh(network)
    for front in (made.get_layer("front"), adapted):
        assert abs(float(np.mean(front(pictures)))) < 1e-3
    assert not np.allclose(made(pictures), network(pictures))


@pytest.mark.parametrize(
    ("variant", "sections", "epochs"),
    [
        ("slim+scratch", {"slim": {"epochs": 3, "rounds": 4}}, 7 + 12),
        ("slim.deep+scratch", {"slim": {"presets": {"deep": {"epochs": 9}}}}, 7 + 9),
        ("distill+scratch", {"distill": {"epochs": 5}}, 5),
        ("distill+scratch", {"distill": {"epochs": 5, "start": "train"}}, 7 + 5),
        ("distill+slim+scratch", {}, 7 + 12),
        ("slim+scratch", {"scratch": {"epochs": 2}}, 2),
        ("slim+scratch.long", {"scratch": {"presets": {"long": {"epochs": 50}}}}, 50),
    ],
)
def test_epochs_are_those_of_all_that_made_what_it_controls(variant, sections, epochs):
    given = {"name": "test", "train": {"epochs": 7, "ema": 0.99}, "variants": [f"{variant}+int8"]}
    resolved = Config.of(given | sections).resolve()
    step, section = resolved[f"train({variant})"]
    assert (section.epochs, section.ema, section.seed) == (epochs, 0.99, 0)
    assert step.inputs["build"] == f"scratch({variant})"
    assert resolved[f"quantize({variant}+int8)"][0].inputs["candidate"] == step.id
    assert resolved["train"][1].epochs == 7


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("scratch+int8", "scratch is the control of what stands before it, as in slim+scratch+int"),
        ("prune+scratch+int8", "scratch begins with fresh weights, which leaves nothing of prune"),
        ("cluster+scratch+qat", "scratch begins with fresh weights, which leaves nothing of clust"),
        ("ensemble+scratch+int8", "scratch trains all members as one network"),
        ("slim+scratch+distill+int8", "distill teaches another network"),
    ],
)
def test_a_path_in_which_it_says_nothing_is_refused(variant, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        Config.of({"name": "test", "variants": [variant]})


def test_a_file_is_held_against_its_control_on_the_same_pictures(
    made, chain, settings, do, tmp_path
):
    roles = {name: made[f"quantize({name})"] for name in VARIANTS} | {"float32": chain["float32"]}
    words = settings("benchmark#2", slim=SLIM, variants=VARIANTS, repeat=2)
    do(benchmark, words, {"ingest": chain["ingest"]} | roles, tmp_path)
    found = json.loads((tmp_path / "benchmark.json").read_text())["variants"]
    rows = {row["name"]: row for row in found}
    (control,) = rows["slim+int8"]["controls"]
    own, other = rows["slim+int8"]["accuracy"], rows["slim+scratch+int8"]["accuracy"]
    assert control["name"] == "slim+scratch+int8"
    assert control["gain_pp"] == pytest.approx(100 * (own - other))
    assert (control["mcnemar_p"] == 1) == (own == other) or control["mcnemar_p"] > 0
    assert not any("controls" in rows[name] for name in ("float32", "slim+scratch+int8"))
