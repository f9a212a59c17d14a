import keras
import numpy as np
import pytest

from pipeline.compress.aware import calibrate, quantization_aware, settle
from pipeline.compress.aware.layers import QuantizedKernel
from pipeline.compress.formats import rounded
from pipeline.measure.litert import LiteRT
from pipeline.measure.tflite import read_graph
from tests.compress.aware.families import network
from tests.marks import slow_but


@pytest.fixture
def aware(digits):
    """A network with biases and statistics, not settled."""

    def make(family):
        keras.utils.set_random_seed(0)
        rng = np.random.default_rng(0)
        model = network(family, activation=None)
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.beta.assign(rng.normal(0, 0.3, layer.beta.shape))
                layer.moving_mean.assign(rng.normal(0, 0.1, layer.beta.shape))
        model.layers[-1].bias.assign(rng.normal(0, 0.3, 10))
        made = quantization_aware(model)
        calibrate(made, digits[0][:64])
        return made

    return make


@pytest.fixture
def differences(digits, tmp_path):
    """What a model and its file answer to some digits, one beside the other."""

    def measure(model):
        path = tmp_path / "model.tflite"
        path.write_bytes(rounded(model, "uint8"))
        images = digits[0][:200]
        answers = model.predict(images, verbose=0)
        return answers, np.abs(answers - LiteRT(path).predict(images.astype(np.uint8))).mean()

    return measure


@pytest.mark.parametrize(
    "family",
    slow_but(["plain", "separable"], ["plain", "depthwise", "dense", "preactivated", "separable"]),
)
def test_settled_a_model_differs_less_from_its_file(family, aware, differences):
    made = aware(family)
    answers, before = differences(made)
    settle(made)
    settled, after = differences(made)
    assert after < 0.6 * before
    assert 0 < np.abs(settled - answers).mean() < 2 * before


def test_biases_of_the_model_are_integers_of_the_file(aware):
    made = aware("preactivated")
    settle(made)
    graph = read_graph(rounded(made, "uint8"), "preactivated")
    head = [layer for layer in made.layers if isinstance(layer, QuantizedKernel)][-1]
    dense = next(op for op in graph.operators if op.code == "FULLY_CONNECTED")
    bias = graph.tensors[dense.inputs[2]]
    stored = bias.data.view(np.int32) * np.asarray(bias.scale)
    np.testing.assert_allclose(stored, np.asarray(head.layer.bias), atol=1e-6)


def test_settling_again_changes_nothing(aware):
    made = aware("dense")
    settle(made)
    once = [np.array(weight) for weight in made.weights]
    settle(made)
    for weight, value in zip(made.weights, once, strict=True):
        np.testing.assert_allclose(weight, value, rtol=1e-5, atol=1e-6)
