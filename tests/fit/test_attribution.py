"""Where a network looked: by plain arithmetic, finite differences, and a corner that decides."""

import keras
import numpy as np
import pytest
from keras import layers

from models import MODELS
from models.head import ending_in
from pipeline.fit.attribution import grad_cam, source
from pipeline.fit.ensembles.members import voting


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1)).astype(np.uint8)


def tiny(ending):
    """A convolution, a mean over places, a dense layer, and an end that `ending` makes."""
    keras.utils.set_random_seed(1)
    images = keras.Input((8, 8, 1))
    x = layers.Conv2D(3, 3, activation="relu", name="eyes")(layers.Rescaling(1 / 255)(images))
    return keras.Model(images, ending(layers.GlobalAveragePooling2D()(x)))


def dense(activation):
    def head(x):
        return layers.Dense(4, activation=activation, name="head")(x)

    return head


ENDINGS = {
    "softmax": dense("softmax"),
    "sigmoid": dense("sigmoid"),
    "scores": dense(None),
    "a layer": lambda x: layers.Softmax()(dense(None)(x)),
    "an activation": lambda x: layers.Activation("sigmoid")(dense(None)(x)),
}


def features_of(model, images):
    eyes = keras.Model(model.input, model.get_layer("eyes").output)
    return eyes.predict(np.asarray(images, np.float32), verbose=0)


@pytest.mark.parametrize("ending", ENDINGS)
def test_maps_are_those_of_a_sum_by_hand(ending, noise):
    model = tiny(ENDINGS[ending])
    kernel = model.get_layer("head").get_weights()[0]  # (3, 4); the mean over places has 36
    features = features_of(model, noise)
    for k in range(4):
        summed = np.maximum((features * kernel[:, k] / 36).sum(-1), 0)
        expected = summed / np.maximum(summed.max(axis=(1, 2), keepdims=True), 1e-30)
        found = grad_cam(model, noise, np.full(3, k))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert source(model, noise).score == "logit"


def test_a_channel_is_weighed_by_its_mean_gradient_over_all_places(noise):
    keras.utils.set_random_seed(1)
    images = keras.Input((8, 8, 1))
    x = layers.Conv2D(3, 3, activation="relu", name="eyes")(layers.Rescaling(1 / 255)(images))
    model = keras.Model(images, dense("softmax")(layers.Flatten()(x)))
    kernel = model.get_layer("head").get_weights()[0].reshape(6, 6, 3, 4)  # differs place by place
    features = features_of(model, noise)
    seen = 0
    for k in range(4):
        summed = (features * kernel[..., k].mean(axis=(0, 1))).sum(-1).clip(0)
        expected = summed / summed.max(axis=(1, 2), keepdims=True).clip(1e-30)
        np.testing.assert_allclose(grad_cam(model, noise, np.full(3, k)), expected, atol=1e-4)
        seen += expected.any()
    assert seen, "a map that is not empty"


def test_where_no_score_is_found_the_logarithm_of_the_probability_is_taken(noise):
    model = tiny(lambda x: layers.Reshape((4,))(dense("softmax")(x)))
    assert source(model, noise).score == "log_probability"
    kernel, bias = model.get_layer("head").get_weights()
    features = features_of(model, noise)

    def value(changed):
        scores = changed.mean(axis=(1, 2)) @ kernel.astype(float) + bias
        return scores[:, 2] - np.log(np.exp(scores).sum(-1))

    slopes = np.zeros_like(features, float)
    for place in np.ndindex(features.shape[1:]):  # finite differences, one number at a time
        step = np.zeros(features.shape[1:])
        step[place] = 1e-4
        slopes[:, *place] = (value(features + step) - value(features - step)) / 2e-4
    summed = (features * slopes.mean(axis=(1, 2), keepdims=True)).sum(-1).clip(0)
    expected = summed / summed.max(axis=(1, 2), keepdims=True).clip(1e-30)
    np.testing.assert_allclose(grad_cam(model, noise, np.full(3, 2)), expected, atol=1e-4)


def test_where_nothing_speaks_for_a_class_the_map_is_empty(noise):
    model = tiny(dense("softmax"))
    kernel, bias = model.get_layer("head").get_weights()
    kernel[:, 0] = -1
    model.get_layer("head").set_weights([kernel, bias])
    assert not grad_cam(model, noise, np.zeros(3, int)).any()


@pytest.fixture(scope="module")
def corners():
    """Noise with a bright patch in one corner, whose stripes, one way or the other, are the class.

    Pictures, classes, and the number of the corner, row by row.
    """
    images = np.random.default_rng(0).integers(0, 90, (160, 16, 16, 1)).astype(np.uint8)
    labels, places = np.arange(160) % 2, np.arange(160) // 2 % 4
    stripes = np.tile([160, 0], 3)[None, :, None].repeat(6, axis=0).astype(np.uint8)
    for picture, label, place in zip(images, labels, places, strict=True):
        down, right = divmod(int(place), 2)
        patch = stripes if label else stripes.swapaxes(0, 1)
        picture[10 * down : 10 * down + 6, 10 * right : 10 * right + 6] += patch
    return images, labels, places


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("small_cnn", {"blocks": 2, "width": 8}),
        pytest.param("resnet8", {}, marks=pytest.mark.slow),
    ],
)
def test_a_network_looks_at_the_corner_that_decides(name, options, corners):
    images, labels, places = corners
    keras.utils.set_random_seed(0)
    model = MODELS[name]((16, 16, 1), 2, **options)
    loss, rate = "sparse_categorical_crossentropy", keras.optimizers.Adam(0.005)
    model.compile(optimizer=rate, loss=loss, metrics=["accuracy"])
    model.fit(images / 255.0, labels, epochs=12, batch_size=16, verbose=0)
    assert model.evaluate(images / 255.0, labels, verbose=0)[1] == 1
    found = grad_cam(model, images / 255.0, labels)
    side = found.shape[1] // 2
    halves = [slice(None, side), slice(-side, None)]
    quarters = np.stack(
        [found[:, down, right].sum(axis=(1, 2)) for down in halves for right in halves]
    )
    assert (quarters.argmax(0) == places).mean() > 0.95
    assert (quarters[places, range(160)] / quarters.sum(0)).mean() > 0.6


def nested(network):
    """The same network as one layer of another."""
    images = keras.Input(network.input_shape[1:])
    return keras.Model(images, network(layers.Identity()(images)))


def test_a_network_inside_another_is_looked_into(noise):
    inner = tiny(dense("softmax"))
    for outer in (
        nested(inner),
        nested(nested(inner)),
        keras.Sequential([keras.Input((8, 8, 1)), inner]),
    ):
        found = source(outer, noise)
        assert (found.layers, found.score) == (("eyes",), "logit")
        expected = grad_cam(inner, noise, np.arange(3))
        np.testing.assert_array_equal(grad_cam(outer, noise, np.arange(3)), expected)


def test_a_model_that_was_looked_at_is_as_before(noise):
    model = tiny(dense("softmax"))
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    before = model.get_weights()
    grad_cam(model, noise, np.arange(3))
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_freezes_a_network_does_not_blind_it(noise):
    model = tiny(dense("softmax"))
    free = grad_cam(model, noise, np.arange(3))
    model.trainable = False
    np.testing.assert_array_equal(grad_cam(model, noise, np.arange(3)), free)


def test_an_ensemble_has_the_last_maps_of_each_member(noise):
    members = [tiny(dense("softmax")) for _ in range(2)]
    kernel, bias = members[1].get_layer("head").get_weights()
    members[1].get_layer("head").set_weights([kernel[:, ::-1], bias])
    alone, features = source(members[0], noise), features_of(members[0], noise)
    slopes = log_slopes(members[0], features)
    summed = (features * slopes).sum(-1).clip(0)
    expected = summed / summed.max(axis=(1, 2), keepdims=True).clip(1e-30)
    model = voting(members, np.array([1.0, 0.0]))  # the second has no say
    found = source(model, noise)
    assert sorted(found.layers) == ["member_1_eyes", "member_2_eyes"]
    assert (found.size, found.score) == (alone.size, "log_probability")
    np.testing.assert_allclose(grad_cam(model, noise, np.zeros(3, int)), expected, atol=1e-4)


def log_slopes(member, features):
    """The gradient of the logarithm of the first class's probability, by the mean over places."""
    kernel, bias = member.get_layer("head").get_weights()
    scores = features.mean(axis=(1, 2)) @ kernel + bias
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    return ((kernel[:, 0] - shares @ kernel.T) / 36)[:, None, None, :]


@pytest.mark.parametrize("name", ["mlp", "deep_mlp"])
def test_a_network_that_sees_a_row_of_numbers_has_no_map(name):
    model = MODELS[name]((8, 8, 1), 3)
    images = np.zeros((2, 8, 8, 1), np.uint8)
    assert source(model, images) is None
    with pytest.raises(ValueError, match="no feature map"):
        grad_cam(model, images, np.zeros(2, int))


LAST = {  # the last maps before pooling, and their size
    ("small_cnn", (8, 8, 1)): ("ReLU", (2, 2)),
    ("small_cnn", (28, 28, 3)): ("ReLU", (7, 7)),
    ("lenet5", (28, 28, 1)): ("Conv2D", (10, 10)),
    ("vgg11", (64, 64, 3)): ("ReLU", (4, 4)),
    ("mobilenet_v2", (96, 96, 3)): ("ReLU", (3, 3)),
    ("alexnet", (224, 224, 3)): ("ReLU", (12, 12)),
}


@pytest.mark.parametrize(("name", "shape"), LAST)
def test_maps_are_those_before_the_last_pooling(name, shape):
    with ending_in("sigmoid"):
        model = MODELS[name](shape, 3)
    images = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.uint8)
    kind, size = LAST[name, shape]
    found = source(model, images)
    assert found.size == size
    assert type(model.get_layer(found.layers[0])).__name__ == kind
    maps = grad_cam(model, images, np.array([0, 2]))
    assert maps.shape == (2, *size)
    assert maps.min() >= 0
    assert maps.max() == 1


def test_a_backbone_is_looked_into():
    model = MODELS["backbone"]((32, 32, 1), 3, network="MobileNetV3Small", weights="none")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1)).astype(np.uint8)
    found = source(model, images)
    assert (found.size, found.score) == ((2, 2), "logit"), "behind it all maps are single places"
    assert grad_cam(model, images, np.arange(2)).shape == (2, 2, 2)


def test_a_layer_of_ones_own_is_as_good_as_any(noise):
    @keras.saving.register_keras_serializable("tests")
    class Halved(layers.Layer):
        def call(self, x):
            return x / 2

    keras.utils.set_random_seed(1)
    images = keras.Input((8, 8, 1))
    x = Halved(name="halved")(layers.Conv2D(3, 3)(images))
    model = keras.Model(images, dense("softmax")(layers.Flatten()(x)))
    assert source(model, noise).layers == ("halved",)
    assert grad_cam(model, noise, np.arange(3)).max() == 1


def test_more_pictures_than_a_batch_holds_keep_their_order(noise):
    model = tiny(dense("softmax"))
    many = np.concatenate([noise] * 5)
    classes = np.arange(15) % 4
    found = grad_cam(model, many, classes)
    for number in range(15):
        one = grad_cam(model, many[number : number + 1], classes[number : number + 1])
        np.testing.assert_allclose(found[number], one[0], atol=1e-5)
