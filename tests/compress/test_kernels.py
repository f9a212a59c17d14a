import keras
import pytest
from keras import layers as L

from pipeline.compress.kernels import allotted, kernel, prunable, said, spared
from pipeline.errors import ConfigError

NAMES = ["conv", "block/conv", "block/deep", "head"]


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        ([], ""),
        (["first", "last"], "ad"),
        (["last", "first", "b"], "abd"),
        (["last"], "d"),
        (["[ab]", "last"], "abd"),
        (["*"], "abcd"),
    ],
)
def test_the_ends_of_a_network_go_by_their_place(exclude, expected):
    assert spared(list("abcd"), exclude) == set(expected)


def test_where_nothing_lies_between_the_ends_only_the_last_is_spared():
    assert spared(["hidden", "out"], ["first", "last"]) == {"out"}
    assert spared(["out"], ["first"]) == set()
    assert spared(["first", "b", "out"], ["last", "first"]) == {"first", "out"}
    with pytest.raises(ConfigError, match=r"'first' matches no layer .* there is none"):
        spared([], ["first"])


def test_of_several_words_that_mean_a_layer_the_last_counts_and_exclude_above_all():
    layers = {"*conv": 0.5, "first": 0.25, "block/*": 0.9}
    assert allotted(NAMES, 0.8, layers, ["last"]) == {
        "conv": 0.25,
        "block/conv": 0.9,
        "block/deep": 0.9,
        "head": 0.0,
    }
    assert allotted(NAMES, 0.8, {"block/*": 0.9, "*conv": 0.5})["block/conv"] == 0.5
    assert allotted(NAMES, 0.8, {"head": 0.9}, ["head"])["head"] == 0.0


def test_what_no_word_means_is_not_spoken_of():
    assert said(NAMES, {"first": 0.0}, ["head"]) == {"conv": 0.0, "head": 0.0}


def test_a_name_comes_before_a_place():
    assert said(["a", "first", "b"], {"first": 0.5}, []) == {"first": 0.5}


def test_a_word_that_means_no_layer_is_refused_with_the_layers_there_are():
    with pytest.raises(ConfigError, match=r"layers pattern 'dense\*' .*: conv, block/conv, .*head"):
        allotted(NAMES, 0.8, {"dense*": 0.5})


def test_nothing_left_to_prune_is_refused():
    with pytest.raises(ConfigError, match="nothing to prune: every layer"):
        allotted(NAMES, 0.8, {"*": 0.0})
    with pytest.raises(ConfigError, match="nothing to prune: no layer"):
        allotted([], 0.8)


def test_layers_with_a_kernel_are_found_once_each_inside_models_too():
    images = keras.Input((8, 8, 1))
    shared = L.Conv2D(1, 3, padding="same", name="shared")
    inner = keras.Sequential([keras.Input((8, 8, 1)), L.Conv2D(2, 3, name="conv"), L.ReLU()])
    inner.name = "inner"
    x = L.DepthwiseConv2D(3, name="depthwise")(inner(shared(shared(images))))
    x = L.SeparableConv2D(4, 3, name="separable")(x)
    x = L.Dense(3, name="vote")(L.Flatten()(x))
    found = prunable(keras.Model(images, x), whole=["vote"])
    assert list(found) == ["shared", "inner/conv", "separable"]
    assert kernel(found["separable"]).shape == (1, 1, 2, 4)
