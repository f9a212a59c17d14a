"""Networks counted by hand, by the converter, and as their papers and others count them."""

import keras
import numpy as np
import pytest
from keras import layers

from models import MODELS
from pipeline.compress.anatomy import anatomy, sketched
from pipeline.compress.formats import FORMATS
from pipeline.errors import ConfigError
from pipeline.measure.flatbuffer import inspect
from tests.marks import slow_but


def rows(model):
    return {row.name: row for row in anatomy(model).layers}


def written(model, form, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, *model.input_shape[1:]), np.uint8)
    path = tmp_path / f"{form}.tflite"
    path.write_bytes(FORMATS[form](model, images, "uint8"))
    return inspect(path)


def branching():
    """Depthwise, grouped, dilated, transposed and separable convolutions, branches and a gate."""
    images = x = keras.Input((8, 10, 4))
    x = layers.Conv2D(8, 3, 2, padding="same", groups=2, name="grouped")(x)
    a = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="depthwise")(x)
    a = layers.Conv2D(6, 1, name="pointwise")(a)
    b = layers.Conv2D(6, 3, padding="same", dilation_rate=2, name="dilated")(x)
    x = layers.Concatenate()([a, b])
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Multiply()([layers.Conv2D(12, 1, activation="sigmoid", name="gate")(gate), x])
    x = layers.Conv2DTranspose(4, 2, 2, name="transposed")(x)
    x = layers.SeparableConv2D(5, 3, padding="valid", name="separable")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, layers.Dense(3, name="dense")(x), name="branching")


# Side by side with the network: positions of the output x weights of the kernel.
BY_HAND = {
    "lenet5": (
        lambda: MODELS["lenet5"]((28, 28, 1), 10),
        28 * 28 * (5 * 5 * 1 * 6)  # same padding: 117,600
        + 10 * 10 * (5 * 5 * 6 * 16)  # 14 - 5 + 1 = 10: 240,000
        + 5 * 5 * 16 * 120 + 120 * 84 + 84 * 10,  # 48,000 + 10,080 + 840
        (5 * 5 + 1) * 6 + (5 * 5 * 6 + 1) * 16 + 401 * 120 + 121 * 84 + 85 * 10,
        # conv 5, pool +1, conv +2*4, pool +2*1
        (5 + 1 + 8 + 2, 16),
    ),
    "small_cnn": (
        lambda: MODELS["small_cnn"]((28, 28, 1), 10),
        28 * 28 * (3 * 3 * 1 * 32) + 14 * 14 * (3 * 3 * 32 * 64) + 7 * 7 * (3 * 3 * 64 * 128)
        + 128 * 10,
        9 * 32 + 9 * 32 * 64 + 9 * 64 * 128 + 4 * (32 + 64 + 128) + 129 * 10,
        # conv +2, pool +1, each step twice as wide as the one before
        (1 + 2 + 1 + 2 * (2 + 1) + 4 * (2 + 1), 22),
    ),
    "branching": (
        branching,
        4 * 5 * (3 * 3 * (4 // 2) * 8)  # each of 2 groups sees 2 of 4 channels: 2,880
        + 4 * 5 * (3 * 3 * 8 * 2)  # each channel by 2 kernels of its own: 2,880
        + 4 * 5 * (16 * 6)  # 1,920
        + 4 * 5 * (3 * 3 * 8 * 6)  # dilation adds no weights: 8,640
        + 1 * (12 * 12)  # of the gate
        + 4 * 5 * (2 * 2 * 12 * 4)  # each of 4x5 inputs is spread over 2x2x4: 3,840
        + 6 * 8 * (3 * 3 * 4 + 4 * 5)  # depthwise 3x3 and 1x1 at 8-2 x 10-2: 2,688
        + 5 * 3,
        (9 * 2 * 8 + 8) + (9 * 8 * 2 + 16) + (16 * 6 + 6) + (9 * 8 * 6 + 6) + (12 * 12 + 12)
        + (4 * 12 * 4 + 4) + (9 * 4 + 4 * 5 + 5) + (5 * 3 + 3),
        # 3; dilated: + 2*2*2 = 11 (the other branch: 7); transposed 2/2 reaches one input; + 1*2
        (13, 13),
    ),
}  # fmt: skip
EVERY = pytest.mark.parametrize("name", BY_HAND)


@EVERY
def test_a_network_counts_what_a_hand_counts(name):
    make, macs, params, field = BY_HAND[name]
    found = anatomy(make())
    assert (found.macs, found.params, found.receptive_field) == (macs, params, field)
    assert found.uncounted == ()


@pytest.mark.parametrize("name", slow_but(["branching"], BY_HAND))
def test_the_converter_counts_the_same(name, tmp_path):
    model = BY_HAND[name][0]()
    assert anatomy(model).macs == written(model, "float32", tmp_path).macs


@pytest.mark.parametrize(
    ("name", "shape", "params", "macs", "field"),
    [
        # fields: table 1 of Araujo et al., 2019
        ("MobileNet", (224, 224, 3), 4_253_864, 568_740_352, 315),
        ("VGG16", (224, 224, 3), 138_357_544, 15_470_264_320, 212),
        ("ResNet50", (224, 224, 3), 25_636_712, 3_857_973_248, 483),
        ("InceptionV3", (299, 299, 3), 23_851_784, 5_713_216_096, 1311),
    ],
)
def test_known_networks_count_what_is_known_of_them(name, shape, params, macs, field):
    with sketched():
        model = getattr(keras.applications, name)(weights=None, input_shape=shape)
    found = anatomy(model)
    assert (found.params, found.macs) == (params, macs)
    assert found.receptive_field == (field, field)
    assert sum(row.macs for row in found.layers) == macs


def test_resnet50_is_3_86_billion_stage_by_stage():
    """A bottleneck of width w at s x s: 1x1 in, 3x3, 1x1 out; its first also the shortcut."""
    total, given = 112 * 112 * 7 * 7 * 3 * 64, 64
    for side, width, blocks in ((56, 64, 3), (28, 128, 4), (14, 256, 6), (7, 512, 3)):
        for _ in range(blocks):
            first = given != 4 * width
            kernels = given * width + 9 * width * width + width * 4 * width
            total += side * side * (kernels + (given * 4 * width if first else 0))
            given = 4 * width
    total += 2048 * 1000
    with sketched():
        model = keras.applications.ResNet50(weights=None)
    assert anatomy(model).macs == total == 3_857_973_248


def test_rows_say_the_form_of_each_layer():
    found = rows(branching())
    grouped, dilated, gate = found["grouped"], found["dilated"], found["gate"]
    assert (grouped.kernel, grouped.strides, grouped.groups) == ((3, 3), (2, 2), 2)
    assert (dilated.dilation, dilated.filters, dilated.output) == ((2, 2), 6, (4, 5, 6))
    assert (gate.activation, gate.field, grouped.field) == ("sigmoid", None, (3, 3))
    assert found["dense"].field is None


def test_a_shared_layer_works_each_time_and_weighs_once():
    images = keras.Input((8, 8, 3))
    shared = layers.Conv2D(3, 3, padding="same")
    x = shared(shared(images))
    model = keras.Model(images, layers.Dense(2)(layers.Flatten()(x)))
    found = anatomy(model)
    assert found.macs == 2 * 64 * 81 + 192 * 2
    assert found.params == model.count_params() == 84 + 386
    assert [row.params for row in found.layers] == [0, 84, 0, 0, 386]
    assert found.receptive_field == (5, 5)


def test_nested_models_are_unfolded_at_the_size_they_are_called_with():
    """One nested model without a size, called on two sizes."""
    inside = keras.Input((None, None, 3))
    block = keras.Model(inside, layers.Conv2D(3, 3, padding="same", name="c")(inside), name="block")
    images = keras.Input((8, 8, 3))
    x = block(layers.MaxPooling2D()(block(images)))
    outer = keras.Sequential([keras.Input((8, 8, 3)), keras.Model(images, x, name="two")])
    found = anatomy(outer)
    calls = [row for row in found.layers if row.name == "two/block/c"]
    assert [row.output for row in calls] == [(8, 8, 3), (4, 4, 3)]
    assert found.macs == (64 + 16) * 81
    assert found.params == outer.count_params()
    assert found.layers[calls[1].inputs[0]].kind == "MaxPooling2D"


def test_trainable_leaves_out_statistics_and_frozen_layers():
    model = MODELS["small_cnn"]((28, 28, 1), 10)
    assert anatomy(model).trainable == 94_186
    model.layers[1].trainable = False
    assert anatomy(model).trainable == 94_186 - 9 * 32
    assert anatomy(model).params == 94_634


def test_the_state_of_a_random_generator_is_no_parameter():
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.5), layers.Dense(2)])
    assert anatomy(model).params == 10


def test_upsampling_divides_the_step():
    images = keras.Input((16, 16, 1))
    x = layers.UpSampling2D(interpolation="bilinear")(layers.MaxPooling2D()(images))
    x = layers.Conv2D(1, 3)(x)
    # pool 2, linear reaches one of 2 pixels further, then steps of one pixel: + 2
    assert anatomy(keras.Model(images, x)).receptive_field == (6, 6)


def test_layers_that_multiply_without_a_rule_are_named():
    images = keras.Input((4, 8))
    x = layers.MultiHeadAttention(2, 4, name="attention")(images, images)
    found = anatomy(keras.Model(images, layers.Dense(2)(layers.PReLU()(x))))
    assert found.uncounted == ("attention",)
    assert found.macs == 4 * 8 * 2


def test_what_has_no_graph_or_no_size_is_refused_in_a_line():
    with pytest.raises(ConfigError, match="which size, is not said"):
        anatomy(keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(2, 3)]))
    with pytest.raises(ConfigError, match="has no graph"):
        anatomy(keras.Sequential([layers.Dense(2)]))


def test_a_sketch_takes_no_memory_and_counts_the_same():
    with sketched():
        model = MODELS["lenet5"]((4096, 4096, 3), 10)  # its weights would be 8 GB
    assert anatomy(model).params == (75 + 1) * 6 + 2416 + (1022**2 * 16 + 1) * 120 + 10_164 + 850
    with sketched():
        light = MODELS["small_cnn"]((28, 28, 1), 10)
    facts, real = anatomy(light).facts(), anatomy(MODELS["small_cnn"]((28, 28, 1), 10)).facts()
    assert {key: facts[key] for key in ("params", "trainable", "macs", "int8_bytes")} == {
        key: real[key] for key in ("params", "trainable", "macs", "int8_bytes")
    }


def trained_looking(model):
    """Give biases and statistics values of their own; where all are zero the file shares them."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(np.asarray(weight) + random.uniform(0.02, 0.1, weight.shape))
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda: MODELS["lenet5"]((28, 28, 1), 10),
        pytest.param(lambda: MODELS["small_cnn"]((28, 28, 1), 10, width=4), marks=pytest.mark.slow),
        pytest.param(lambda: MODELS["small_cnn"]((28, 28, 1), 10), marks=pytest.mark.slow),
        lambda: keras.applications.MobileNet(
            input_shape=(64, 64, 3), weights=None, classes=10, alpha=0.25
        ),
    ],
)
def test_the_estimate_is_within_five_percent_of_the_int8_file(make, tmp_path):
    model = trained_looking(make())
    assert anatomy(model).int8_bytes == pytest.approx(
        written(model, "int8", tmp_path).bytes, rel=0.05
    )
