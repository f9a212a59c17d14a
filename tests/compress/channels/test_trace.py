import keras
import numpy as np
import pytest
from keras import layers as L

from pipeline.compress.anatomy import anatomy
from pipeline.compress.channels import Size, by_weights, choose, rebuild, trace
from pipeline.errors import ConfigError
from tests.compress.channels.networks import SMALL
from tests.compress.channels.silence import random_masks


def groups(model, **arguments):
    return {group.name: group for group in trace(model, **arguments).groups}


def chain(*middle):
    return keras.Sequential(
        [keras.Input((8, 8, 3)), L.Conv2D(8, 3, name="first"), *middle, L.Flatten(), L.Dense(2)]
    )


def touched(group):
    return {(one.weight.name, one.axis): one.places.shape for one in group.slices}


def test_a_channel_names_every_slice_it_touches():
    normalized = L.BatchNormalization(name="norm")
    group = groups(chain(normalized, L.Conv2D(4, 3, name="second")))["first"]
    norm = ("gamma", "beta", "moving_mean", "moving_variance")
    assert touched(group) == {
        ("first/kernel", 3): (8, 1),
        ("first/bias", 0): (8, 1),
        **{(f"norm/{name}", 0): (8, 1) for name in norm},
        ("second/kernel", 2): (8, 1),
    }


def test_a_flattened_channel_is_read_at_every_place_of_its_map():
    *_, read = groups(chain())["first"].slices
    assert (read.weight.layer.__class__, read.axis) == (L.Dense, 0)
    np.testing.assert_array_equal(read.places, np.arange(8)[:, None] + 8 * np.arange(36))


def test_what_is_joined_is_chosen_branch_by_branch():
    found = trace(SMALL["joined"]()).groups
    # a, b and c; the pictures that are concatenated fix three channels of what is added.
    assert sum(group.channels for group in found) == 5 + 6 + 7 - 3 + 6


@pytest.mark.parametrize(("groups_of", "channels", "width"), [(2, 6, 1), (6, 6, 2), (12, 12, 1)])
def test_groups_of_a_convolution_go_whole_if_there_are_many(groups_of, channels, width):
    images = keras.Input((8, 8, 3))
    x = L.Conv2D(12, 3, name="first")(images)
    x = L.Conv2D(12, 3, groups=groups_of)(x)
    model = keras.Model(images, L.Dense(2)(L.GlobalAveragePooling2D()(x)))
    found = groups(model)["first"]
    assert (found.channels, found.width) == (channels, width)


def test_what_is_normalized_together_is_said_to_be_pooled():
    model = chain(L.LayerNormalization(), L.Conv2D(4, 1, name="second"))
    found = groups(model)
    assert found["first"].pooled
    assert not found["second"].pooled


def test_layer_normalization_takes_its_statistics_over_what_remains():
    model = chain(L.LayerNormalization(name="norm"), L.Conv2D(4, 1, name="second"))
    traced = trace(model)
    masks = random_masks(traced, np.random.default_rng(0), pooled=True)
    slim = rebuild(traced, masks)
    kept = masks[[group.name for group in traced.groups].index("first")]
    images = np.random.default_rng(1).normal(size=(2, 8, 8, 3)).astype("float32")
    x = np.asarray(model.get_layer("first")(images))[..., kept]
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)
    inner = keras.Model(slim.inputs[0], slim.get_layer("norm").output)
    np.testing.assert_allclose(inner(images), expected, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        L.Softmax(),
        L.Activation("softmax"),
        L.Conv2D(8, 1, activation="softmax", name="second"),
        L.Rescaling([1.0] * 8),
        L.Activation(lambda x: keras.ops.flip(x, -1)),
    ],
    ids=["Softmax", "Activation", "Conv2D", "Rescaling", "custom"],
)
def test_what_mixes_channels_keeps_them(layer):
    found = groups(chain(layer))
    assert set(found) == ({"first"} if layer.name == "second" else set())


def test_a_layer_without_a_rule_is_named_with_the_way_to_keep_it():
    images = keras.Input((4, 8))
    x = L.Conv1D(8, 3, padding="same", name="first")(images)
    x = L.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = L.Conv1D(6, 3, name="second")(x)
    model = keras.Model(images, L.Dense(2)(L.Flatten()(x)))
    with pytest.raises(
        ConfigError, match=r"'attention' \(MultiHeadAttention\).*keep=\['attention'"
    ):
        trace(model)
    traced = trace(model, keep=["atten*"])
    assert [group.name for group in traced.groups] == ["second"]
    slim = rebuild(traced, choose(traced, by_weights(traced), 0.97, multiple=2))
    assert slim.get_layer("second").filters < 6
    given = np.zeros((1, 4, 8), "float32")
    for one, other in zip(
        model.get_layer("attention").weights, slim.get_layer("attention").weights, strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert slim(given).shape == (1, 2)


class Watched(L.Conv2D):
    """A layer without a rule that multiplies as one that has."""


def test_a_kept_layer_without_a_rule_is_counted():
    model = chain(Watched(6, 3, name="own"), L.Conv2D(7, 3))
    assert Size(trace(model, ["own"]), "macs").whole == anatomy(model).macs


@pytest.mark.parametrize(
    "change", [lambda one: one.enable_lora(2), lambda one: one.quantize("int8")]
)
def test_a_layer_that_was_changed_beneath_is_refused_by_name(change):
    model = keras.Sequential([keras.Input((8,)), L.Dense(8, name="first"), L.Dense(2)])
    change(model.layers[0])
    with pytest.raises(ConfigError, match="layer 'first' has weights of LoRA or is quantized"):
        trace(model)


def test_pictures_of_no_fixed_size_have_bytes_and_no_multiply_accumulates():
    images = keras.Input((None, None, 3))
    x = L.Conv2D(8, 3, name="wide")(images)
    traced = trace(keras.Model(images, L.Dense(2)(L.GlobalMaxPooling2D()(x))))
    assert Size(traced, "bytes").whole == 4 * traced.model.count_params()
    with pytest.raises(ConfigError, match="'wide' takes pictures of no fixed size"):
        choose(traced, by_weights(traced), 0.5, multiple=1)


@pytest.mark.parametrize(
    ("inputs", "given", "why"),
    [
        (("a", "b"), {"a": (6,), "b": (6,), "c": (6,)}, r"called with \(6,\), \(6,\), \(6,\)"),
        (("a",), {"a": (6, 1)}, r"takes \(6,\) and is called with \(6, 1\)"),
    ],
    ids=["too many", "another rank"],
)
def test_a_nested_model_called_with_what_it_does_not_take_is_refused(inputs, given, why):
    own = {name: keras.Input((6,), name=name) for name in inputs}
    inner = keras.Model(own, L.Dense(4)(L.Concatenate()([*own.values()] * 2)))
    features = keras.Input((6,))
    parts = {name: L.Reshape(shape)(L.Dense(6)(features)) for name, shape in given.items()}
    model = keras.Model(features, L.Dense(3)(inner(parts)))
    for look in (trace, anatomy):
        with pytest.raises(ConfigError, match=why):
            look(model)


def test_what_is_joined_with_a_constant_stays():
    images = keras.Input(batch_shape=(2, 8, 8, 3))
    x = L.Conv2D(8, 1, name="first")(images)
    x = keras.ops.concatenate([x, np.ones((2, 8, 8, 2), "float32")], -1)
    x = L.Flatten()(L.Conv2D(6, 1, name="second")(x))
    assert [*groups(keras.Model(images, L.Dense(2)(x)))] == ["second"]


def test_weights_that_are_tied_by_hand_are_counted_once():
    model = chain(L.Conv2D(8, 3, padding="same"), L.Conv2D(8, 3, padding="same"))
    model.layers[2]._tracker.unlock()
    model.layers[2]._kernel = model.layers[1].kernel
    names = [weight.name for weight in trace(model).weights]
    assert len(names) == len(set(names)) == len(model.weights)


def test_kept_layers_keep_the_channels_they_make():
    model = chain(L.Conv2D(4, 1, name="second"))
    assert [*groups(model)] == ["first", "second"]
    assert [*groups(model, keep=["fir*"])] == ["second"]


def test_a_nested_model_is_kept_by_its_name():
    model = SMALL["nested"]()
    assert all(not name.startswith("block/") for name in groups(model, keep=["block"]))
    with pytest.raises(ConfigError, match=r"keep pattern 'blok' matches no layer: .*block/"):
        trace(model, keep=["blok"])


def test_a_model_without_a_graph_is_refused():
    with pytest.raises(ConfigError, match="has no graph of layers"):
        trace(keras.Sequential([L.Dense(2)]))


def test_masks_of_another_model_or_of_nothing_are_refused():
    traced = trace(chain())
    with pytest.raises(ValueError, match="'first' cannot keep"):
        rebuild(traced, (np.zeros(8, bool),))
    with pytest.raises(ValueError, match="'first' cannot keep"):
        rebuild(traced, (np.ones(7, bool),))
