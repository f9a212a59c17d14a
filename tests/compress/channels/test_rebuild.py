import keras
import numpy as np
import pytest
from keras import layers as L

from models import MODELS
from pipeline.compress.channels import by_weights, choose, rebuild, trace
from pipeline.compress.formats import FORMATS
from pipeline.compress.legacy import check_parity, mirror
from pipeline.errors import ConfigError
from pipeline.fit.files import load_model, save_model
from pipeline.measure.flatbuffer import inspect
from pipeline.measure.litert import LiteRT
from tests.compress.channels.networks import SMALL, batch, outputs
from tests.compress.channels.silence import random_masks, shaken
from tests.marks import slow_but

EVERY = pytest.mark.parametrize("name", SMALL)


def slimmed(model, seed=0, keep=()):
    traced = trace(shaken(model), keep)
    return rebuild(traced, random_masks(traced, np.random.default_rng(seed), pooled=True))


@EVERY
def test_a_slim_model_saves_loads_and_clones_like_any_other(name, tmp_path):
    slim = slimmed(SMALL[name]())
    given = batch(slim, np.random.default_rng(0))
    save_model(slim, tmp_path / "slim.keras")
    loaded = load_model(tmp_path / "slim.keras")
    clone = keras.models.clone_model(slim)
    clone.set_weights(slim.get_weights())
    for layer in clone._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    for one, other, third in zip(
        *(outputs(model, given) for model in (slim, loaded, clone)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)


def test_keeping_everything_gives_the_same_model_in_its_own_memory():
    model = shaken(SMALL["two_ways"]())
    twin = rebuild(trace(model), trace(model).whole())
    assert twin.get_config() == model.get_config()
    given = batch(model, np.random.default_rng(0))
    before = outputs(model, given)
    for weight in twin.weights:
        weight.assign(0 * weight)
    for one, other in zip(before, outputs(model, given), strict=True):
        np.testing.assert_array_equal(one, other)


def test_shared_layers_stay_shared_nested_ones_nested_and_frozen_ones_frozen():
    model = SMALL["nested"]()
    block = model.get_layer("block")
    block.layers[1].trainable = False
    slim = slimmed(model)
    inner = slim.get_layer("block")
    assert len(inner._inbound_nodes) == len(block._inbound_nodes)
    assert type(inner.layers[1]) is keras.Sequential
    assert len(slim.trainable_weights) == len(model.trainable_weights) < len(model.weights)
    assert sum(layer is inner for layer in slim.layers) == 1


def test_a_nested_model_may_be_frozen_in_part():
    given = keras.Input((8, 8, 3))
    frozen = keras.Model(given, L.Conv2D(7, 3)(L.Conv2D(6, 3)(given)), name="block")
    frozen.trainable = False
    frozen.layers[-1].trainable = True
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, L.Dense(2)(L.Flatten()(frozen(images))))
    slim = slimmed(model)
    assert len(slim.trainable_weights) == len(model.trainable_weights) == 4
    flags = [layer.trainable for layer in slim.get_layer("block").layers[1:]]
    assert flags == [False, True]


class Scaling(L.Layer):
    """A layer of a user's, whose config Keras puts together by itself, without a name."""

    def __init__(self, factor, **arguments):
        super().__init__(**arguments)
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs


def test_a_kept_layer_goes_by_its_name_in_the_next_round_too():
    images = keras.Input((8, 8, 3))
    x = Scaling(2.0, name="times")(L.Conv2D(6, 3)(images))
    model = keras.Model(images, L.Dense(2)(L.Flatten()(L.Conv2D(6, 3)(x))))
    once = slimmed(model, keep=["times"])
    assert trace(once, ["times"]).model.get_layer("times").factor == 2.0


@pytest.mark.parametrize(
    "made", [L.Lambda(lambda x: 2 * x, name="odd"), L.Conv2D(6, 3, activation=abs, name="odd")]
)
def test_a_layer_that_cannot_be_made_again_is_named(made):
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, L.Dense(2)(L.Flatten()(made(L.Conv2D(6, 3)(images)))))
    traced = trace(model, keep=["odd"])
    with pytest.raises(
        ConfigError, match=r"layer 'odd' \(.*\) cannot be made again from its config"
    ):
        rebuild(traced, traced.whole())


def test_a_sequential_model_stays_one_and_half_precision_too():
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), L.Conv2D(8, 3, dtype="mixed_float16"), L.Flatten(), L.Dense(2)]
    )
    slim = slimmed(model)
    assert type(slim) is keras.Sequential
    assert slim.layers[0].compute_dtype == "float16"
    assert slim.layers[0].filters < 8


@pytest.mark.parametrize("name", slow_but(["resnet8"], ["resnet8", "mobilenet_v2"]))
def test_a_slim_model_is_mirrored_and_reaches_int8(name, tmp_path):
    keras.utils.set_random_seed(0)
    model = shaken(MODELS[name]((32, 32, 3), 10, **({"width": 0.5} if "mobile" in name else {})))
    traced = trace(model)
    slim = rebuild(traced, choose(traced, by_weights(traced), 0.5))
    images = np.random.default_rng(0).uniform(0, 255, (16, 32, 32, 3)).astype("float32")
    assert check_parity(slim, mirror(slim), images / 255) == 0.0
    wrapped = keras.Sequential([keras.Input((32, 32, 3)), L.Rescaling(1 / 255), slim])
    path = tmp_path / "slim.tflite"
    path.write_bytes(FORMATS["int8"](wrapped, images.astype("uint8"), "uint8"))
    whole = tmp_path / "whole.tflite"
    wrapped = keras.Sequential([keras.Input((32, 32, 3)), L.Rescaling(1 / 255), model])
    whole.write_bytes(FORMATS["int8"](wrapped, images.astype("uint8"), "uint8"))
    assert inspect(path).macs <= 0.5 * inspect(whole).macs
    assert path.stat().st_size < whole.stat().st_size
    answers = LiteRT(path).predict(images.astype("uint8"))
    assert np.abs(answers - np.asarray(slim(images / 255))).mean() < 0.05


def test_a_slim_model_trains(digits):
    model = MODELS["small_cnn"]((8, 8, 1), 10, width=8)
    traced = trace(model)
    slim = rebuild(traced, choose(traced, by_weights(traced), 0.5))
    slim.compile("adam", "sparse_categorical_crossentropy")
    found = slim.fit(digits[0] / 255, digits[1], epochs=3, verbose=0).history["loss"]
    assert found[-1] < found[0]
