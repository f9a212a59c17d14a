import keras
import numpy as np
import pytest
from keras import layers as L

from pipeline.compress.inventory import kernels
from pipeline.compress.legacy.clustering import LayerClusters, cluster
from pipeline.errors import ConfigError, ConversionError
from tests.compress.legacy.test_pruning import accuracy, small_net

EIGHT = {"conv1": 8, "conv2": 8, "predictions": 8}
TRAIN = slice(0, 992)


@pytest.fixture(scope="module")
def trained(digits):
    images, labels = digits
    keras.utils.set_random_seed(0)
    model = small_net()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(images[TRAIN], labels[TRAIN], batch_size=32, epochs=10, verbose=0)
    assert accuracy(model, digits) > 0.85
    return model


@pytest.fixture
def fit(digits):
    images, labels = digits

    def _fit(model, *, api):
        api.utils.set_random_seed(1)
        model.compile(api.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
        model.fit(images[TRAIN], labels[TRAIN], batch_size=32, verbose=0)

    return _fit


def refuse_to_train(*_, **__):
    raise AssertionError("training began")


def test_each_kernel_comes_to_eight_weights_and_the_model_still_reads_digits(trained, fit, digits):
    before = [weight.copy() for weight in trained.get_weights()]
    made = cluster(trained, lambda model, api: fit(model, api=api), digits[0][:64], EIGHT)
    assert [layer.name for layer in made.layers] == list(EIGHT)
    for layer in made.layers:
        kernel = made.model.get_layer(layer.name).kernel.numpy()
        assert layer == LayerClusters(layer.name, kernel.size, len(np.unique(kernel)), 0)
        assert layer.clusters <= 8
    depthwise = made.model.get_layer("depthwise").kernel.numpy()
    assert len(np.unique(depthwise)) == depthwise.size
    assert accuracy(made.model, digits) > 0.85
    assert all(np.array_equal(a, b) for a, b in zip(before, trained.get_weights(), strict=True))
    assert isinstance(made.model, keras.Model)
    for name, kernel in kernels(made.model).items():  # it went on from there, and it learned
        own = kernels(trained)[name]
        assert 0.9 < np.corrcoef(own.ravel(), kernel.ravel())[0, 1] < 1


def test_zeros_stay_and_take_one_of_the_clusters(trained, fit, digits):
    sparse = keras.models.clone_model(trained)
    sparse.set_weights(trained.get_weights())
    for name in EIGHT:
        kernel = sparse.get_layer(name).kernel
        kept = np.abs(kernel.numpy()) > np.quantile(np.abs(kernel.numpy()), 0.8)
        kept[..., 0] = False  # a whole channel of zeros
        kernel.assign(kernel.numpy() * kept)
    made = cluster(sparse, lambda model, api: fit(model, api=api), digits[0][:64], EIGHT)
    for layer in made.layers:
        before = sparse.get_layer(layer.name).kernel.numpy()
        after = made.model.get_layer(layer.name).kernel.numpy()
        assert not after[before == 0].any()
        assert layer.zeros == np.count_nonzero(after == 0) >= np.count_nonzero(before == 0)
        assert layer.zeros < 0.9 * layer.weights
        assert 3 <= len(np.unique(after)) <= 8


def test_nothing_but_zeros_stays_so(trained, fit, digits):
    empty = keras.models.clone_model(trained)
    empty.set_weights(trained.get_weights())
    empty.get_layer("conv1").kernel.assign(np.zeros((3, 3, 1, 16)))
    made = cluster(empty, lambda model, api: fit(model, api=api), digits[0][:9], {"conv1": 8})
    assert made.layers[0] == LayerClusters("conv1", 144, 1, 144)


def test_the_seed_decides_where_clusters_begin(trained, digits):
    found = [
        cluster(trained, lambda *_, **__: None, digits[0][:9], {"conv2": 8}, seed).model
        for seed in (0, 0, 1, 2, 3)
    ]
    first, same, *others = (kernels(model)["conv2"] for model in found)
    assert np.array_equal(first, same)
    # Two beginnings may come to the same clusters; not every one does.
    assert not all(np.array_equal(first, other) for other in others)
    assert np.array_equal(kernels(found[0])["conv1"], kernels(trained)["conv1"])  # was left out


def test_nested_shared_and_frozen_layers_are_clustered_once_each(fit, digits):
    keras.utils.set_random_seed(0)
    inner_images = keras.Input((8, 8, 1))
    twice = L.Conv2D(1, 3, padding="same", name="twice")
    frozen = L.Conv2D(6, 3, name="conv", trainable=False)
    inner = keras.Model(inner_images, frozen(twice(inner_images)), name="inner")
    images = keras.Input((8, 8, 1))
    x = inner(keras.ops.relu(twice(twice(images)) + 1.0))
    x = L.SeparableConv2D(8, 3, name="separable")(x)
    model = keras.Model(images, L.Dense(10, activation="softmax", name="head")(L.Flatten()(x)))
    made = cluster(
        model,
        lambda model, api: fit(model, api=api),
        digits[0][:64],
        {"twice": 3, "inner/conv": 4, "separable": 5},
    )
    found = {name: len(np.unique(kernel)) for name, kernel in kernels(made.model).items()}
    assert found["twice"] <= 3
    assert found["inner/conv"] <= 4
    assert found["separable/pointwise_kernel"] <= 5
    assert found["separable/depthwise_kernel"] == 54
    assert found["head"] > 100
    assert not made.model.get_layer("inner").get_layer("conv").trainable


def test_too_few_weights_are_refused_before_training(trained, digits):
    with pytest.raises(ConfigError, match="'conv1' has 144 weights, fewer than 200 clusters: leav"):
        cluster(trained, refuse_to_train, digits[0][:9], EIGHT | {"conv1": 200})


def test_two_clusters_are_too_few_where_there_are_zeros(trained, digits):
    sparse = keras.models.clone_model(trained)
    sparse.set_weights(trained.get_weights())
    sparse.get_layer("conv2").kernel.assign(sparse.get_layer("conv2").kernel.numpy() * 0)
    with pytest.raises(ConfigError, match="'conv2' has zeros, which take a cluster of their own"):
        cluster(sparse, refuse_to_train, digits[0][:9], {"conv2": 2})


def test_a_layer_without_twin_is_refused_before_training(digits):
    images = keras.Input((8, 8, 1))
    model = keras.Model(images, L.Lambda(lambda x: x, name="trick")(L.Conv2D(2, 3)(images)))
    with pytest.raises(ConfigError, match=r"cluster: .*'trick'"):
        cluster(model, refuse_to_train, digits[0][:9], {})


def test_weights_that_came_apart_are_an_error(trained, digits, monkeypatch):
    from pipeline.compress.legacy import clustering

    strip = clustering._clustering.strip_clustering

    def careless(model):
        stripped = strip(model)
        kernel = stripped.get_layer("conv2").kernel
        kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))
        return stripped

    monkeypatch.setattr(clustering._clustering, "strip_clustering", careless)
    why = r"'conv2' has 46\d\d different weights, 8 were due"
    with pytest.raises(ConversionError, match=why):
        cluster(trained, lambda model, api: None, digits[0][:9], {"conv2": 8})
