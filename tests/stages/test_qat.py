import json

import keras
import numpy as np
import pytest

from pipeline.compress.aware.layers import QuantizedKernel
from pipeline.data.dataset import validation_split
from pipeline.errors import ConversionError
from pipeline.fit.files import load_model, save_model
from pipeline.fit.history import read_history
from pipeline.measure.flatbuffer import inspect
from pipeline.measure.litert import LiteRT
from pipeline.measure.statistics import accuracy
from pipeline.stages import qat
from tests.keras_accuracy import accuracy as keras_accuracy

VARIANTS = ["float32", "qat", "prune+qat"]


@pytest.fixture
def wanted(settings):
    def of(variant="qat", **said):
        return settings(f"qat({variant})", variants=VARIANTS, qat={"epochs": 2} | said)

    return of


@pytest.fixture
def inputs(chain):
    return {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}


@pytest.fixture(scope="module")
def made(chain, settings, do, tmp_path_factory):
    """Folders and metrics of `qat` after `train` and after `prune`."""
    found = {}
    for variant, candidate in (("qat", "train"), ("prune+qat", "prune")):
        out = tmp_path_factory.mktemp("qat") / variant
        said = settings(f"qat({variant})", variants=VARIANTS, qat={"epochs": 2})
        roles = {"ingest": "ingest", "augment": "augment", "candidate": candidate}
        inputs = {role: chain[source] for role, source in roles.items()}
        found[variant] = out, do(qat, said, inputs, out)
    return found


def test_the_file_is_int8_and_reads_digits_as_its_model_does(made, chain):
    out, metrics = made["qat"]
    facts = inspect(out / "model.tflite")
    assert facts.ops["float32"] == facts.ops["other"] == 0
    assert (facts.inputs[0].dtype, facts.inputs[0].scale) == ("uint8", 1.0)
    validation = validation_split(chain["ingest"])
    found = accuracy(LiteRT(out / "model.tflite").predict(validation[0]), validation[1])
    model = load_model(out / "model.keras")
    assert keras_accuracy(model, validation) == pytest.approx(metrics["val_accuracy"], abs=1e-6)
    assert found == pytest.approx(metrics["val_accuracy"], abs=0.03)
    assert found > 0.5
    assert metrics["agreement"] >= 0.995


def test_it_goes_on_from_the_candidate_by_its_own_schedule(made, wanted, chain):
    out, metrics = made["qat"]
    history = read_history(out)
    assert len(history["loss"]) == 2
    assert history["loss"][0] < read_history(chain["train"])["loss"][0]
    assert max(history["learning_rate"]) <= wanted().learning_rate
    assert wanted().learning_rate == pytest.approx(0.01 * wanted().rate_factor)
    facts = json.loads((out / "aware.json").read_text())
    assert (facts["epochs"], facts["best_epoch"]) == (2, metrics["best_epoch"])


def test_every_zero_of_a_pruned_candidate_is_in_the_file(made, chain):
    out, metrics = made["prune+qat"]
    pruned = load_model(chain["prune"] / "model.keras")
    due = [np.count_nonzero(np.asarray(w) == 0) for w in pruned.weights if "kernel" in w.path]
    found = [w.zeros for w in inspect(out / "model.tflite").weights if len(w.shape) > 1]
    assert len(found) == len(due) == 4
    assert sum(due) > 0.7 * sum(w.size for w in map(np.asarray, pruned.weights) if w.ndim > 1)
    assert all(have >= zeros for have, zeros in zip(sorted(found), sorted(due), strict=True))
    rows = json.loads((out / "kernels.json").read_text())
    assert [row["zeros"] for row in rows] == due
    assert all(row["stored_zeros"] >= row["zeros"] for row in rows)
    assert metrics["sparsity"] > 0.7


@pytest.mark.slow
def test_made_again_it_is_the_same_bytes(made, inputs, wanted, do, tmp_path):
    do(qat, wanted(), inputs, tmp_path)
    for name in ("model.keras", "model.tflite", "history.csv", "aware.json"):
        assert (tmp_path / name).read_bytes() == (made["qat"][0] / name).read_bytes()


def test_only_training_pictures_calibrate(inputs, train_images, wanted, do, tmp_path, monkeypatch):
    seen = []

    def record(model, images):
        seen.append(images)
        raise ConversionError("enough")

    monkeypatch.setattr(qat, "calibrate", record)
    with pytest.raises(ConversionError, match="enough"):
        do(qat, wanted(), inputs, tmp_path)
    assert {image.tobytes() for image in seen[0]} <= {image.tobytes() for image in train_images}


def test_a_file_that_answers_otherwise_is_refused(inputs, wanted, do, tmp_path, monkeypatch):
    def other(model, io):
        changed = keras.models.clone_model(model)
        changed.set_weights(model.get_weights())
        last = [layer for layer in changed.layers if isinstance(layer, QuantizedKernel)][-1]
        last.set_weights([np.roll(weight, 1, axis=-1) for weight in last.get_weights()])
        return genuine(changed, io)

    genuine = qat.rounded
    monkeypatch.setattr(qat, "rounded", other)
    with pytest.raises(ConversionError, match="the file agrees with the model"):
        do(qat, wanted(epochs=1, warmup_epochs=0.0), inputs, tmp_path)


def test_a_layer_that_cannot_be_imitated_is_refused_before_training(
    inputs, wanted, do, tmp_path, monkeypatch
):
    images = keras.Input((8, 8, 1))
    x = keras.layers.LayerNormalization(name="odd")(keras.layers.Flatten()(images))
    model = keras.Model(images, keras.layers.Dense(10, activation="softmax")(x))
    save_model(model, tmp_path / "model.keras")
    monkeypatch.setattr(qat, "fit", None)
    with pytest.raises(ConversionError, match=r"layer 'odd' \(LayerNormalization\).*int8"):
        do(qat, wanted(), inputs | {"candidate": tmp_path}, tmp_path / "out")
