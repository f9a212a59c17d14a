import inspect
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from models import MODELS
from pipeline.compress.formats import FORMATS
from pipeline.errors import ConfigError
from pipeline.fit import session
from pipeline.fit.files import load_model, save_model
from pipeline.measure.litert import LiteRT

ROOT = Path(__file__).parent.parent.parent
EVERY = pytest.mark.parametrize("name", MODELS)
NEEDED = {"custom": {"layers": [{"conv": 16}, {"activation": "relu"}, "flatten"]}}  # no default
SHAPES = pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3)], ids=str)


def make(name, shape, classes, **options):
    return MODELS[name](shape, classes, **options | NEEDED.get(name, {}))


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@SHAPES
@EVERY
def test_every_model_maps_pictures_to_probabilities(name, shape):
    model = make(name, shape, 7)
    images = np.random.default_rng(0).uniform(size=(3, *shape)).astype(np.float32)
    probabilities = model.predict(images, verbose=0)
    assert model.input_shape == (None, *shape)
    assert probabilities.shape == (3, 7)
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-5)
    assert model.name == name
    assert (model.layers[0].name, model.layers[-1].name) == ("images", "probabilities")


@EVERY
def test_every_model_learns_and_reaches_a_pocket(name, digits, tmp_path):
    images, labels = digits[0][:256], digits[1][:256]
    pixels = images.astype(np.float32)
    session.begin(0)
    model = make(name, (8, 8, 1), 10)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    losses = [model.train_on_batch(pixels / 255, labels) for _ in range(12)]
    assert min(losses[-3:]) < 0.97 * losses[0]

    save_model(model, tmp_path / "model.keras")
    expected = model.predict(pixels, verbose=0)
    assert np.array_equal(load_model(tmp_path / "model.keras").predict(pixels, verbose=0), expected)

    (tmp_path / "model.tflite").write_bytes(FORMATS["int8"](model, images[:64], "uint8"))
    answers = LiteRT(tmp_path / "model.tflite").predict(images)
    assert np.abs(answers - expected).mean() < 0.02


@pytest.mark.parametrize(("name", "count"), [("small_cnn", 94_186), ("lenet5", 61_706)])
def test_parameters_are_as_many_as_the_docstring_says(name, count):
    assert trainable(MODELS[name]((28, 28, 1), 10)) == count
    assert f"{count:,}" in inspect.getdoc(MODELS[name])


@EVERY
def test_options_are_given_by_keyword_and_known_without_importing(name):
    parameters = inspect.signature(MODELS[name]).parameters
    said = MODELS.function(name).defaults
    assert list(parameters)[:2] == ["input_shape", "classes"]
    assert said == {key: parameters[key].default for key in list(parameters)[2:]}
    spelled_out = make(name, (8, 8, 1), 10, **said)
    assert trainable(spelled_out) == trainable(make(name, (8, 8, 1), 10))
    assert MODELS.function(name).summary == inspect.getdoc(MODELS[name]).splitlines()[0]


def test_options_of_small_cnn_change_it():
    widths = [trainable(MODELS["small_cnn"]((8, 8, 1), 10, width=width)) for width in (4, 8)]
    assert widths[0] < widths[1] / 3
    shallow = MODELS["small_cnn"]((8, 8, 1), 10, width=4, blocks=2)
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in shallow.layers) == 2
    assert MODELS["small_cnn"]((1, 1, 1), 2).output_shape == (None, 2)


def test_lenet5_takes_another_activation():
    relu = MODELS["lenet5"]((28, 28, 1), 10, activation="relu")
    assert relu.layers[1].activation is keras.activations.relu


def test_an_unknown_model_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match=r"'small_cn': did you mean 'small_cnn'\?"):
        MODELS["small_cn"]


def test_listing_the_models_imports_no_keras():
    code = (
        "import sys; from models import MODELS; list(MODELS); MODELS.function('lenet5').defaults; "
        "print([name for name in ('keras', 'tensorflow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
