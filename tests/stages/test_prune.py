import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.compress import rounds
from pipeline.compress.sensitivity import LayerCurve, Sensitivity
from pipeline.data.dataset import facts, validation_split
from pipeline.errors import ConfigError, ConversionError
from pipeline.fit.files import load_model
from pipeline.fit.history import read_history
from pipeline.measure.flatbuffer import inspect
from pipeline.settings import LOGS
from pipeline.stages import prune, quantize
from tests.keras_accuracy import accuracy
from tests.marks import slow_but

LEVEL = Sensitivity(
    96,
    0.98,
    (0.5, 0.95),
    (LayerCurve("conv2d_1", 9, (0.98, 0.9)), LayerCurve("conv2d_2", 9, (0.98, 0.9))),
)


@pytest.fixture
def inputs(chain):
    return {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}


def test_four_of_five_weights_are_zero_and_it_still_reads_digits(chain, metrics):
    layers = json.loads((chain["prune"] / "sparsity.json").read_text())
    assert len(layers) == 4
    assert all(layer["zeros"] / layer["weights"] > 0.78 for layer in layers)
    assert metrics["prune"]["sparsity"] == pytest.approx(0.8, abs=0.005)
    model = load_model(chain["prune"] / "model.keras")
    for layer in layers:
        kernel = model.get_layer(layer["name"]).kernel
        assert np.count_nonzero(np.asarray(kernel) == 0) == layer["zeros"]
    found = accuracy(model, validation_split(chain["ingest"]))
    assert found == pytest.approx(metrics["prune"]["val_accuracy"], abs=1e-6)
    assert found > 0.3


def test_zeros_survive_in_the_int8_file(chain):
    dense, pruned = (inspect(chain[v] / "model.tflite") for v in ("int8", "prune+int8"))
    assert pruned.params == dense.params
    kernels = [weights for weights in pruned.weights if len(weights.shape) > 1]
    assert len(kernels) == 4
    assert all(weights.zeros / weights.elements > 0.78 for weights in kernels)
    assert pruned.nonzero_params < 0.4 * dense.nonzero_params
    assert pruned.gzip_bytes < 0.8 * dense.gzip_bytes


def test_fine_tuning_goes_on_from_the_candidate_and_is_written_down(chain, metrics):
    history = read_history(chain["prune"])
    assert set(history) == {"accuracy", "loss", "val_accuracy", "val_loss", "learning_rate"}
    assert len(history["loss"]) == 3
    assert read_history(chain["prune"] / LOGS) == history
    assert all(list((chain["prune"] / LOGS / split).iterdir()) for split in ("train", "validation"))
    assert metrics["prune"]["resumed_from_epoch"] is None
    assert history["loss"][0] < read_history(chain["train"])["loss"][0]


def test_pruned_again_it_is_the_same_bytes(chain, settings, do, tmp_path):
    inputs = {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}
    do(prune, settings("prune(prune)"), inputs, tmp_path)
    for name in ("model.keras", "history.csv", "sparsity.json"):
        assert (tmp_path / name).read_bytes() == (chain["prune"] / name).read_bytes()


@pytest.mark.parametrize(("end", "first"), slow_but([(0.9, 3)], [(0.5, 1), (0.9, 3)]))
def test_no_epoch_before_all_zeros_are_there_can_be_the_best(
    end, first, chain, settings, do, tmp_path, monkeypatch
):
    seen = []

    def record(*_, first_best, **__):
        seen.append(first_best)
        raise ConversionError("enough")

    monkeypatch.setattr(prune, "fit", record)
    inputs = {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}
    with pytest.raises(ConversionError, match="enough"):
        do(prune, settings("prune(prune)", prune={"epochs": 4, "end": end}), inputs, tmp_path)
    assert seen == [first]  # of 16 steps an epoch, those up to step 32 or 57 are on the ramp


@pytest.mark.parametrize(
    "said", slow_but([{}], [{}, {"sparsity": "auto"}, {"pattern": "4x1"}]), ids=str
)
def test_a_run_too_short_for_the_ramp_says_so(said, chain, settings, do, tmp_path, inputs):
    short = settings("prune(prune)", prune={"epochs": 1, "batch": 480, **said})
    message = "pruning needs at least 16 training steps and this run has 1"
    with pytest.raises(ConfigError, match=message):
        prune.check_pictures(short, chain["ingest"])
    with pytest.raises(ConfigError, match=message):
        do(prune, short, inputs, tmp_path)


def test_zeros_that_come_at_once_need_no_ramp(chain, settings):
    short = settings("prune(prune)", prune={"epochs": 1, "batch": 480, "pattern": "2:4"})
    prune.check_pictures(short, chain["ingest"])


@pytest.mark.parametrize(
    "said",
    [
        {"layers": {"hidden*": 0.5}},
        {"exclude": ["hidden*"]},
        {"layers": {"hidden*": 0.5}, "sparsity": "auto"},
    ],
    ids=str,
)
def test_a_pattern_that_matches_no_layer_names_those_there_are(
    said, settings, do, tmp_path, inputs, monkeypatch
):
    monkeypatch.setattr(prune, "scan", None)  # and before any work
    message = r"pattern 'hidden\*' matches no layer .*: conv2d, conv2d_1, conv2d_2, probabilities"
    with pytest.raises(ConfigError, match=message):
        do(prune, settings("prune(prune)", prune=said), inputs, tmp_path)


@pytest.mark.slow
def test_layers_come_to_their_own_sparsities_and_it_is_written_down(settings, do, tmp_path, inputs):
    said = settings("prune(prune)", prune={"layers": {"*": 0.6, "first": 0.5, "last": 0}})
    do(prune, said, inputs, tmp_path)
    rows = json.loads((tmp_path / "sparsity.json").read_text())
    assert [(row["name"], row["asked"]) for row in rows] == [
        ("conv2d", 0.5),
        ("conv2d_1", 0.6),
        ("conv2d_2", 0.6),
    ]
    for row in rows:
        assert row["zeros"] / row["weights"] == pytest.approx(row["asked"], abs=0.01)


@pytest.mark.slow
def test_two_of_four_survives_in_the_int8_file(settings, do, tmp_path, inputs, chain):
    said = settings("prune(prune)", prune={"pattern": "2:4", "exclude": ["first"], "epochs": 1})
    do(prune, said, inputs, tmp_path / "prune")
    rows = json.loads((tmp_path / "prune" / "sparsity.json").read_text())
    shares = {row["name"]: row["zeros"] / row["weights"] for row in rows}
    thirds = 1 / 3  # six input channels: the last two are a group with nothing to spare
    assert shares == {"conv2d_1": pytest.approx(thirds), "conv2d_2": 0.5, "probabilities": 0.5}
    assert [row["asked"] for row in rows] == [pytest.approx(thirds), 0.5, 0.5]
    kernels = [
        layer.kernel.numpy()
        for layer in load_model(tmp_path / "prune" / "model.keras").layers
        if layer.name in {"conv2d_1", "conv2d_2"}
    ]
    for kernel in kernels:
        inputs_last = np.moveaxis(kernel, -2, -1)[..., : kernel.shape[-2] // 4 * 4]
        assert ((inputs_last.reshape(-1, 4) == 0).sum(axis=1) == 2).all()
    roles = {"ingest": chain["ingest"], "candidate": tmp_path / "prune"}
    do(quantize, settings("quantize(prune+int8)"), roles, tmp_path / "int8")
    file = inspect(tmp_path / "int8" / "model.tflite")
    zeros = {w.elements: w.zeros for w in file.weights if len(w.shape) == 4}
    assert all(zeros[kernel.size] >= (kernel == 0).sum() for kernel in kernels)


def test_a_scan_says_what_layers_mind_and_changes_nothing(chain, settings, do, tmp_path, inputs):
    found = json.loads((chain["prune"] / "sensitivity.json").read_text())
    assert found["pictures"] == facts(chain["ingest"])["validation"] < 500
    assert found["pattern"] == "unstructured"
    assert [layer["name"] for layer in found["layers"]] == [
        row["name"] for row in json.loads((chain["prune"] / "sparsity.json").read_text())
    ]
    model = load_model(chain["train"] / "model.keras")
    split = validation_split(chain["ingest"])
    assert found["accuracy"] == pytest.approx(accuracy(model, split), abs=1e-6)
    assert all(len(layer["accuracy"]) == len(found["levels"]) for layer in found["layers"])
    assert min(layer["accuracy"][-1] for layer in found["layers"]) < found["accuracy"]
    do(prune, settings("prune(prune)", prune={"scan": False}), inputs, tmp_path)
    assert not (tmp_path / "sensitivity.json").exists()
    assert (tmp_path / "model.keras").read_bytes() == (chain["prune"] / "model.keras").read_bytes()


def test_of_much_validation_a_part_is_looked_at_the_smaller_the_more_layers(
    settings, do, tmp_path, inputs, monkeypatch
):
    monkeypatch.setattr(prune, "FEWEST", 5)
    monkeypatch.setattr(prune, "fit", lambda *_, **__: {}["enough"])
    with pytest.raises(KeyError, match="enough"):
        do(prune, settings("prune(prune)", prune={"epochs": 3}), inputs, tmp_path)
    looked = json.loads((tmp_path / "sensitivity.json").read_text())["pictures"]
    counts = facts(inputs["ingest"])
    assert looked == round(0.1 * 3 * 3 * counts["train"] / (6 * 4)) < counts["validation"]


@pytest.fixture
def rising(monkeypatch):
    """Few rounds, so that they are quick."""
    monkeypatch.setattr(rounds, "RISING", (0.4, 0.6))
    monkeypatch.setattr(rounds, "LOWER", (0.2,))


AUTO = {"sparsity": "auto", "exclude": ["last"], "layers": {"first": 0.25}, "epochs": 1, "end": 0.9}


def test_auto_spends_its_budget_and_tells_of_each_round(rising, settings, do, tmp_path, inputs):
    said = settings("prune(prune)", prune={**AUTO, "max_drop_pp": 100})
    metrics = do(prune, said, inputs, tmp_path / "one")
    story = json.loads((tmp_path / "one" / "rounds.json").read_text())
    assert [one["wished"] for one in story["rounds"]] == [0.4, 0.6]
    for one in story["rounds"]:
        assert (one["layers"]["conv2d"], one["layers"]["probabilities"]) == (0.25, 0.0)
        drop = 100 * (story["val_accuracy"] - one["val_accuracy"])
        assert one["drop_pp"] == pytest.approx(drop)
    rows = json.loads((tmp_path / "one" / "sparsity.json").read_text())
    assert [row["asked"] for row in rows] == list(story["rounds"][1]["layers"].values())[:3]
    free = rows[1:]
    share = sum(row["zeros"] for row in free) / sum(row["weights"] for row in free)
    assert share == pytest.approx(0.6, abs=0.01)
    assert metrics["sparsity"] == story["rounds"][1]["sparsity"]
    model = load_model(tmp_path / "one" / "model.keras")
    found = accuracy(model, validation_split(inputs["ingest"]))
    assert found == pytest.approx(story["rounds"][1]["val_accuracy"], abs=1e-6)


@pytest.mark.slow
def test_auto_again_is_the_same_bytes(rising, settings, do, tmp_path, inputs):
    said = settings("prune(prune)", prune={**AUTO, "max_drop_pp": 100})
    for way in ("one", "two"):
        do(prune, said, inputs, tmp_path / way)
    for name in ("model.keras", "rounds.json", "sensitivity.json", "history.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_budget_that_nothing_keeps_to_is_refused_with_the_figures(
    rising, settings, do, tmp_path, inputs, monkeypatch
):
    def tuned(_self, _model, sparsities, _out, _before):
        return SimpleNamespace(pruned=SimpleNamespace(model=None, sparsity=sparsities["conv2d_1"]))

    monkeypatch.setattr(prune._Tuning, "tune", tuned)
    looks = iter([0.98, 0.9, 0.95])  # as it came; 40 % zeros; 20 %
    monkeypatch.setattr(prune, "answers", lambda *_: [None])
    monkeypatch.setattr(prune, "_scan", lambda *_: LEVEL)
    monkeypatch.setattr(prune, "accuracy", lambda *_: next(looks))
    message = r"max_drop_pp=0.5: 20.0 % zeros, validation 95.00 % \(-3.00 points\)"
    with pytest.raises(ConfigError, match=message):
        do(prune, settings("prune(prune)", prune={**AUTO, "max_drop_pp": 0.5}), inputs, tmp_path)
    assert not (tmp_path / "model.keras").exists()


def test_where_nothing_is_left_to_auto_it_says_so(settings, do, tmp_path, inputs):
    said = settings("prune(prune)", prune={**AUTO, "layers": {"*": 0.5}})
    with pytest.raises(ConfigError, match="layers and exclude leave no layer to auto"):
        do(prune, said, inputs, tmp_path)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("lamb", "prune.optimizer: tf_keras, which trains here, has no lamb"),
        ({"adam": {"beta": 0.9}}, "adam takes no argument 'beta': did you mean 'beta_"),
    ],
)
def test_an_optimizer_taken_from_train_that_pruning_cannot_use_is_said_first(said, why, settings):
    with pytest.raises(ConfigError, match=re.escape(why)):
        prune.check(settings("prune(prune)", train={"optimizer": said}))
    prune.check(settings("prune(prune)", train={"optimizer": said}, prune={"optimizer": "adam"}))


@pytest.mark.slow
def test_pruning_by_muon_leaves_its_zeros(chain, settings, do, tmp_path):
    inputs = {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}
    said = settings("prune(prune)", train={"optimizer": "muon"})
    prune.check(said)
    assert do(prune, said, inputs, tmp_path)["sparsity"] == pytest.approx(0.8, abs=0.005)
