import json

import keras
import numpy as np
import pytest

from pipeline.errors import ConversionError
from pipeline.fit.files import save_model
from pipeline.measure.flatbuffer import inspect
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
