import keras
import numpy as np
import pytest
from keras import layers as L

from pipeline.compress.channels import by_weights, choose, rebuild, trace
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
