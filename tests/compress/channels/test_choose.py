import keras
import numpy as np
import pytest
from keras import layers as L

from models import MODELS
from pipeline.compress.anatomy import anatomy
from pipeline.compress.channels import (
    Size,
    by_weights,
    choose,
    order,
    rebuild,
    smallest,
    summary,
    trace,
)
from pipeline.errors import ConfigError

RANKINGS = pytest.mark.parametrize("ranking", ["uniform", "global", "cost"])


@pytest.fixture(scope="module")
def traced():
    keras.utils.set_random_seed(0)
    return trace(MODELS["resnet8"]((32, 32, 3), 10))


@pytest.fixture(scope="module")
def scores(traced):
    return by_weights(traced)


def plain(*channels):
    convolutions = [L.Conv2D(n, 3, padding="same", name=f"conv{k}") for k, n in enumerate(channels)]
    return keras.Sequential(
        [keras.Input((8, 8, 3)), *convolutions, L.GlobalAveragePooling2D(), L.Dense(2)]
    )


@RANKINGS
@pytest.mark.parametrize("measure", ["macs", "bytes"])
@pytest.mark.parametrize("target", [0.8, 0.5, 0.3])
def test_a_target_is_met_and_nothing_more_fits(traced, scores, ranking, measure, target):
    masks = choose(traced, scores, target, measure, ranking=ranking, multiple=4)
    size = Size(traced, measure)
    assert size.of_masks(masks) <= target * size.whole
    kept = np.array([mask.sum() for mask in masks])
    for group, one in enumerate(traced.groups):
        more = kept.copy()
        more[group] += 4
        if more[group] <= one.channels:
            assert size.of(more) > target * size.whole


@RANKINGS
def test_the_rebuilt_model_has_the_size_that_was_promised(traced, scores, ranking):
    masks = choose(traced, scores, 0.5, ranking=ranking, multiple=8)
    slim = rebuild(traced, masks)
    found, size = anatomy(slim), Size(traced, "macs")
    assert found.macs == size.of_masks(masks) <= 0.5 * size.whole
    filters = [layer.filters for layer in slim.layers if isinstance(layer, L.Conv2D)]
    assert all(count % 8 == 0 for count in filters)


def test_counts_go_to_the_next_multiple_and_small_groups_stay():
    traced = trace(plain(20, 8, 6, 17))
    queue = order(traced, by_weights(traced), multiple=8)
    kept = queue.counts(queue.chunks)
    left = {g.name: count for g, count in zip(traced.groups, kept.tolist(), strict=True)}
    assert left == {"conv0": 8, "conv1": 8, "conv2": 6, "conv3": 8}
    first, *_ = order(traced, by_weights(traced), "uniform", 8).chunks
    assert (first.group, len(first.channels)) == (3, 1)  # of 17, one goes first: to 16


def test_channels_that_go_together_count_as_many():
    images = keras.Input((8, 8, 3))
    x = L.Conv2D(32, 3, groups=16)(L.Conv2D(32, 3)(images))
    model = keras.Model(images, L.Dense(2)(L.GlobalAveragePooling2D()(x)))
    traced = trace(model)
    queue = order(traced, by_weights(traced), multiple=8)
    left = [queue.counts(queue.chunks[:gone]).tolist() for gone in (1, 2, 3)]
    assert left == [[12], [8], [4]]  # of 16 pairs: 24, 16, 8 channels


def test_the_least_important_go_first():
    traced = trace(plain(16, 24))
    scores = (np.arange(16.0), np.arange(24.0)[::-1] + 100)
    masks = choose(traced, scores, 0.8, multiple=4)
    np.testing.assert_array_equal(masks[1], True)
    assert not masks[0][:4].any()
    assert masks[0][-4:].all()


def test_uniform_takes_the_same_share_of_every_group(traced, scores):
    masks = choose(traced, scores, 0.4, ranking="uniform", multiple=1)
    shares = [mask.mean() for mask in masks]
    assert max(shares) - min(shares) < 0.1


def test_cost_prefers_channels_that_save_more():
    traced = trace(plain(16, 16))
    even = (np.ones(16), np.ones(16))
    # The second is read by the dense layer alone; the first by a 3x3 convolution.
    by_macs = choose(traced, even, 0.8, ranking="cost", multiple=1)
    assert by_macs[0].sum() < by_macs[1].sum() == 16
    dear = {traced.groups[0].name: 1.0, traced.groups[1].name: 50.0}
    by_time = choose(traced, even, 0.8, ranking="cost", multiple=1, costs=dear)
    assert by_time[1].sum() < by_time[0].sum()
    asked = choose(
        traced, even, 0.8, ranking="cost", multiple=1, costs=lambda group: dear[group.name]
    )
    np.testing.assert_array_equal(asked, by_time)


def test_nothing_is_smaller_than_the_smallest_and_that_can_be_chosen(traced, scores):
    size = Size(traced, "macs")
    share = smallest(traced, scores, multiple=8)
    masks = choose(traced, scores, share, multiple=8)
    assert size.of_masks(masks) == round(share * size.whole)
    assert all(mask.sum() <= 8 for mask in masks)
    with pytest.raises(ConfigError, match="out of reach"):
        choose(traced, scores, share - 1e-6, multiple=8)


def test_a_target_out_of_reach_says_how_far_it_got(traced, scores):
    with pytest.raises(ConfigError, match=r"1\.0% are out of reach: .* [\d.]+% remain"):
        choose(traced, scores, 0.01, multiple=8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target": 0}, "target is 0"),
        ({"target": 1.5}, "target is 1.5"),
        ({"measure": "grams"}, "size in 'grams' is not known"),
        ({"ranking": "dice"}, "ranking 'dice' is not known; known: uniform"),
        ({"multiple": 0}, "multiple is 0"),
        ({"multiple": 128}, "in multiples of 128: its groups have up to 64"),
        ({"ranking": "cost", "costs": {}}, "costs say nothing of conv"),
        ({"ranking": "cost", "costs": lambda group: 0.0}, "is not above 0"),
    ],
)
def test_wrong_arguments_are_refused_in_a_line(traced, scores, arguments, words):
    with pytest.raises(ConfigError, match=words):
        choose(traced, scores, **{"target": 0.5, **arguments})


def test_a_model_without_a_channel_to_remove_is_refused():
    traced = trace(keras.Sequential([keras.Input((4,)), L.Dense(3)]))
    with pytest.raises(ConfigError, match="has no channel that can be removed: every one"):
        choose(traced, by_weights(traced), 0.5)


def test_the_summary_says_what_each_layer_lost():
    model = plain(16, 24)
    traced = trace(model)
    masks = (np.arange(16) < 8, np.arange(24) < 12)
    found = summary(model, rebuild(traced, masks))
    assert found.macs == (
        64 * 9 * (3 * 16 + 16 * 24) + 24 * 2,
        64 * 9 * (3 * 8 + 8 * 12) + 12 * 2,
    )
    first, second, dense = found.layers
    assert (first.name, first.channels, first.params) == ("conv0", (16, 8), (28 * 16, 28 * 8))
    assert (second.channels, second.macs) == ((24, 12), (64 * 9 * 16 * 24, 64 * 9 * 8 * 12))
    assert (dense.channels, dense.params) == ((2, 2), (50, 26))
    assert found.facts()["params"] == found.params == (model.count_params(), 28 * 8 + 876 + 26)
