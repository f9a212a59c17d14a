"""Channels that nothing reads can go without a trace: the same outputs, from a smaller model."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import MODELS
from pipeline.compress.anatomy import anatomy
from pipeline.compress.channels import Size, rebuild, trace
from pipeline.fit.ensembles.members import VOTE, voting
from tests.compress.channels.networks import SMALL, batch, outputs
from tests.compress.channels.randomly import random_network
from tests.compress.channels.silence import random_masks, shaken, silence
from tests.marks import slow_but

# The ladder, thin enough for seconds.
LADDER = {
    **{name: {} for name in ("small_cnn", "pocket_cnn", "simple_cnn", "lenet5", "resnet8")},
    **{name: {"width": 32} for name in ("mlp", "deep_mlp")},
    "cnn_dnn": {"width": 8},
    "densenet121": {"growth": 8, "depths": [2, 3, 3, 2]},
    **{name: {"width": 0.125} for name in ("alexnet", "vgg11", "vgg13", "vgg16", "vgg19")},
    **{name: {"width": 0.25} for name in ("nin", "googlenet", "mobilenet_v1", "mobilenet_v2")},
    **{name: {"width": 0.125} for name in ("resnet18", "resnet34", "resnet50")},
}
# Dense layers, convolutions before them, none of those, residuals, depthwise ones, joined branches.
DIFFERENT = ("mlp", "lenet5", "small_cnn", "nin", "resnet8", "mobilenet_v1", "densenet121")
# The same networks on every machine and day: a test that fails now and then helps nobody.
ANY = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
APART = {"custom", "backbone", "file"}  # made of the others, or of options
FAMILIES = {
    **dict.fromkeys(("MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "DenseNet121"), 64),
    **dict.fromkeys(("ResNet50", "ResNet50V2", "ConvNeXtTiny", "InceptionResNetV2"), 96),
    **dict.fromkeys(("InceptionV3", "Xception", "NASNetMobile"), 96),
}


def check(model, rng, least=0.1, ordered=True):
    """Silence some channels, take them out, and compare; a share of all has to be removable.

    Layers come in the order they had, but where a nested model was called by names.
    """
    traced = trace(shaken(model))
    masks = random_masks(traced, rng)
    silence(traced, masks)
    slim = rebuild(traced, masks)
    given = batch(model, rng)
    for before, after in zip(outputs(model, given), outputs(slim, given), strict=True):
        assert before.shape == after.shape
        assert np.ptp(before) > 1e-4  # a constant would prove nothing
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * max(1, np.abs(before).max()))
    names, had = ([layer.name for layer in one.layers] for one in (slim, model))
    assert names == had if ordered else sorted(names) == sorted(had)
    smaller = slim.count_params() < (1 - least) * model.count_params()
    assert smaller == (not all(mask.all() for mask in masks))
    written = sum(np.asarray(weight).nbytes for weight in slim.weights)
    assert Size(traced, "bytes").of_masks(masks) == written
    if all(None not in one.shape[1:] for one in model.inputs):
        assert Size(traced, "macs").of_masks(masks) == anatomy(slim).macs
    return slim


@pytest.mark.parametrize("name", SMALL)
def test_small_networks_of_every_tie(name):
    keras.utils.set_random_seed(1)
    check(SMALL[name](), np.random.default_rng(1), ordered=name != "addressed")


def test_the_ladder_is_whole():
    assert {*LADDER} == {*MODELS} - APART


@pytest.mark.parametrize("name", slow_but(DIFFERENT, LADDER))
def test_every_network_of_the_ladder(name):
    keras.utils.set_random_seed(1)
    check(MODELS[name]((32, 32, 3), 10, **LADDER[name]), np.random.default_rng(1), 0.2)


def test_networks_that_answer_as_one_and_all_keep_their_vote():
    keras.utils.set_random_seed(1)
    members = [MODELS["small_cnn"]((8, 8, 1), 10, width=16) for _ in range(2)]
    slim = check(voting(members, np.array([0.3, 0.7])), np.random.default_rng(1), 0.2)
    assert slim.get_layer(VOTE).kernel.shape == (2, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_known_families(name):
    keras.utils.set_random_seed(1)
    shape = (FAMILIES[name], FAMILIES[name], 3)
    arguments = {"include_preprocessing": False} if name == "MobileNetV3Small" else {}
    network = getattr(keras.applications, name)(
        weights=None, input_shape=shape, classes=7, classifier_activation=None, **arguments
    )
    check(network, np.random.default_rng(1), 0.2)


@settings(ANY, max_examples=25)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_random_networks(data, seed):
    check(random_network(data.draw), np.random.default_rng(seed), 0.0)


@pytest.mark.slow
@settings(ANY, max_examples=200)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_many_random_networks(data, seed):
    keras.backend.clear_session()
    check(random_network(data.draw), np.random.default_rng(seed), 0.0)
