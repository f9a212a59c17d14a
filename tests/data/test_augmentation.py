import numpy as np
import pytest
import tensorflow as tf

from pipeline.data import AUGMENTATIONS, POLICIES
from pipeline.data.augmentation import augmenter, complete, read, write
from pipeline.errors import ConfigError

ARGUMENTS = {
    "flip": {},
    "translate": {"height_factor": 0.2, "width_factor": 0.2},
    "rotate": {"factor": 0.1},
    "zoom": {"height_factor": 0.3},
    "shear": {"x_factor": 0.3, "y_factor": 0.3},
    "brightness": {"factor": 0.3},
    "contrast": {"factor": 0.5},
    "saturation": {"factor": 0.9},
    "hue": {"factor": 0.5},
    "erase": {"factor": 1.0},
    "noise": {"factor": 0.1},
}
COLOUR_ONLY = ("hue", "saturation")
ROUNDING = 0.01  # of a pixel step: colour spaces are computed in another order inside a graph


def key(seed=1, epoch=2, batch=3):
    return tf.constant([seed, epoch, batch], tf.int64)


@pytest.fixture(scope="module")
def pictures(digits):
    """Sixteen digits by number of channels: as they are, and each coloured in its own way."""
    gray = digits[0][:16].astype(np.float32)
    tints = np.random.default_rng(0).uniform(0.3, 1, (16, 1, 1, 3))
    return {1: gray, 3: np.round(gray * tints).astype(np.float32)}


CASES = [
    (name, channels) for name in AUGMENTATIONS for channels in (1, 3)
    if channels == 3 or name not in COLOUR_ONLY
]  # fmt: skip


@pytest.mark.parametrize(("name", "channels"), CASES)
def test_every_augmentation_changes_pictures_and_keeps_them_pictures(name, channels, pictures):
    change = augmenter([{name: ARGUMENTS[name]}])
    before = pictures[channels]
    after = change(before, key()).numpy()
    assert after.shape == before.shape
    assert after.dtype == np.float32
    assert after.min() >= 0
    assert after.max() <= 255
    changed = np.abs(after - before).max((1, 2, 3)) > 1
    assert changed.mean() >= 0.25  # a flip leaves about half as they are
    assert np.abs(after - before).mean() < 100  # and what it makes is still these pictures


@pytest.mark.parametrize(("name", "channels"), CASES)
def test_an_augmentation_is_the_same_eagerly_and_inside_tf_data(name, channels, pictures):
    change = augmenter([{name: ARGUMENTS[name]}])
    eager = change(pictures[channels], key()).numpy()
    dataset = tf.data.Dataset.from_tensors((pictures[channels], key())).map(change)
    (inside,) = dataset.as_numpy_iterator()
    assert np.abs(inside - eager).max() < ROUNDING


@pytest.mark.parametrize("name", COLOUR_ONLY)
def test_what_changes_colours_refuses_gray_pictures_in_one_line(name, pictures):
    with pytest.raises(ConfigError, match=rf"^augment\.policy: {name}: .* gray$"):
        augmenter([{name: ARGUMENTS[name]}])(pictures[1], key())


def test_pictures_of_one_batch_are_changed_each_in_its_own_way(pictures):
    same = np.repeat(pictures[1][:1], 16, axis=0)
    changed = augmenter([{"rotate": {"factor": 0.1}}])(same, key()).numpy()
    assert len(np.unique(changed.reshape(16, -1), axis=0)) == 16


@pytest.mark.parametrize("name", sorted(set(POLICIES) - {"none"}))
def test_every_named_policy_works_and_depends_on_the_key_alone(name, pictures):
    change = augmenter(complete(name))
    once = change(pictures[3], key()).numpy()
    assert np.abs(once - pictures[3]).max() > 1
    change(pictures[3], key(epoch=9))
    tf.random.uniform(())
    assert np.array_equal(change(pictures[3], key()).numpy(), once)
    assert np.array_equal(augmenter(complete(name))(pictures[3], key()).numpy(), once)
    for other in (key(seed=2), key(epoch=3), key(batch=4)):
        assert not np.array_equal(change(pictures[3], other).numpy(), once)


def test_the_policy_none_changes_nothing(pictures):
    assert np.array_equal(augmenter(complete("none"))(pictures[1], key()).numpy(), pictures[1])


def test_the_same_operation_twice_draws_twice(pictures):
    shift = {"translate": {"height_factor": 0.0, "width_factor": 0.25, "interpolation": "nearest"}}
    one = augmenter([shift])
    two = augmenter([{"flip": {}}, shift])
    flipped = augmenter([{"flip": {}}])(pictures[1], key())
    assert not np.array_equal(one(flipped, key()).numpy(), two(pictures[1], key()).numpy())


def test_borders_that_come_in_are_black(pictures):
    white = np.full((8, 8, 8, 1), 255, np.float32)
    for name in ("translate", "rotate", "zoom", "shear"):
        arguments = {"zoom": {"height_factor": [0.3, 0.5]}}.get(name, ARGUMENTS[name])
        assert augmenter([{name: arguments}])(white, key()).numpy().min() < 10, name


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"flip": {"mode": "sideways"}}, "horizontal, vertical, horizontal_and_vertical"),
        ({"flip": {"factor": 1}}, "does not take"),
        ({"translate": {}}, "missing 2 required"),
        ({"rotate": {"factor": "much"}}, "Received: factor=much"),
        ({"rotate": {"factor": 0.1, "fill_mode": "x"}}, "fill_mode"),
        ({"zoom": {"height_factor": 0.1, "interpolation": "cubic"}}, "cubic"),
        ({"contrast": {"factor": -1}}, "factor"),
        ({"noise": {"factor": 2}}, "share of the pixel range"),
        ({"noise": {"facto": 0.1}}, "facto"),
        ({"rotate": {"factor": 0.1, "seed": 3}}, "`seed` is not for a policy to set"),
        ({"hue": {"factor": 0.1, "value_range": [0, 1]}}, "`value_range` is not for a policy"),
    ],
)
def test_a_wrong_argument_is_one_line_that_names_the_operation(operation, said):
    with pytest.raises(
        ConfigError, match=rf"^augment\.policy: {next(iter(operation))}: "
    ) as caught:
        augmenter([operation])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_argument_keras_looks_at_only_when_it_draws_is_one_line_too(pictures):
    with pytest.raises(ConfigError, match=r"^augment\.policy: erase: .*fill_value") as caught:
        augmenter([{"erase": {"fill_value": "pink"}}])(pictures[3], key())
    assert "\n" not in str(caught.value)


def test_a_policy_is_spelled_out_and_comes_back_from_its_file(tmp_path):
    policy = complete(["flip", {"rotate": {"factor": 0.1}}, {"noise": None}])
    assert policy == [{"flip": {}}, {"rotate": {"factor": 0.1}}, {"noise": {}}]
    write(tmp_path, policy)
    assert read(tmp_path) == policy


def test_two_operations_in_one_item_are_refused():
    with pytest.raises(ConfigError, match=r"one operation an item, not \['flip', 'zoom'\]"):
        complete([{"flip": {}, "zoom": {"height_factor": 0.1}}])
