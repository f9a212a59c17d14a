"""A network from a list: what is wrong for these pictures, random lists, and the recipe."""

import copy
import json
import random

import keras
import numpy as np
import pytest

from models import MODELS
from models.custom.joins import KINDS
from models.custom.reading import check
from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.fit import session
from pipeline.settings import Build
from pipeline.stages.build import make_core
from tests.front_door import ROOT, call
from tests.marks import slow_but
from tests.models.custom_layers import LAYERS, MIXED, whole

RECIPE = ROOT / "configs" / "custom.yaml"
SHAPE = (8, 8, 1)


def build(layers, shape=SHAPE):
    return MODELS["custom"](shape, 10, layers=layers)


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        (
            ["max_pool", {"conv": {"channels": 4, "kernel": 5, "padding": "valid", "name": "eye"}}],
            SHAPE,
            "build.layers 2 (conv 'eye'): a valid window of 5 pixels does not fit into maps of 4",
        ),
        (
            [{"max_pool": {"size": 9, "padding": "valid"}}],
            SHAPE,
            "build.layers 1 (max_pool): a valid window of 9 pixels does not fit into maps of 8",
        ),
        (
            [
                {"conv": {"channels": 4, "stride": 2, "name": "half"}},
                {"conv": {"channels": 4, "from": "images", "name": "whole"}},
                {"add": ["half", "whole"]},
            ],
            SHAPE,
            "(add): of: shapes do not fit: 'half' is (4, 4, 4), 'whole' is (8, 8, 4)",
        ),
        (
            [{"conv": {"channels": 4, "groups": 2}}],
            SHAPE,
            "build.layers 1 (conv): groups: 2 do not divide the 1 channels given",
        ),
        (
            [{"max_pool": 8}, {"conv": {"channels": 4, "normalization": "instance"}}],
            SHAPE,
            "build.layers 2 (conv): instance normalization of (1, 1, 4) has one value at a time",
        ),
        (
            ["flatten", {"dense": 65536}],
            (96, 96, 3),
            "build.layers 2 (dense): the network has more than 268,435,456 weights up to here",
        ),
        (
            [{"upsample": 32}, {"upsample": 32}],
            SHAPE,
            "build.layers 2 (upsample): (8192, 8192, 1) is more than 16,777,216 values",
        ),
    ],
)
def test_what_does_not_fit_the_pictures_is_said_before_it_is_built(layers, shape, message):
    settings = Build(model="custom", layers=layers)
    check(layers)  # nothing is wrong before the pictures are known
    with pytest.raises(ConfigError) as caught:
        make_core(settings, shape, 10)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_branches_are_joined_as_they_are_named():
    layers = [
        {"conv": {"channels": 4, "name": "stem"}},
        {"conv": {"channels": 4, "name": "left"}},
        {"conv": {"channels": 4, "kernel": 1, "from": "stem", "name": "right"}},
        {"add": {"of": ["left", "right"], "name": "sum"}},
        {"concatenate": ["sum", "stem", "images"]},
    ]
    model = build(layers)
    outputs = keras.Model(model.input, [layer.output for layer in model.layers])
    named = zip(
        [layer.name for layer in model.layers],
        outputs.predict(np.random.default_rng(0).uniform(size=(2, *SHAPE)), verbose=0),
        strict=True,
    )
    of = dict(named)
    np.testing.assert_allclose(of["4.sum"], of["2.left"] + of["3.right"], rtol=1e-6)
    joined = np.concatenate([of["4.sum"], of["1.stem"], of["images"]], -1)
    np.testing.assert_array_equal(of["5.concatenate"], joined)
    np.testing.assert_allclose(of["features"], joined.mean((1, 2)), rtol=1e-5)


@pytest.mark.parametrize("kind", ["layer", "group", "instance"])
def test_a_normalization_of_small_operations_is_that_of_keras(kind):
    from models.blocks.normalization import normalize

    images = keras.Input((6, 5, 16))
    theirs = {
        "layer": keras.layers.LayerNormalization(),
        "group": keras.layers.GroupNormalization(8),
        "instance": keras.layers.GroupNormalization(-1),
    }[kind]
    both = keras.Model(images, [normalize(images, kind), theirs(images)])
    pixels = np.random.default_rng(0).normal(3, 2, (4, 6, 5, 16)).astype(np.float32)
    ours, expected = both.predict(pixels, verbose=0)
    np.testing.assert_allclose(ours, expected, atol=2e-5)


def test_elu_is_that_of_keras_and_so_is_its_slope():
    import tensorflow as tf

    from models.blocks.activation import elu

    x = tf.constant([[-90.0, -3.0, -0.5, -1e-4, 0.0, 1e-4, 0.5, 3.0, 90.0]])
    features = keras.Input((9,))
    values, slopes = [], []
    for function in (elu, keras.activations.elu):
        model = keras.Model(features, function(features))
        with tf.GradientTape() as tape:
            tape.watch(x)
            values.append(model(x))
        slopes.append(tape.gradient(values[-1], x))
    np.testing.assert_allclose(*values, atol=1e-6)
    np.testing.assert_allclose(*slopes, atol=1e-6)


CHAIN = [
    *({"conv": {"channels": 8, "activation": "elu"}}, {"conv": {"channels": 8, "stride": 2}}),
    *({"depthwise_conv": 3}, {"separable_conv": 8}, {"transposed_conv": 8}, "max_pool"),
    *({"average_pool": {"size": 3, "stride": 1}}, "upsample", {"normalization": "group"}),
    *({"normalization": "layer"}, {"activation": "prelu"}, {"dropout": 0.3}),
    *({"spatial_dropout": 0.3}, {"conv": {"channels": 8, "groups": 4, "dilation": 2}}),
]


def some_list(draw):
    """A random valid list: a chain, two branches that are joined, and a tail."""
    layers = [{"conv": {"channels": 8, "name": "stem"}}, *draw.choices(CHAIN, k=draw.randrange(3))]
    layers.append({"conv": {"channels": 8, "name": "fork"}})
    for branch in ("left", "right"):
        layers.append({"conv": {"channels": 8, "kernel": 1, "from": "fork", "name": branch}})
    word = draw.choice(["add", "multiply", "concatenate"])
    layers.append({word: draw.choice([["left", "right"], ["fork", "left", "right"]])})
    layers += draw.choices(CHAIN, k=draw.randrange(3))
    tail = draw.choice([[], ["flatten", {"dense": 6}], ["global_max_pool", {"dense": 6}]])
    return copy.deepcopy(layers + tail)


@pytest.mark.parametrize("seed", slow_but(range(4), range(12)))
def test_every_valid_list_gives_probabilities(seed):
    draw = random.Random(seed)
    session.begin(seed)
    shape = draw.choice([(8, 8, 1), (5, 7, 3), (11, 9, 2)])
    layers = some_list(draw)
    check(layers)
    images = np.random.default_rng(seed).uniform(size=(3, *shape)).astype(np.float32)
    model = build(layers, shape)
    answers = model.predict(images, verbose=0)
    assert np.isfinite(answers).all()
    np.testing.assert_allclose(answers.sum(-1), 1, rtol=1e-5)


ODD = [
    *(None, True, -1, 0, 1, 2.5, float("nan"), float("inf"), 10**30, b"x", {"of": None}),
    *("", "conv", "images", "left", "a\nb", [], {}, [1], ["left", "right"], {1: 2}),
]


def mutate(draw, layers):
    """Change one thing of a list: an item, an argument, a name, the order."""
    layers = copy.deepcopy(layers)
    at = draw.randrange(len(layers))
    what = draw.randrange(5)
    item = layers[at]
    arguments = next(iter(item.values())) if isinstance(item, dict) and item else None
    if what == 0:
        layers[at] = draw.choice(ODD)
    elif what == 1:
        layers[at] = {draw.choice([*KINDS, "conv2d", 7]): draw.choice(ODD)}
    elif what == 2:
        del layers[at]
    elif what == 3:
        draw.shuffle(layers)
    elif isinstance(arguments, dict):
        arguments[draw.choice([*arguments, "from", "name", "of", "kernel", "x"])] = draw.choice(ODD)
    return layers


def refusal(layers):
    """What `check` says of a list; nothing where it takes it."""
    try:
        check(layers)
    except ConfigError as error:
        return str(error)
    return ""


def test_a_mutated_list_is_taken_or_refused_in_one_line_and_never_breaks():
    draw = random.Random(0)
    valid = [*map(whole, LAYERS), *MIXED.values(), *(some_list(draw) for _ in range(20))]
    refused = 0
    for _ in range(3000):
        layers = draw.choice(valid)
        for _ in range(draw.randrange(1, 3)):
            layers = mutate(draw, layers) if layers else layers
        said = refusal(layers)
        refused += bool(said)
        assert said.startswith("build.layers") or not said
        assert said.isprintable()
        assert len(said) < 500
    assert 1500 < refused < 3000


def test_the_recipe_names_its_branches_and_is_small():
    config = Config.load(RECIPE)
    words = [
        next(iter(i)) if isinstance(i, dict) else i for i in config.build.model_extra["layers"]
    ]
    assert {"add", "concatenate"} <= set(words)
    model = build(config.build.model_extra["layers"])
    assert config.prune.exclude[0] in {layer.name for layer in model.layers}
    assert f"{model.count_params():,} parameters" in RECIPE.read_text()


@pytest.mark.slow
def test_the_recipe_goes_the_whole_way(tmp_path):
    done = call("run", RECIPE, "train.epochs=8", "prune.epochs=4", artifacts=tmp_path, timeout=900)
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "custom" / "report.json").read_text())
    rows = {row["name"]: row for row in report["variants"]}
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert rows["float32"]["accuracy"] > 0.9
    assert rows["int8"]["ops"]["float32"] == rows["int8"]["ops"]["other"] == 0
    assert rows["int8"]["drop_pp"] < 2
