import random

import keras
import numpy as np
import pytest
import tf_keras
from keras import layers as L

from pipeline.compress.legacy import check_parity, mirror
from pipeline.errors import ConversionError


def conv_block(x, channels, **settings):
    x = L.Conv2D(channels, 3, padding="same", use_bias=False, **settings)(x)
    return L.ReLU()(L.BatchNormalization()(x))


def plain(x):
    return L.SpatialDropout2D(0.2)(L.MaxPooling2D()(conv_block(x, 8)))


def residual(x):
    x = conv_block(x, 6)
    y = L.BatchNormalization()(L.Conv2D(6, 3, padding="same")(conv_block(x, 6)))
    return L.ReLU()(L.Add()([x, y]))


def inception(x):
    pooled = L.AveragePooling2D(3, strides=1, padding="same")(x)
    return L.Concatenate()([conv_block(x, 4), L.Conv2D(3, 1, activation="elu")(pooled), x])


def depthwise(x):
    x = L.DepthwiseConv2D(3, strides=2)(L.ZeroPadding2D(((0, 1), (0, 1)))(conv_block(x, 4)))
    return L.SeparableConv2D(5, 3, padding="same")(L.LeakyReLU(0.1)(L.BatchNormalization()(x)))


def squeeze_excite(x):
    x = conv_block(x, 8)
    gate = L.Reshape((1, 1, 8))(L.GlobalAveragePooling2D()(x))
    gate = L.Conv2D(8, 1, activation="hard_sigmoid")(L.Dense(3, activation="silu")(gate))
    return L.PReLU(shared_axes=[1, 2])(L.Multiply()([x, gate]))


def preactivation(x):
    x = L.Conv2D(6, 3, padding="same")(x)
    y = L.ReLU()(L.GroupNormalization(3)(x))
    return L.Add()([x, L.Conv2D(6, 3, padding="same")(L.LayerNormalization()(y))])


def nested(x):
    images = keras.Input(x.shape[1:])
    inner = keras.Sequential(
        [keras.Input((8, 8, 4)), L.Conv2D(5, 3, name="conv"), L.BatchNormalization(name="bn")],
        name="inner",
    )
    backbone = keras.Model(images, inner(conv_block(images, 4)), name="backbone")
    return L.Conv2D(4, 3, name="conv")(backbone(x, training=False))


def shared(x):
    conv, norm = L.Conv2D(1, 3, padding="same", name="twice"), L.BatchNormalization()
    return L.Concatenate()([norm(conv(x)), norm(conv(norm(conv(x))))])


def operations(x):
    x = conv_block(x, 6)
    mean = keras.ops.mean(x, axis=(1, 2), keepdims=True)
    x = keras.ops.concatenate([(1.0 - x) * mean, x[:, ::-1, :, :4] / 3], axis=-1)
    return keras.ops.clip(x, -1.5, 4.0) + keras.ops.relu6(x)


def shared_operation(x):
    add = keras.src.ops.numpy.Add()
    return add(add(L.Conv2D(4, 1)(x), 0.5), x)


BODIES = [plain, residual, inception, depthwise, squeeze_excite, preactivation, nested, shared]
BODIES += [operations, shared_operation]


def classifier(body, images):
    x = inputs = keras.Input(images.shape[1:])
    normalization = L.Normalization(name="statistics")
    normalization.adapt(images[:200])
    x = body(normalization(L.Rescaling(1 / 255)(x) * 255 if body is operations else x))
    x = L.Dropout(0.3)(L.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, L.Dense(10, name="predictions")(x))


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_a_network_and_its_twin_give_the_same_bits(body, digits, shake):
    images, _ = digits
    model = shake(classifier(body, images))
    twin = mirror(model)
    assert check_parity(model, twin, images[:100]) == 0.0
    assert np.ptp(np.asarray(model(images[:100])), axis=0).max() > 1e-3  # says something at all
    assert isinstance(twin, tf_keras.Model)
    assert [layer.name for layer in model.layers] == [
        layer.name for layer in twin.layers if type(layer).__name__ != "OperationTwin"
    ]
    assert twin.count_params() == model.count_params()


@pytest.mark.parametrize(
    "body", [plain, residual, nested, shared, operations], ids=lambda body: body.__name__
)
def test_the_twin_trains_as_the_model_does(body, digits, shake):
    images, _ = digits
    model = shake(classifier(body, images))
    for layer in model._flatten_layers():
        if "dropout" in layer.name:
            layer.rate = 0.0
    twin = mirror(model)
    for _ in range(2):
        ours, theirs = model(images[:50], training=True), twin(images[:50], training=True)
        np.testing.assert_array_equal(ours, theirs)


def test_two_inputs_and_named_outputs_keep_their_structure(digits, shake):
    images, _ = digits
    left, right = keras.Input((8, 8, 1), name="left"), keras.Input((8, 8, 1), name="right")
    conv = L.Conv2D(4, 3, name="both")
    one, other = (L.GlobalMaxPooling2D()(conv(side)) for side in (left, right))
    outputs = {"sum": L.Add()([one, other]), "pair": [L.Dense(2)(one), L.Subtract()([one, other])]}
    model = shake(keras.Model({"left": left, "right": right}, outputs))
    twin = mirror(model)
    pair = {"left": images[:70], "right": images[70:140]}
    assert check_parity(model, twin, pair) == 0.0
    assert twin(pair).keys() == outputs.keys()
    assert len(twin(pair)["pair"]) == 2


def test_a_list_of_inputs_stays_a_list(digits, shake):
    images, _ = digits
    sides = [keras.Input((8, 8, 1)), keras.Input((8, 8, 1))]
    model = shake(keras.Model(sides, L.Dense(3)(L.Flatten()(L.Subtract()(sides)))))
    assert check_parity(model, mirror(model), [images[:9], images[9:18]]) == 0.0


def test_a_list_of_one_input_is_as_good_as_the_input(digits):
    images, _ = digits
    inputs = keras.Input((8, 8, 1))
    model = keras.Model([inputs], [L.Flatten()(inputs)])
    assert check_parity(model, mirror(model), images[:9]) == 0.0


def test_a_sequential_model_is_mirrored(digits, shake):
    images, _ = digits
    model = keras.Sequential([keras.Input((8, 8, 1)), L.Conv2D(3, 3), L.Flatten(), L.Dense(2)])
    assert check_parity(shake(model), mirror(model), images[:9]) == 0.0


def test_frozen_layers_stay_frozen(digits):
    images, _ = digits
    model = classifier(nested, images)
    model.get_layer("backbone").trainable = False
    model.get_layer("backbone").get_layer("inner").get_layer("conv").trainable = True
    twin = mirror(model)
    assert len(twin.trainable_weights) == len(model.trainable_weights) == 6
    backbone = twin.get_layer("backbone")
    assert backbone.get_layer("inner").get_layer("conv").trainable
    assert not backbone.get_layer("inner").get_layer("bn").trainable


def test_mixed_precision_comes_along(digits, shake):
    images, _ = digits
    inputs = keras.Input((8, 8, 1))
    x = L.Conv2D(3, 3, dtype="mixed_bfloat16")(L.Rescaling(1 / 255)(inputs))
    x = L.BatchNormalization(dtype="mixed_bfloat16")(x)
    model = shake(keras.Model(inputs, L.Dense(2)(L.Flatten()(x))))
    twin = mirror(model)
    assert twin.layers[2].compute_dtype == "bfloat16"
    assert twin.layers[2].kernel.dtype == "float32"
    assert check_parity(model, twin, images[:20]) == 0.0


def test_the_twin_shares_no_memory_with_the_model(digits, shake):
    images, _ = digits
    model = shake(classifier(plain, images))
    before = [weight.copy() for weight in model.get_weights()]
    for weight in (twin := mirror(model)).weights:
        weight.assign(weight + 1)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert len(twin.weights) > 0


def test_mirroring_draws_no_random_numbers(digits):
    images, _ = digits
    model = classifier(plain, images)
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  # the global one is the point
    mirror(model)
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1][1])  # noqa: NPY002


class Mine(L.Layer):
    def call(self, x):
        return x


class MyConv(L.Conv2D):
    pass


class MyModel(keras.Model):
    def call(self, x):
        return x * 2


class MyOperation(keras.Operation):
    def call(self, x):
        return x

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (L.Lambda(lambda x: x + 1, name="trick"), r"'trick' \(Lambda\)"),
        (Mine(name="own"), r"'own' \(Mine\)"),
        (MyConv(3, 3, name="conv"), r"'conv' \(MyConv\)"),
        (MyModel(name="sub"), r"'sub' \(MyModel\) is subclassed"),
        (MyOperation(name="op"), r"'op' \(MyOperation\)"),
        (L.MultiHeadAttention(1, 2, name="attention"), r"'attention' \(MultiHeadAttention\)"),
    ],
)
def test_a_layer_without_twin_is_refused_by_name_and_class(layer, said):
    images = keras.Input((8, 8, 1))
    attends = isinstance(layer, L.MultiHeadAttention)
    outputs = layer(images, images) if attends else layer(images)
    with pytest.raises(ConversionError, match=said):
        mirror(keras.Model(images, outputs))


def test_all_layers_without_twin_are_named_at_once():
    images = keras.Input((8, 8, 1))
    inner = keras.Sequential([keras.Input((8, 8, 1)), Mine(name="deep")])
    model = keras.Model(images, inner(L.Lambda(lambda x: x, name="trick")(images)))
    with pytest.raises(ConversionError, match=r"'trick' \(Lambda\).*'deep' \(Mine\)"):
        mirror(model)


def test_a_sparse_input_is_refused_by_name():
    images = keras.Input((8,), sparse=True, name="few")
    with pytest.raises(ConversionError, match=r"'few' \(InputLayer\) is not dense"):
        mirror(keras.Model(images, L.Dense(2)(images)))


def test_a_quantized_layer_is_refused_by_name():
    model = keras.Sequential(
        [keras.Input((8,)), L.Dense(2, dtype="int8_from_float32", name="head")]
    )
    with pytest.raises(ConversionError, match=r"'head' \(Dense\) is quantized"):
        mirror(model)


def test_a_subclassed_model_is_refused():
    with pytest.raises(ConversionError, match=r"'sub' \(MyModel\) is subclassed"):
        mirror(MyModel(name="sub"))


def test_a_long_list_of_refused_layers_is_cut_short():
    images = x = keras.Input((8, 8, 1))
    for index in range(20):
        x = Mine(name=f"own_{index}")(x)
    with pytest.raises(ConversionError, match=r"; and 12 more$"):
        mirror(keras.Model(images, x))


def test_a_sequential_without_input_shape_is_refused():
    with pytest.raises(ConversionError, match="has no input shape"):
        mirror(keras.Sequential([L.Dense(2)]))
