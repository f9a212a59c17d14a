import keras
import numpy as np
import pytest
import tensorflow as tf

from models import MODELS
from pipeline.compress.formats import FORMATS, pin_range, save_signature
from pipeline.errors import ConversionError
from pipeline.fit import session
from pipeline.measure.flatbuffer import inspect
from pipeline.measure.litert import LiteRT
from pipeline.measure.tflite import read_graph
from pipeline.stages.build import with_preprocessing
from tests.marks import slow_but

SHOWN = slice(1000, 1400)  # pictures no network here was trained on


@pytest.fixture(scope="module")
def pictures(digits):
    """Shuffled digits as bytes (1797, 8, 8, 1)."""
    return digits[0].astype(np.uint8)


def trained(digits, preprocess, epochs):
    images, labels = digits
    session.begin(0)
    core = MODELS["small_cnn"]((8, 8, 1), 10, width=8)
    model = with_preprocessing(core, preprocess, images[:1000].astype(np.uint8))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(images[:1000], labels[:1000], batch_size=50, epochs=epochs, verbose=0)
    return model


@pytest.fixture(scope="module")
def model(digits):
    return trained(digits, "scale", epochs=6)


@pytest.fixture(scope="module")
def expected(model, pictures):
    """What Keras says of the pictures shown."""
    return model.predict(pictures[SHOWN].astype(np.float32), verbose=0)


@pytest.fixture(scope="module")
def converted(model, pictures, tmp_path_factory):
    """A path for each format, and `int8_edges` for `io: int8`."""
    folder = tmp_path_factory.mktemp("formats")
    wanted = {name: (name, "uint8") for name in FORMATS} | {"int8_edges": ("int8", "int8")}
    files = {}
    for name, (form, io) in wanted.items():
        files[name] = folder / f"{name}.tflite"
        files[name].write_bytes(FORMATS[form](model, pictures[:100], io))
    return files


@pytest.fixture
def calibrated(model, tmp_path):
    """Make an int8 file from these calibration pictures."""

    def make(sample, of=model):
        path = tmp_path / "model.tflite"
        path.write_bytes(FORMATS["int8"](of, sample, "uint8"))
        return path

    return make


def ends(path):
    """(dtype, scale, zero point) of a file's one input and one output."""
    facts = inspect(path)
    return [(port.dtype, port.scale, port.zero_point) for port in (*facts.inputs, *facts.outputs)]


def alike(answers, expected):
    return np.mean(answers.argmax(-1) == expected.argmax(-1))


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic", "int16x8"])
def test_float_formats_take_pixels_and_give_probabilities_as_floats(name, converted):
    assert ends(converted[name]) == [("float32", 0, 0)] * 2


def test_int8_takes_raw_bytes_and_gives_probabilities_as_floats(converted):
    assert ends(converted["int8"]) == [("uint8", 1, 0), ("float32", 0, 0)]


def test_int8_for_microcontrollers_is_int8_at_both_ends(converted, pictures, expected):
    assert ends(converted["int8_edges"]) == [("int8", 1, -128), ("int8", 1 / 256, -128)]
    assert alike(LiteRT(converted["int8_edges"]).predict(pictures[SHOWN]), expected) > 0.97


@pytest.mark.parametrize("name", [*FORMATS, "int8_edges"])
def test_every_file_has_one_signature_from_images_to_probabilities(name, converted):
    facts = inspect(converted[name])
    (signature,) = facts.signatures
    assert signature.name == "serving_default"
    assert signature.inputs == ("images",)
    assert signature.outputs == ("probabilities",)
    assert [port.shape for port in (*facts.inputs, *facts.outputs)] == [(1, 8, 8, 1), (1, 10)]


@pytest.mark.parametrize(
    ("name", "most"),
    [("float32", 1e-4), ("float16", 5e-3), ("dynamic", 0.1), ("int16x8", 0.1), ("int8", 0.2)],
)
def test_every_format_agrees_with_keras_as_closely_as_its_numbers_allow(
    name, most, converted, pictures, expected
):
    answers = LiteRT(converted[name]).predict(pictures[SHOWN])
    assert np.abs(answers - expected).max() <= most
    assert alike(answers, expected) > 0.97


@pytest.mark.parametrize("name", [*FORMATS, "int8_edges"])
def test_only_operations_of_tflite_itself_are_used(name, converted):
    graph = read_graph(converted[name].read_bytes(), name)
    codes = {operator.code for operator in graph.operators}
    assert "CONV_2D" in codes
    assert not {code for code in codes if code == "CUSTOM" or code.startswith("Flex")}


def test_int8_computes_in_int8_and_is_smaller(converted):
    ops = inspect(converted["int8"]).ops
    assert ops["int8"] > 5
    assert (ops["float32"], ops["other"]) == (0, 0)
    sizes = {name: path.stat().st_size for name, path in converted.items()}
    assert sizes["int8"] < sizes["float16"] < sizes["float32"]


class Sinh(keras.layers.Layer):
    def call(self, x):
        return tf.sinh(x / 255)  # there is a Flex operation for it, and no builtin one


def test_a_network_that_needs_more_than_tflite_is_refused_in_one_line(pictures):
    images = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(Sinh()(images))
    odd = keras.Model(images, keras.layers.Dense(10, activation="softmax")(x))
    with pytest.raises(ConversionError, match="the converter refuses this network: ") as caught:
        FORMATS["float32"](odd, pictures[:10], "uint8")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", slow_but(["int8"], FORMATS))
def test_converting_again_gives_equal_bytes(name, model, pictures, converted):
    MODELS["lenet5"]((8, 8, 1), 10)  # whatever was built in between
    again = FORMATS[name](model, pictures[:100], "uint8")
    assert again == converted[name].read_bytes()


def low_contrast(pictures):
    return (20 + pictures.astype(np.float32) * (179 / 255)).astype(np.uint8)


def test_low_contrast_calibration_clips_no_raw_byte(calibrated, pictures, expected):
    sample = low_contrast(pictures[:100])
    assert (sample.min(), sample.max()) == (20, 199)
    path = calibrated(sample)
    assert ends(path)[0] == ("uint8", 1, 0)
    answers = LiteRT(path).predict(pictures[SHOWN])  # these go from 0 to 255
    assert alike(answers, expected) > 0.95
    assert np.abs(answers - expected).mean() < 0.02


@pytest.mark.parametrize("value", slow_but([0], [0, 100]))
def test_constant_calibration_pictures_leave_the_raw_byte_as_it_is(value, calibrated):
    path = calibrated(np.full((4, 8, 8, 1), value, np.uint8))
    assert ends(path)[0] == ("uint8", 1, 0)


@pytest.mark.parametrize("preprocess", slow_but(["standardize"], ["centre", "standardize"]))
def test_pictures_normalized_by_statistics_keep_the_raw_byte_too(
    preprocess, digits, pictures, calibrated
):
    model = trained(digits, preprocess, epochs=3)
    path = calibrated(low_contrast(pictures[:100]), model)
    assert ends(path)[0] == ("uint8", 1, 0)
    expected = model.predict(pictures[SHOWN].astype(np.float32), verbose=0)
    assert alike(LiteRT(path).predict(pictures[SHOWN]), expected) > 0.95


@pytest.mark.parametrize("shape", [(3, 8, 8, 1), (1, 5, 7, 3)])
def test_pinning_adds_one_picture_and_changes_none(shape):
    sample = np.random.default_rng(0).integers(20, 200, shape).astype(np.uint8)
    before = sample.copy()
    pinned = pin_range(sample)
    assert np.array_equal(sample, before)
    assert np.array_equal(pinned[:-1], sample)
    assert (pinned[-1].min(), pinned[-1].max()) == (0, 255)
    assert np.count_nonzero(pinned[-1] != sample[0]) == 2


def test_the_saved_model_is_the_keras_model_for_any_number_of_pictures(
    model, pictures, expected, tmp_path
):
    save_signature(model, tmp_path / "saved")
    signature = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    assert signature.structured_input_signature[1]["images"].shape == (None, 8, 8, 1)
    for count in (1, 7, 400):
        images = tf.constant(pictures[SHOWN][:count], tf.float32)
        answer = signature(images=images)
        assert list(answer) == ["probabilities"]
        assert np.abs(answer["probabilities"].numpy() - expected[:count]).max() < 1e-6
