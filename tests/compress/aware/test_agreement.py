"""A quantization-aware model and its file answer alike, family by family."""

import keras
import numpy as np
import pytest

from pipeline.compress.aware import calibrate, quantization_aware, settle
from pipeline.compress.aware.layers import FakeQuantize
from pipeline.compress.formats import rounded
from pipeline.measure.closeness import closeness
from pipeline.measure.flatbuffer import inspect
from pipeline.measure.litert import LiteRT
from tests.compress.aware.families import FAMILIES, network
from tests.marks import slow_but

TRAIN, OTHERS = slice(0, 1200), slice(1200, 1797)
# Root mean square of the differences of logits, over their standard deviation.
MOST = dict.fromkeys(FAMILIES, 0.01)


def train(model, digits, epochs):
    images, labels = digits
    scores = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), scores)
    model.fit(images[TRAIN], labels[TRAIN], batch_size=32, epochs=epochs, verbose=0)


@pytest.fixture(scope="module", params=slow_but(["plain", "residual"], FAMILIES))
def made(request, digits, tmp_path_factory):
    """A trained network, its quantization-aware form after two epochs, and the file of that."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = network(request.param, activation=None)
    train(model, digits, 3)
    aware = quantization_aware(model)
    calibrate(aware, digits[0][TRAIN][:256])
    train(aware, digits, 2)
    settle(aware)
    path = tmp_path_factory.mktemp(request.param) / "model.tflite"
    path.write_bytes(rounded(aware, "uint8"))
    return request.param, model, aware, path


def test_the_model_and_its_file_answer_alike(made, digits):
    family, _, aware, path = made
    images = digits[0][OTHERS]
    answers = aware.predict(images, verbose=0)
    last = [layer for layer in aware.layers if isinstance(layer, FakeQuantize)][-1]
    step = float(last.high - last.low) / 255
    close = closeness(answers, LiteRT(path).predict(images.astype(np.uint8)), step)
    assert close.rms <= MOST[family]
    assert close.agreement >= 0.995


def test_everything_in_the_file_is_int8(made):
    _, _, _, path = made
    facts = inspect(path)
    assert facts.ops["float32"] == facts.ops["other"] == 0
    assert facts.ops["int8"] > 4
    assert [(port.dtype, port.scale, port.zero_point) for port in facts.inputs] == [("uint8", 1, 0)]
    assert facts.outputs[0].dtype == "float32"


def test_the_file_has_learned(made, digits):
    _, model, _, path = made
    images, labels = digits[0][OTHERS], digits[1][OTHERS]
    found = (LiteRT(path).predict(images.astype(np.uint8)).argmax(1) == labels).mean()
    before = (model.predict(images, verbose=0).argmax(1) == labels).mean()
    assert found > max(0.5, before - 0.1)
