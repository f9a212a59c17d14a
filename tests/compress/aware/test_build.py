import keras
import numpy as np
import pytest
from keras import layers as L

from models import MODELS
from pipeline.compress.aware import calibrate, deployable, quantization_aware
from pipeline.compress.aware.layers import FakeQuantize
from pipeline.compress.formats import rounded
from pipeline.errors import ConversionError
from pipeline.fit.files import load_model, save_model
from pipeline.measure.flatbuffer import inspect
from pipeline.measure.litert import LiteRT
from pipeline.measure.tflite import read_graph
from tests.compress.aware.families import FAMILIES, network
from tests.marks import slow_but


@pytest.fixture
def aware(digits, shake):
    """A network with the weights of a trained one as far as ranges care, made and calibrated."""

    def make(model):
        keras.utils.set_random_seed(0)
        made = quantization_aware(model)
        calibrate(made, digits[0][:64])
        return made

    return make


def close(model, other, images):
    ours, theirs = (net.predict(images, verbose=0) for net in (model, other))
    return float(np.sqrt(np.mean((ours - theirs) ** 2)) / ours.std())


SOME_FIRST = pytest.mark.parametrize(
    "family", slow_but(["plain", "residual", "squeezed", "preactivated"], FAMILIES)
)


@SOME_FIRST
def test_rounding_changes_little_and_the_model_it_is_made_of_nothing(family, aware, digits):
    keras.utils.set_random_seed(0)
    model = network(family, activation=None)
    before = [np.array(weight) for weight in model.weights]
    made = aware(model)
    assert 0 < close(model, made, digits[0][:200]) < 0.1
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


@SOME_FIRST
def test_what_the_converter_gets_computes_the_same(family, aware, digits):
    made = aware(network(family, activation=None))
    assert close(made, deployable(made), digits[0][:200]) < 0.02


@pytest.mark.parametrize("family", slow_but(["plain"], ["plain", "dense", "squeezed"]))
def test_saved_and_loaded_it_is_the_same(family, aware, digits, tmp_path):
    made = aware(network(family))
    save_model(made, tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        made.predict(digits[0][:64], verbose=0), again.predict(digits[0][:64], verbose=0)
    )


@pytest.mark.parametrize("family", slow_but(["dense"], ["inception", "dense"]))
def test_what_is_joined_has_one_scale_in_the_file(family, aware):
    graph = read_graph(rounded(aware(network(family)), "uint8"), family)
    joins = [operator for operator in graph.operators if operator.code == "CONCATENATION"]
    assert joins
    for join in joins:
        scales = {float(graph.tensors[index].scale[0]) for index in (*join.inputs, *join.outputs)}
        assert len(scales) == 1


def test_a_batch_normalization_behind_a_sum_is_one_operation(aware):
    graph = read_graph(rounded(aware(network("preactivated")), "uint8"), "preactivated")
    codes = [operator.code for operator in graph.operators]
    assert codes.count("DEPTHWISE_CONV_2D") == 3
    assert "MUL" not in codes


def nested():
    inner_in = keras.Input((8, 8, 4))
    inner = keras.Model(inner_in, L.BatchNormalization()(L.Conv2D(4, 3, padding="same")(inner_in)))
    images = keras.Input((8, 8, 1))
    x = inner(L.Conv2D(4, 1)(L.Rescaling(1 / 255)(images)))
    return keras.Model(images, L.Dense(3, activation="softmax")(L.Flatten()(inner(x))))


def shared():
    images = keras.Input((8, 8, 1))
    layer = L.Conv2D(1, 3, padding="same", activation="relu", name="twice")
    return keras.Model(images, L.Dense(3, activation="softmax")(L.Flatten()(layer(layer(images)))))


def sequential():
    return keras.Sequential(
        [keras.Input((8, 8, 1)), L.Rescaling(1 / 255), L.Flatten(), L.Dense(16, "relu"), L.Dense(3)]
    )


def standardized():
    images = keras.Input((8, 8, 1))
    x = L.Normalization(mean=[80.0], variance=[2500.0])(images)
    x = L.Conv2D(8, 3, padding="same", activation="relu")(x)
    return keras.Model(images, L.Dense(3, activation="softmax")(L.Flatten()(x)))


def three_added():
    images = keras.Input((8, 8, 1))
    x = L.Rescaling(1 / 127.5, offset=-1)(images)
    x = L.Add()([L.Conv2D(4, 3, padding="same")(x) for _ in range(3)])
    return keras.Model(images, L.Dense(3)(L.GlobalMaxPooling2D()(L.ReLU()(x))))


def normalized_features():
    images = keras.Input((8, 8, 1))
    x = L.BatchNormalization()(L.Dense(8, activation="relu")(L.Flatten()(images)))
    return keras.Model(images, L.Dense(3)(x))


def enlarged():
    images = keras.Input((8, 8, 1))
    x = L.Conv2D(4, 3, padding="same", activation="sigmoid")(L.Rescaling(1 / 255)(images))
    x = L.UpSampling2D(interpolation="bilinear")(L.AveragePooling2D(2)(x))
    return keras.Model(images, L.Dense(3)(L.Flatten()(x)))


def coloured():
    """Gray pixels made three channels of, as for a network that was trained on colours."""
    images = keras.Input((8, 8, 1))
    x = L.ZeroPadding2D(1)(images)
    x = L.Rescaling(1 / 127.5, offset=-1)(L.Concatenate()([x, x, x]))
    x = L.Conv2D(8, 3, padding="same", activation="relu")(x)
    return keras.Model(images, L.Dense(3, activation="softmax")(L.Flatten()(x)))


OTHERS = (
    *(nested, shared, sequential, standardized, three_added, normalized_features, enlarged),
    coloured,
)


@pytest.mark.parametrize("make", slow_but([sequential, coloured, shared], OTHERS))
def test_graphs_of_every_kind_are_int8_throughout_and_agree(make, aware, digits, tmp_path):
    keras.utils.set_random_seed(0)
    model = make()
    made = aware(model)
    images = digits[0][:200]
    assert close(model, made, images) < 0.2
    path = tmp_path / "model.tflite"
    path.write_bytes(rounded(made, "uint8"))
    facts = inspect(path)
    assert facts.ops["float32"] == facts.ops["other"] == 0
    expected = made.predict(images, verbose=0)
    found = LiteRT(path).predict(images.astype(np.uint8))
    assert np.sqrt(np.mean((expected - found) ** 2)) / expected.std() < 0.02


def test_a_shared_layer_has_one_kernel(aware):
    made = aware(shared())
    assert [layer.name for layer in made.layers].count("twice.rounded") == 1


def test_a_rescaling_is_folded_into_the_kernels_behind_it(aware):
    made = aware(sequential())
    assert not any(isinstance(layer, L.Rescaling) for layer in made.layers)
    factors = [layer.factor for layer in made.layers if hasattr(layer, "factor")]
    assert factors == [pytest.approx(1 / 255), 1.0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["MobileNetV2", "ResNet50V2", "MobileNetV3Small", "EfficientNetB0"]
)
def test_a_backbone_of_gray_pictures_is_taken(name):
    made = quantization_aware(MODELS["backbone"]((32, 32, 1), 10, network=name, weights="none"))
    assert any(isinstance(layer, L.Concatenate) for layer in made.layers)


def test_dropout_stays_for_training(aware, digits):
    made = aware(network("plain"))
    assert sum(isinstance(layer, L.Dropout) for layer in made.layers) == 1
    images = digits[0][:32]
    assert (np.asarray(made(images, training=True)) != np.asarray(made(images))).any()


def test_no_tensor_is_rounded_twice(aware):
    made = aware(network("plain"))
    for layer in made.layers:
        if isinstance(layer, FakeQuantize):
            before = layer._inbound_nodes[0].arguments.keras_tensors[0]._keras_history.operation
            assert not isinstance(before, FakeQuantize)


def refused(x):
    return {
        "LayerNormalization": L.LayerNormalization()(x),
        "activation gelu": L.Conv2D(4, 3, activation="gelu")(x),
        "along axis 1": L.Concatenate(axis=1)([x, x]),
        "joins a tensor whose range": L.Concatenate()([x, L.Activation("sigmoid")(x)]),
        "an array in it": x + np.ones((8, 8, 4), "float32"),
        "Exp": keras.ops.exp(x),
        "Attention": L.Attention()([x[:, 0], x[:, 0]]),
    }


@pytest.mark.parametrize("said", ["LayerNormalization", "activation gelu", "along axis 1", "joins a tensor whose range", "an array in it", "Exp", "Attention"])  # fmt: skip  # noqa: E501
def test_what_cannot_be_imitated_is_refused_by_name_and_int8_offered(said):
    images = keras.Input((8, 8, 1))
    x = refused(L.Conv2D(4, 1)(images))[said]
    with pytest.raises(ConversionError, match=f"qat: .*{said}.*int8"):
        quantization_aware(keras.Model(images, x))


def test_a_subclassed_model_is_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ConversionError, match=r"Own.* has no graph"):
        quantization_aware(Own(name="own"))
