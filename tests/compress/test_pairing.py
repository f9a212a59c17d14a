"""Which layers are matched: ends of stages of one size, or those a user names."""

import keras
import numpy as np
import pytest

from models import MODELS
from pipeline.compress.pairing import Pair, pairs
from pipeline.errors import ConfigError
from pipeline.fit.ensembles.members import prefixes, stacking, voting
from pipeline.fit.ensembles.votes import Stacked
from pipeline.stages.build import with_preprocessing


def named(layers):
    """A network of 16x16 pixels: `(name, layer)` one behind another, then pooled and answered."""
    x = images = keras.Input((16, 16, 1))
    for name, layer in layers:
        layer.name = name
        x = layer(x)
    return keras.Model(images, x, name="named")


def conv(channels=4, strides=1):
    return keras.layers.Conv2D(channels, 3, strides, padding="same")


def pupil():
    L = keras.layers
    return named(
        [
            ("scale", L.Rescaling(1 / 255)),
            ("stem", conv(4, 2)),
            ("drop_maps", L.SpatialDropout2D(0.5)),
            ("down", conv(4, 2)),
            ("act", L.ReLU()),
            ("pad", L.ZeroPadding2D(1)),
            ("narrow", L.Conv2D(4, 3, 3)),
            ("pool", L.GlobalAveragePooling2D()),
            ("drop", L.Dropout(0.5)),
            ("answer", L.Dense(10, activation="softmax")),
        ]
    )


def teacher():
    L = keras.layers
    return named(
        [
            ("scale", L.Rescaling(1 / 255)),
            ("whole", conv(8)),
            ("half", conv(8, 2)),
            ("half_b", conv(8)),
            ("quarter", conv(8, 2)),
            ("wide", L.ZeroPadding2D(1)),
            ("features", L.GlobalMaxPooling2D()),
            ("answer", L.Dense(10, activation="softmax")),
        ]
    )


def ensemble(combine="vote"):
    members = [teacher(), teacher()]
    if combine == "vote":
        return voting(members, np.full(2, 0.5))
    fitted = Stacked(np.zeros((20, 10), np.float32), np.zeros(10, np.float32))
    return stacking(members, fitted)


STAGES = (Pair("stem", "half_b", (8, 8)), Pair("act", "quarter", (4, 4)))


def test_ends_of_stages_of_one_size_are_paired_but_not_what_is_dropped_padded_or_mere_pixels():
    assert pairs(pupil(), teacher(), "attention", {}) == STAGES


def test_hints_match_the_features_under_the_last_dense_layer_too():
    found = pairs(pupil(), teacher(), "hints", {})
    assert found == (*STAGES, Pair("pool", "features", ()))


@pytest.mark.parametrize("combine", ["vote", "stack"])
def test_an_ensemble_is_paired_by_the_names_its_members_layers_had(combine):
    found = ensemble(combine)
    assert prefixes(found) == ("member_1_", "member_2_")
    assert pairs(pupil(), found, "hints", {}) == pairs(pupil(), teacher(), "hints", {})
    assert pairs(pupil(), found, "attention", {"act": "quarter"}) == STAGES[1:]


def test_named_pairs_replace_the_usual_ones_in_the_order_of_the_pupil():
    said = {"act": "quarter", "stem": "half"}
    found = pairs(pupil(), teacher(), "attention", said)
    assert found == (Pair("stem", "half", (8, 8)), Pair("act", "quarter", (4, 4)))


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"stam": "half"}, "the pupil has no layer 'stam': did you mean 'stem'?"),
        ({"stem": "halb"}, "the teacher has no layer 'halb': did you mean 'half'?"),
        ({"stem": "quarter"}, "stem of the pupil gives 8x8, quarter of the teacher 4x4: a pair"),
        ({"stem": "features"}, "gives 8x8, features of the teacher a vector"),
        ({"pool": "features"}, "pool gives a vector, .* set feature_loss to hints"),
    ],
    ids=str,
)
def test_a_pair_that_cannot_be_is_refused_in_a_line(said, problem):
    with pytest.raises(ConfigError, match=rf"^distill\.feature_layers: .*{problem}") as caught:
        pairs(pupil(), teacher(), "attention", said)
    assert "\n" not in str(caught.value)


def test_names_of_an_ensembles_layers_are_suggested_as_a_user_knows_them():
    with pytest.raises(ConfigError, match="did you mean 'half_b'"):
        pairs(pupil(), ensemble(), "attention", {"stem": "half_bb"})


def test_networks_without_maps_have_nothing_to_attend_to_but_hints():
    dense = MODELS["mlp"]((16, 16, 1), 10)
    with pytest.raises(ConfigError, match=r"maps of the pupil are none, .* feature_loss to hints"):
        pairs(dense, dense, "attention", {})
    assert [pair.size for pair in pairs(dense, dense, "hints", {})] == [()]


@pytest.mark.parametrize("name", ["small_cnn", "resnet8", "mobilenet_v2", "pocket_cnn", "nin"])
def test_networks_of_ours_have_stages_to_match(name):
    pixels = np.zeros((1, 16, 16, 1), np.uint8)
    one, other = (
        with_preprocessing(MODELS[which]((16, 16, 1), 10), "scale", pixels)
        for which in (name, "small_cnn")
    )
    assert {(16, 16), (8, 8)} <= {pair.size for pair in pairs(one, other, "attention", {})}
