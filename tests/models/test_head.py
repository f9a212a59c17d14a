"""Networks end in softmax, or in sigmoid where a picture may show several classes."""

import keras
import numpy as np
import pytest
from keras import layers

from models import MODELS
from models.head import ending, ending_in
from pipeline.compress.anatomy import sketched
from pipeline.errors import ConfigError
from pipeline.settings import Build
from pipeline.stages import build

SHAPE = (32, 32, 3)
SOME = {"custom": {"layers": [{"conv": 4}]}, "backbone": {"weights": "none", "alpha": 0.35}}


@pytest.fixture
def saved(tmp_path):
    """Save a small model of one's own that ends in an activation; return its path."""

    def save(activation):
        images = keras.Input(SHAPE)
        x = layers.Dense(3, activation=activation, name="mine")(layers.Flatten()(images))
        keras.Model(images, x).save(tmp_path / "mine.keras")
        return str(tmp_path / "mine.keras")

    return save


@pytest.mark.parametrize("name", [name for name in MODELS if name != "file"])
def test_every_network_ends_as_it_is_asked_to(name):
    options = SOME.get(name, {})
    with sketched():
        for activation in ("sigmoid", "softmax"):
            with ending_in(activation):
                model = build.make_core(Build(model=name, **options), SHAPE, 3)
            last = model.get_layer("probabilities")
            assert last is model.outputs[0]._keras_history.operation
            assert last.activation is getattr(keras.activations, activation)
    assert ending() == "softmax", "what is asked for ends with the block"


def test_a_network_that_knows_softmax_alone_is_refused_in_a_line(monkeypatch):
    def stubborn(input_shape, classes):
        images = keras.Input(input_shape)
        outputs = layers.Dense(classes, activation="softmax")(layers.Flatten()(images))
        return keras.Model(images, outputs)

    monkeypatch.setattr(build, "MODELS", {"small_cnn": stubborn})
    with ending_in("sigmoid"), pytest.raises(ConfigError) as caught:
        build.make_core(Build(), SHAPE, 3)
    assert "small_cnn ends in softmax, these labels ask for sigmoid" in str(caught.value)
    build.make_core(Build(), SHAPE, 3)


def test_a_file_of_ones_own_has_to_fit_or_gets_a_new_end(saved):
    with ending_in("sigmoid"):
        kept = MODELS["file"](SHAPE, 3, saved("sigmoid"))
        assert kept.get_layer("probabilities").activation is keras.activations.sigmoid
        with pytest.raises(ConfigError, match=r"several.*not end in sigmoid.*head=new"):
            MODELS["file"](SHAPE, 3, saved("softmax"))
        fresh = MODELS["file"](SHAPE, 5, saved("softmax"), head="new")
    assert fresh.output_shape == (None, 5)
    outputs = fresh.predict(np.zeros((1, *SHAPE), np.float32), verbose=0)
    assert outputs == pytest.approx(np.full((1, 5), 0.5)), "each class by itself"
    with pytest.raises(ConfigError, match="does not end in softmax"):
        MODELS["file"](SHAPE, 3, saved("sigmoid"))
