import json

import keras
import numpy as np
import pytest

from pipeline.errors import ConversionError
from pipeline.fit.files import save_model
from pipeline.measure import doctor
from pipeline.measure.flatbuffer import inspect
from pipeline.measure.litert import LiteRT
from pipeline.stages import quantize


@pytest.fixture
def inputs(chain):
    return {"ingest": chain["ingest"], "candidate": chain["train"]}


def test_the_file_has_the_form_its_variant_ends_with(chain, metrics):
    for variant, dtype in (("float32", "float32"), ("int8", "uint8"), ("prune+int8", "uint8")):
        path = chain[variant] / "model.tflite"
        assert inspect(path).inputs[0].dtype == dtype
        assert metrics[variant]["bytes"] == path.stat().st_size


def test_what_became_of_each_kernel_is_written_down(chain, metrics):
    rows = json.loads((chain["prune+int8"] / "kernels.json").read_text())
    pruned = json.loads((chain["prune"] / "sparsity.json").read_text())
    assert [(row["name"], row["zeros"]) for row in rows] == [
        (layer["name"], layer["zeros"]) for layer in pruned
    ]
    assert all(row["stored_zeros"] >= row["zeros"] for row in rows)
    assert metrics["prune+int8"]["sparsity"] >= 0.79
    dense = json.loads((chain["float32"] / "kernels.json").read_text())
    assert [row["zeros"] for row in dense] == [0] * len(rows)
    assert metrics["float32"]["sparsity"] is None


def test_a_zero_lost_on_the_way_into_the_file_is_an_error(
    chain, settings, do, tmp_path, monkeypatch
):
    def lossy(model, sample, io):
        layer = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
        kept = layer.get_weights()
        layer.set_weights([np.where(kept[0] == 0, 1e-3, kept[0]), kept[1]])
        made = float32(model, sample, io)
        layer.set_weights(kept)
        return made

    float32 = quantize.FORMATS["float32"]
    monkeypatch.setitem(quantize.FORMATS, "float32", lossy)
    inputs = {"ingest": chain["ingest"], "candidate": chain["prune"]}
    with pytest.raises(ConversionError, match=r"layer '.*': \d+ of its \d+ zeros are lost"):
        do(quantize, settings("quantize(float32)"), inputs, tmp_path)


@pytest.mark.slow
def test_microcontrollers_get_int8_at_both_ends(inputs, settings, do, tmp_path):
    wanted = settings("quantize(int8)", quantize={"io": "int8", "calibration_images": 9})
    do(quantize, wanted, inputs, tmp_path)
    facts = inspect(tmp_path / "model.tflite")
    assert (facts.inputs[0].dtype, facts.outputs[0].dtype) == ("int8", "int8")


def test_only_training_pictures_calibrate(
    inputs, train_images, settings, do, tmp_path, monkeypatch
):
    seen = []

    def record(model, sample):
        seen.append(sample)
        raise ConversionError("enough")

    monkeypatch.setattr(quantize, "calibrated", record)
    for seed in (0, 0, 1):
        wanted = settings("quantize(int8)", seed=seed, quantize={"calibration_images": 50})
        with pytest.raises(ConversionError, match="enough"):
            do(quantize, wanted, inputs, tmp_path)
    first, again, other = seen
    train = {image.tobytes() for image in train_images}
    assert len(first) == 50
    assert {image.tobytes() for image in first} <= train
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_file_that_answers_with_nan_does_not_count(chain, settings, do, tmp_path):
    images = keras.Input((8, 8, 1))
    x = keras.layers.Dense(10, activation="softmax", name="last")(keras.layers.Flatten()(images))
    broken = keras.Model(images, x)
    broken.get_layer("last").bias.assign([np.nan] * 10)
    save_model(broken, tmp_path / "model.keras")
    inputs = {"ingest": chain["ingest"], "candidate": tmp_path}
    with pytest.raises(ConversionError, match="float32: the file answers with NaN"):
        do(quantize, settings("quantize(float32)"), inputs, tmp_path / "out")


def planted(chain, folder):
    """The trained model with a wild channel: it computes the same, and no int8 file holds it."""
    model = keras.saving.load_model(chain["train"] / "model.keras")
    norms = [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization)]
    kernels = [one for one in model.layers if isinstance(one, keras.layers.Conv2D)]
    gamma, beta, *rest = norms[-2].get_weights()
    gamma[1], beta[1] = 5000 * gamma[1], 5000 * beta[1]
    norms[-2].set_weights([gamma, beta, *rest])
    kernel, *bias = kernels[-1].get_weights()
    kernel[:, :, 1] /= 5000
    kernels[-1].set_weights([kernel, *bias])
    save_model(model, folder / "model.keras")
    return model


def test_what_an_int8_file_loses_is_put_back_on_validation_pictures(
    chain, settings, do, tmp_path, validation
):
    planted(chain, tmp_path)
    inputs = {"ingest": chain["ingest"], "candidate": tmp_path}
    wanted = settings("quantize(int8)", quantize={"max_float_share": 0.95})
    found = do(quantize, wanted, inputs, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "doctor.json").read_text())
    images, labels = validation
    right = LiteRT(tmp_path / "out" / "model.tflite").predict(images).argmax(axis=1) == labels
    assert told["kept"]
    assert told["trials"][0]["drop_pp"] > 10
    assert told["trials"][told["shipped"]]["accuracy"] == right.mean()
    assert found["drop_pp"] == told["trials"][told["shipped"]]["drop_pp"] <= 1.0
    assert 0 < found["in_float"] == len(told["float_operations"]) < len(told["operations"])
    kernels = {one["layer"] for one in told["operations"] if one["form"] == "float32"}
    assert {"conv2d_1", "conv2d_2"} <= kernels
    assert inspect(tmp_path / "out" / "model.tflite").inputs[0].dtype == "uint8"


def test_a_hundred_points_leave_the_file_as_it_comes(chain, settings, do, tmp_path):
    planted(chain, tmp_path)
    inputs = {"ingest": chain["ingest"], "candidate": tmp_path}
    wanted = settings("quantize(int8)", quantize={"max_drop_pp": 100.0})
    do(quantize, wanted, inputs, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "doctor.json").read_text())
    assert len(told["trials"]) == 1
    assert told["float_operations"] == []
    assert told["trials"][0]["drop_pp"] > 10


def test_the_doctor_looks_at_int8_files_alone(chain):
    assert (chain["int8"] / "doctor.json").is_file()
    assert not (chain["float32"] / "doctor.json").exists()


def test_the_doctor_sees_no_picture_that_is_not_of_train_or_validation(
    chain, settings, do, tmp_path, monkeypatch, train_images, validation
):
    seen = []

    def treat(patient, folder):
        seen.append(patient)
        raise ConversionError("enough")

    monkeypatch.setattr(quantize, "treat", treat)
    inputs = {"ingest": chain["ingest"], "candidate": chain["train"]}
    with pytest.raises(ConversionError, match="enough"):
        do(quantize, settings("quantize(int8)"), inputs, tmp_path)
    (patient,) = seen
    assert isinstance(patient, doctor.Patient)
    assert np.array_equal(patient.pictures, validation[0])
    train = {image.tobytes() for image in train_images}
    assert {image.tobytes() for image in patient.sample} <= train
