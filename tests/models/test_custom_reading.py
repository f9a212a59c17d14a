"""A list of layers is checked as the recipe is loaded: one line, naming the layer."""

import subprocess
import sys
import time
from typing import get_args

import pytest
import yaml

from models.blocks.kinds import ActivationKind
from models.custom.reading import MOST_LAYERS, check, read
from pipeline.config import Config
from pipeline.errors import ConfigError
from tests.front_door import ROOT, call
from tests.models.custom_layers import LAYERS, whole


def of(layers):
    return Config.of({"name": "test", "build": {"model": "custom", "layers": layers}})


@pytest.mark.parametrize("name", LAYERS)
def test_every_valid_list_is_taken(name):
    made = of(whole(name))
    assert made.build.model_extra["layers"] == whole(name)
    assert made.recipe()["build"]["layers"] == whole(name)


WRONG = [
    # words and arguments
    ("[{cnv: 8}]", "build.layers 1: unknown layer 'cnv': did you mean 'conv'?"),
    ("[relu]", "build.layers 1: unknown layer 'relu': write `activation: relu`"),
    ("[batch]", "build.layers 1: unknown layer 'batch': write `normalization: batch`"),
    ("[flatten, conv2]", "build.layers 2: unknown layer 'conv2': did you mean 'conv'?"),
    ("[conv]", "build.layers 1 (conv): channels: missing"),
    ("[dropout]", "build.layers 1 (dropout): rate: missing"),
    ("[{conv: {channels: 8, strid: 2}}]", "'strid': unknown argument: did you mean 'stride'?"),
    ("[{conv: {chanels: 8}}]", "'chanels': unknown argument: did you mean 'channels'?"),
    ("[{conv: {channels: 8, form: a}}]", "'form': unknown argument: did you mean 'from'?"),
    ("[{conv: {channels: 8, 3: 4}}]", "build.layers 1 (conv): the name of an argument, not 3"),
    ("[{global_average_pool: 3}]", "build.layers 1 (global_average_pool): takes no plain value"),
    ("[{conv: 8, max_pool: 2}]", "build.layers 1: one layer an item"),
    ("[{}]", "build.layers 1: one layer an item"),
    ("[3]", "build.layers 1: the name of a layer, not 3"),
    ("[null]", "build.layers 1: the name of a layer, not None"),
    ("[[conv]]", "build.layers 1: the name of a layer, not ['conv']"),
    ("[{3: 4}]", "build.layers 1: the name of a layer, not 3"),
    ("null", "build.layers: missing"),
    ("[]", "build.layers: 0 layers"),
    ("{conv: 8}", "build.layers: a list of layers, not {'conv': 8}"),
    ("conv", "build.layers: a list of layers, not 'conv'"),
    # types and ranges
    ("[{conv: {channels: 8, stride: two}}]", "stride: input should be a valid integer, not 'two'"),
    (
        "[{conv: true}]",
        "build.layers 1 (conv): channels: input should be a valid integer, not True",
    ),
    ("[{conv: 8.0}]", "channels: input should be a valid integer, not 8.0"),
    ("[{conv: '8'}]", "channels: input should be a valid integer, not '8'"),
    ("[{conv: 0}]", "channels: input should be greater than or equal to 1, not 0"),
    ("[{conv: 99999999999999999999999}]", "channels: input should be less than or equal to 4096"),
    ("[{conv: .nan}]", "channels: input should be a valid integer, not nan"),
    ("[{dropout: .nan}]", "rate: input should be a finite number, not nan"),
    ("[{dropout: .inf}]", "rate: input should be a finite number, not inf"),
    ("[{dropout: true}]", "rate: input should be a valid number, not True"),
    ("[{dropout: 1.0}]", "rate: input should be less than 1, not 1.0"),
    ("[{dropout: -0.1}]", "rate: input should be greater than or equal to 0"),
    ("[{conv: {channels: 8, l2: .nan}}]", "l2: input should be a finite number"),
    ("[{conv: {channels: 8, kernel: [3, 3]}}]", "kernel: input should be a valid integer, not [3"),
    ("[{conv: {channels: 8, padding: smae}}]", "padding: input should be 'same' or 'valid'"),
    ("[{conv: {channels: 8, activation: rleu}}]", "activation: input should be 'none', 'relu'"),
    ("[{normalization: bach}]", "kind: input should be 'batch', 'layer', 'group' or 'instance'"),
    ("[{max_pool: {size: 2, padding: null}}]", "padding: input should be 'same' or 'valid'"),
    # names and branches
    ("[{conv: {channels: 8, name: a b}}]", "(conv 'a b'): name: a letter, then up to 39"),
    ("[{conv: {channels: 8, name: 3}}]", "name: input should be a valid string, not 3"),
    ("[{conv: {channels: 8, name: images}}]", "(conv 'images'): name: 'images' is the input's"),
    (
        "[{conv: {channels: 8, name: a}}, {conv: {channels: 8, name: a}}]",
        "build.layers 2 (conv 'a'): name: 'a' is that of build.layers 1 already",
    ),
    (
        "[{conv: {channels: 8, name: stem}}, {conv: {channels: 8, from: stm}}]",
        "build.layers 2 (conv): from: no layer is called 'stm': did you mean 'stem'?",
    ),
    (
        "[{conv: {channels: 8, from: b}}, {conv: {channels: 8, name: b}}]",
        "build.layers 1 (conv): from: 'b' comes only later, at 2: it has to stand above",
    ),
    ("[{conv: {channels: 8, name: a, from: a}}]", "(conv 'a'): from: 'a' is the layer itself"),
    ("[{add: [images, b]}, {conv: {channels: 8, name: b}}]", "(add): of: 'b' comes only later"),
    ("[{add: [images, images]}]", "build.layers 1 (add): of: 'images' is there twice"),
    ("[{add: images}]", "build.layers 1 (add): of: a list of names, not 'images'"),
    ("[{add: [images]}]", "build.layers 1 (add): of: two names at least, not ['images']"),
    ("[add]", "build.layers 1 (add): of: missing"),
    (
        "[{conv: {channels: 8, name: left}}, {conv: {channels: 8, from: images}}]",
        "build.layers 1 (conv 'left'): nothing uses it",
    ),
    ("[max_pool, {conv: {channels: 8, from: images}}]", "build.layers 1 (max_pool): nothing uses"),
    # what fits, as far as it is known without pictures
    ("[{conv: {channels: 8, stride: 2, dilation: 2}}]", "stride and dilation: one of them has"),
    ("[{depthwise_conv: {stride: 2, dilation: 2}}]", "(depthwise_conv): stride and dilation"),
    ("[{conv: {channels: 8, groups: 3}}]", "(conv): groups: 3 do not divide 8 channels"),
    ("[{conv: 9}, {conv: {channels: 8, groups: 2}}]", "groups: 2 do not divide the 9 channels"),
    ("[{conv: 9}, {normalization: {kind: group, groups: 2}}]", "groups: 2 do not divide 9 chan"),
    ("[{normalization: {kind: batch, groups: 2}}]", "groups: batch normalization has none"),
    ("[flatten, {conv: {channels: 8, name: late}}]", "build.layers 2 (conv 'late'): takes feature"),
    ("[global_max_pool, max_pool]", "build.layers 2 (max_pool): takes feature maps"),
    ("[flatten, flatten]", "build.layers 2 (flatten): takes feature maps"),
    ("[flatten, {spatial_dropout: 0.2}]", "build.layers 2 (spatial_dropout): takes feature maps"),
    ("[flatten, {normalization: instance}]", "(normalization): instance normalization takes"),
    ("[{conv: 1}, {normalization: layer}]", "layer normalization of (?, ?, 1) has one value"),
    ("[{dense: 8}]", "build.layers 1 (dense): takes features, and what comes in are maps"),
    (
        "[{conv: {channels: 8, name: a}}, {conv: {channels: 4, name: b}}, {concatenate: [a, b]},"
        " {dense: 5}]",
        "build.layers 4 (dense): takes features, and what comes in are maps (?, ?, 12)",
    ),
    (
        "[{conv: {channels: 8, name: a}}, {conv: {channels: 16, name: b}}, {add: [a, b]}]",
        "build.layers 3 (add): of: shapes do not fit: 'a' is (?, ?, 8), 'b' is (?, ?, 16)",
    ),
    (
        "[{conv: {channels: 8, name: a}}, {flatten: {name: b}}, {concatenate: [a, b]}]",
        "build.layers 3 (concatenate): of: shapes do not fit: 'a' is (?, ?, 8), 'b' is (?)",
    ),
    ("[flatten, {dense: 65536}, {dense: 65536}]", "build.layers 3 (dense): the network has more"),
]


@pytest.mark.parametrize(("layers", "message"), WRONG)
def test_a_wrong_list_is_one_line_that_names_the_layer(layers, message):
    with pytest.raises(ConfigError) as caught:
        of(yaml.safe_load(layers))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_long_list_is_taken_and_a_longer_one_refused():
    check(["max_pool"] * MOST_LAYERS)
    with pytest.raises(ConfigError, match="501 layers; a network has 1 to 500"):
        check(["max_pool"] * (MOST_LAYERS + 1))


def test_a_list_that_holds_itself_or_is_very_deep_is_refused():
    itself = []
    itself.append(itself)
    deep = 8
    for _ in range(5000):
        deep = [deep]
    for layers in (itself, [{"conv": itself}], [{"conv": {"channels": deep}}], deep):
        with pytest.raises(ConfigError) as caught:
            check(layers)
        assert len(str(caught.value)) < 200


def test_what_a_list_says_is_never_printed_raw():
    with pytest.raises(ConfigError) as caught:
        check([{"conv": {"channels": 8, "name": "a\n\x1b[2J" + "b" * 999}}])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_reading_is_instant_and_imports_no_keras():
    code = (
        "import sys; from models import CHECKS; CHECKS['custom'](layers=[{'conv': 8}]); "
        "print([name for name in ('keras', 'tensorflow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
    layers = [{"conv": {"channels": 8, "name": f"n{i}"}} for i in range(MOST_LAYERS)]
    started = time.monotonic()
    read(layers)
    assert time.monotonic() - started < 0.5


def test_the_activations_of_the_schema_are_those_of_the_blocks():
    from models.blocks.activation import ACTIVATIONS as MADE

    assert get_args(ActivationKind) == tuple(MADE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["build.model=custom"], "build.layers: missing"),
        (["build.model=custom", "build.layers=[{cnv: 8}]"], "build.layers 1: unknown layer 'cnv'"),
        (["build.model=custom", "build.layers=" + "[" * 900 + "]" * 900], "build.layers"),
        (["build.model=custom", "build.layers=&a [*a]"], "build.layers 1: the name of a layer"),
        (["build.model=custom", "build.layers=[&a {conv: *a}]"], "build.layers 1 (conv): 'conv'"),
    ],
    ids=["missing", "unknown", "deep", "itself", "loop"],
)
def test_the_command_line_says_it_in_one_line_and_ends_with_2(words, said):
    done = call("run", *words)
    assert (done.code, len(done.errors)) == (2, 1), done.err
    assert said in done.err


def test_a_recipe_that_holds_itself_is_refused_in_one_line(tmp_path):
    recipe = tmp_path / "loop.yaml"
    recipe.write_text("build: &b\n  model: custom\n  layers: *b\n")
    done = call("show", "config", recipe)
    assert (done.code, len(done.errors)) == (2, 1), done.err
    assert "a section that holds itself" in done.err
