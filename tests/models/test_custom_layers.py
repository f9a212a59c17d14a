"""Every layer a list may hold trains, is mirrored, and becomes a file that computes in int8."""

import keras
import numpy as np
import pytest

from models import MODELS
from models.custom.joins import KINDS
from models.custom.network import MAKERS
from models.custom.reading import read, shapes
from pipeline.compress.formats import FORMATS
from pipeline.compress.legacy import check_parity, mirror
from pipeline.fit import session
from pipeline.fit.files import load_model, save_model
from pipeline.measure.flatbuffer import inspect
from pipeline.measure.litert import LiteRT
from tests.marks import slow_but
from tests.models.custom_layers import LAYERS, MIXED, SHAPE, beside, whole

# One of each kind of layer that has a size of its own.
OF_EACH_KIND = (
    *("conv valid", "conv strided", "depthwise strided", "separable strided", "transposed"),
    *("max pool overlapping", "average pool", "global max pool", "upsample", "dense", "add"),
    *("concatenate features", "group normalization"),
)
SIX_AT_A_TIME = [list(LAYERS)[start : start + 6] for start in range(0, len(LAYERS), 6)]


def learned(layers, digits, steps=60):
    """A network that has seen half the digits for some steps, and the losses."""
    pixels, labels = digits[0][:512].astype(np.float32), digits[1][:512]
    session.begin(0)
    model = MODELS["custom"](SHAPE, 10, layers=layers)
    images = keras.Input(SHAPE, name="images")
    scaled = keras.layers.Rescaling(1 / 255)(images)
    model = keras.Model(images, keras.Function(model.input, model.output).call(scaled))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model, [model.train_on_batch(pixels, labels) for _ in range(steps)]


@pytest.mark.slow
@pytest.mark.parametrize("names", SIX_AT_A_TIME, ids=lambda names: f"{names[0]}...")
def test_every_form_of_every_layer_goes_the_whole_way(names, digits, tmp_path):
    go_the_whole_way(beside(names), digits, tmp_path)


@pytest.mark.parametrize("name", slow_but(["branches"], MIXED))
def test_a_network_of_all_kinds_goes_the_whole_way(name, digits, tmp_path):
    go_the_whole_way(MIXED[name], digits, tmp_path)


def go_the_whole_way(layers, digits, tmp_path):
    """Train, save, mirror, convert twice, and compare each with what Keras says."""
    images = digits[0][1000:1300]
    pixels = images.astype(np.float32)
    model, losses = learned(layers, digits)
    assert min(losses[-3:]) < 0.9 * losses[0]

    save_model(model, tmp_path / "model.keras")
    expected = model.predict(pixels, verbose=0)
    assert np.array_equal(load_model(tmp_path / "model.keras").predict(pixels, verbose=0), expected)
    assert check_parity(model, mirror(model), pixels) == 0.0

    files = {form: tmp_path / f"{form}.tflite" for form in ("float32", "int8")}
    for form, path in files.items():
        path.write_bytes(FORMATS[form](model, digits[0][:200], "uint8"))
    assert np.abs(LiteRT(files["float32"]).predict(images) - expected).max() < 1e-4
    ops = inspect(files["int8"]).ops
    assert ops["int8"] >= 4
    assert (ops["float32"], ops["other"]) == (0, 0)
    answers = LiteRT(files["int8"]).predict(images)
    assert np.abs(answers - expected).mean() < 0.02
    second, first = np.sort(expected, -1)[:, -2:].T
    sure = first - second > 0.05  # nearer than that, rounding may decide
    assert sure.sum() > 30
    assert np.mean(answers[sure].argmax(-1) == expected[sure].argmax(-1)) > 0.95


@pytest.mark.parametrize("name", slow_but(OF_EACH_KIND, LAYERS))
def test_shapes_are_known_before_anything_is_built(name):
    placed = read(whole(name))
    known = shapes(placed, (9, 12, 3))
    unknown = shapes(placed, (None, None, None))
    session.begin(0)
    model = MODELS["custom"]((9, 12, 3), 4, layers=whole(name))
    made = {layer.name: layer for layer in model.layers}
    for item, shape, vague in zip(placed, known[1:], unknown[1:], strict=True):
        ends = [made[n].output.shape[1:] for n in made if n.split(".")[0] == str(item.number)]
        assert shape in ends
        assert all(size in {None, exact} for size, exact in zip(vague, shape, strict=True))


def test_every_kind_is_tested_and_can_be_made():
    items = [item for layers in LAYERS.values() for item in layers]
    assert {next(iter(item)) if isinstance(item, dict) else item for item in items} == set(KINDS)
    assert set(MAKERS) == set(KINDS.values())
