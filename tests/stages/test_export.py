import numpy as np
import pytest
import tensorflow as tf

from pipeline.errors import ConversionError
from pipeline.fit.files import load_model, save_model
from pipeline.stages import export

VARIANTS = ("float32", "int8", "prune+int8")


@pytest.fixture
def inputs(chain):
    return {role: chain[role] for role in ("ingest", "train", *VARIANTS)}


@pytest.fixture
def ship(inputs, settings, do, tmp_path):
    return lambda: do(export, settings("export"), inputs, tmp_path / "out")


def test_what_is_deployed_is_laid_out_by_name(ship, chain, tmp_path):
    said = ship()
    out = tmp_path / "out"
    assert said["files"] == 3
    assert said["saved_model_difference"] <= 1e-5
    assert (out / "model.keras").read_bytes() == (chain["train"] / "model.keras").read_bytes()
    assert {path.stem for path in (out / "tflite").iterdir()} == set(VARIANTS)
    for variant in VARIANTS:
        given = (chain[variant] / "model.tflite").read_bytes()
        assert (out / "tflite" / f"{variant}.tflite").read_bytes() == given
    signatures = tf.saved_model.load(str(out / "saved_model")).signatures
    assert list(signatures) == ["serving_default"]


@pytest.mark.parametrize("change", [-2e-5, pytest.param(np.nan, marks=pytest.mark.slow)])
def test_a_saved_model_that_differs_is_refused(change, ship, monkeypatch):
    honest = export._run_saved_model
    off = np.array([change, *[0] * 9])
    monkeypatch.setattr(export, "_run_saved_model", lambda *a: honest(*a) + off)
    with pytest.raises(ConversionError, match=r"^saved_model: its probabilities differ by"):
        ship()


def test_a_saved_model_of_another_network_is_refused(ship, monkeypatch):
    honest = export.save_signature

    def other(model, folder):
        honest(model, folder)
        model.layers[-1].bias.assign_add([0.1, *[0] * 9])
        honest(model, folder)

    monkeypatch.setattr(export, "save_signature", other)
    with pytest.raises(ConversionError, match=r"^saved_model: "):
        ship()


@pytest.mark.parametrize("change", [pytest.param(2e-4, marks=pytest.mark.slow), np.nan])
def test_a_float32_file_that_answers_otherwise_is_refused(change, ship, monkeypatch):
    honest = export.LiteRT.predict
    off = np.array([change, *[0] * 9])
    monkeypatch.setattr(export.LiteRT, "predict", lambda *a: honest(*a) + off)
    with pytest.raises(ConversionError, match=r"^float32\.tflite: .* at most 1e-04 may"):
        ship()


def test_a_float32_file_of_another_network_is_refused(chain, settings, do, inputs, tmp_path):
    model = load_model(chain["train"] / "model.keras")
    model.layers[-1].bias.assign_add([0.1, *[0] * 9])
    (tmp_path / "other").mkdir()
    save_model(model, tmp_path / "other" / "model.keras")
    inputs["train"] = tmp_path / "other"
    with pytest.raises(ConversionError, match=r"^float32\.tflite: "):
        do(export, settings("export"), inputs, tmp_path / "out")
