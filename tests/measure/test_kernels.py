"""Each kernel of a model is found in its file, and what is lost on the way is an error."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers as L

from pipeline.compress.formats import FORMATS
from pipeline.compress.inventory import kernels
from pipeline.errors import ConversionError
from pipeline.measure import kernels as measured
from pipeline.measure.kernels import StoredKernel, sparsity, stored_kernels, write_kernels

NAMES = [
    *("stem", "inner/a", "inner/b", "c", "depthwise"),
    *("separable/depthwise_kernel", "separable/pointwise_kernel"),
    *("up", "hidden", "out"),
]


def residual_net():
    """Kernels of one shape behind one another, folded normalizations, every kind of kernel."""
    images = keras.Input((8, 8, 1))
    x = L.Rescaling(1 / 255)(images)

    def normalized(x, layer):
        return L.BatchNormalization(name=f"{layer.name}_bn")(layer(x))

    def conv(name):
        return L.Conv2D(8, 3, padding="same", use_bias=False, name=name)

    stem = L.ReLU()(normalized(x, conv("stem")))
    features = keras.Input(stem.shape[1:])
    y = L.ReLU()(normalized(features, conv("a")))
    inner = keras.Model(features, normalized(y, conv("b")), name="inner")
    x = L.ReLU()(L.Add()([stem, inner(stem)]))
    x = L.ReLU()(normalized(x, conv("c")))
    x = L.ReLU()(normalized(x, L.DepthwiseConv2D(3, padding="same", name="depthwise")))
    x = L.SeparableConv2D(6, 3, strides=2, padding="same", name="separable")(x)
    x = L.ReLU()(normalized(x, L.Conv2DTranspose(5, 3, strides=2, padding="same", name="up")))
    x = L.ReLU()(normalized(L.Flatten()(x), L.Dense(8, use_bias=False, name="hidden")))
    return keras.Model(images, L.Dense(10, activation="softmax", name="out")(x))


def change(model, name, how):
    """Let `how` change the first weight of a layer."""
    *nested, last = name.split("/")
    layer = (model.get_layer(nested[0]) if nested else model).get_layer(last)
    first, *rest = layer.get_weights()
    layer.set_weights([how(first).astype(np.float32), *rest])


def eight_values(kernel):
    values = np.append(np.quantile(kernel, np.linspace(0, 1, 7)), 0)
    return values[np.abs(kernel[..., None] - values).argmin(-1)]


@pytest.fixture(scope="module")
def model():
    """Half of the weights of `inner/b`, `up` and `hidden` are zero, `c` has eight values."""
    keras.utils.set_random_seed(3)
    random = np.random.default_rng(3)
    built = residual_net()
    for name in ("inner/b", "up", "hidden"):
        change(built, name, lambda kernel: kernel * (random.uniform(size=kernel.shape) < 0.5))
    change(built, "c", eight_values)
    for name in ("stem", "inner/a", "inner/b", "c", "depthwise", "up", "hidden"):
        # One channel is switched off, others turn their sign.
        change(built, f"{name}_bn", lambda gamma: np.append(0, random.normal(size=len(gamma) - 1)))
    return built


@pytest.fixture(scope="module")
def files(model, digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernels")
    paths = {name: folder / f"{name}.tflite" for name in FORMATS}
    for name, path in paths.items():
        path.write_bytes(FORMATS[name](model, digits[0][:20], "uint8"))
    return paths


@pytest.mark.parametrize("name", FORMATS)
def test_every_kernel_is_found_with_all_its_zeros(name, model, files):
    own = kernels(model)
    assert list(own) == NAMES
    rows = {row.name: row for row in stored_kernels(own, files[name])}
    assert list(rows) == NAMES
    for kernel, row in rows.items():
        assert row.weights == own[kernel].size
        assert row.values == len(np.unique(own[kernel]))
        assert row.zeros == np.count_nonzero(own[kernel] == 0)
        assert row.stored_zeros >= row.zeros
    assert rows["inner/b"].zeros / rows["inner/b"].weights == pytest.approx(0.5, abs=0.1)
    assert rows["c"].clusters <= rows["c"].values == 8
    assert [name for name, row in rows.items() if row.clustered] == ["c"]
    assert rows["stem"].clusters == 9  # one input channel, three by three
    assert rows["stem"].stored_zeros >= 9  # of the channel that is switched off
    assert rows["separable/pointwise_kernel"].clusters == 8
    assert 8 < rows["inner/a"].clusters <= 72


@pytest.mark.parametrize("name", ["float32", "int8"])
def test_kernels_of_one_shape_are_not_taken_for_one_another(name, model, files):
    """Each is matched by its values: given in another order, it is found all the same."""
    own = kernels(model)
    turned = dict(reversed(own.items()))
    found = stored_kernels(turned, files[name])
    assert found == tuple(reversed(stored_kernels(own, files[name])))
    zeros = {row.name: row.stored_zeros / row.weights for row in found}
    assert zeros["inner/b"] > 0.4
    assert zeros["inner/a"] < 0.3


@pytest.mark.parametrize("name", FORMATS)
def test_a_zero_that_the_file_lost_is_an_error(name, model, files):
    own = kernels(model)
    before = own["inner/a"]
    # What is small in a channel that is switched off is zero in the file anyhow.
    order = np.argsort(np.abs(before[..., 1:]), axis=None)
    largest = np.unravel_index(order[-3:], before[..., 1:].shape)
    changed = before.copy()
    changed[..., 1:][largest] = 0
    with pytest.raises(ConversionError, match=r"layer 'inner/a': 3 of its 3 zeros are lost"):
        stored_kernels(own | {"inner/a": changed}, files[name])


@pytest.mark.parametrize("name", ["float32", "float16", "int8"])
def test_clusters_that_the_file_lost_are_an_error(name, model, files):
    own = kernels(model)
    clustered = eight_values(own["inner/a"])  # which the file never saw
    with pytest.raises(ConversionError, match=r"'inner/a': \d+ different weights .* the model has"):
        stored_kernels(own | {"inner/a": np.where(clustered == 0, 1e-9, clustered)}, files[name])


def test_a_kernel_merged_with_another_is_an_error_only_if_it_has_what_to_keep(model, files):
    stranger = np.random.default_rng(0).normal(size=(3, 3, 8, 8))
    own = kernels(model)
    rows = stored_kernels(own | {"merged": stranger}, files["float32"])
    assert [row.name for row in rows] == NAMES
    with pytest.raises(ConversionError, match="'merged' has zeros or clusters and is not found"):
        stored_kernels(own | {"merged": stranger * (stranger > 0)}, files["float32"])


def test_a_layer_called_twice_counts_where_it_kept_least(digits, tmp_path):
    keras.utils.set_random_seed(0)
    images = x = keras.Input((8, 8, 1))
    twice = L.Conv2D(1, 3, padding="same", use_bias=False, name="twice")
    for scale in (0.0, 0.5):  # folded into the kernel: two constants, one of them all zeros
        x = L.BatchNormalization(gamma_initializer=keras.initializers.Constant(scale))(twice(x))
        x = L.ReLU()(x)
    model = keras.Model(images, L.Dense(10, activation="softmax", name="out")(L.Flatten()(x)))
    path = tmp_path / "model.tflite"
    path.write_bytes(FORMATS["float32"](model, digits[0][:9], "uint8"))
    first, last = stored_kernels(kernels(model), path)
    assert (first.name, first.stored_zeros, first.clusters) == ("twice", 0, 9)
    assert last.name == "out"


def test_what_was_measured_is_written_down(model, files, tmp_path):
    rows = write_kernels(kernels(model), files["int8"], tmp_path)
    written = json.loads((tmp_path / measured.FILE).read_text())
    assert tuple(StoredKernel(**row) for row in written) == rows
    sparse = [row for row in rows if row.zeros]
    weights = sum(row.weights for row in sparse)
    assert sparsity(rows) == sum(row.stored_zeros for row in sparse) / weights
    assert sparsity(tuple(replace(row, zeros=0) for row in rows)) is None
