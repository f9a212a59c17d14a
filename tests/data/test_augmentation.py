import inspect

import numpy as np
import pytest
import tensorflow as tf

from pipeline.data import AUGMENTATIONS, POLICIES
from pipeline.data.augmentation import augmenter, complete, operations, read, write
from pipeline.data.operations import NEEDED, OPERATIONS
from pipeline.data.operations.base import Batch
from pipeline.errors import ConfigError

ARGUMENTS = {
    "flip": {},
    "crop": {"padding": 2},
    "translate": {"height_factor": 0.2, "width_factor": 0.2},
    "rotate": {"factor": 0.1},
    "zoom": {"height_factor": 0.3},
    "shear": {"x_factor": 0.3, "y_factor": 0.3},
    "brightness": {"factor": 0.3},
    "contrast": {"factor": 0.5},
    "saturation": {"factor": 0.9},
    "hue": {"factor": 0.5},
    "color_jitter": {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.1},
    "grayscale": {"probability": 0.5},
    "sharpness": {"factor": 0.9},
    "solarize": {"probability": 0.5},
    "posterize": {"probability": 0.5, "bits": 2},
    "equalize": {"probability": 0.5},
    "erase": {"factor": 1.0},
    "noise": {"factor": 0.1},
    "rand_augment": {},
    "mixup": {"alpha": 1.0},
    "cutmix": {},
}
COLOUR_ONLY = ("hue", "saturation", "color_jitter", "grayscale")
ROUNDING = 0.01  # of a pixel step: colour spaces are computed in another order inside a graph


def key(seed=1, epoch=2, batch=3):
    return tf.constant([seed, epoch, batch], tf.int64)


def batch_of(images):
    """A batch in which each picture is of a class of its own."""
    count = len(images)
    return Batch(images, tf.one_hot(np.arange(count), count), tf.range(count, dtype=tf.int64))


def changer(policy):
    """Make `(images, key) -> images` of a policy."""
    change = augmenter(policy)
    return lambda images, key: change(batch_of(images), key).images


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
    change = changer([{name: ARGUMENTS[name]}])
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
    change = changer([{name: ARGUMENTS[name]}])
    eager = change(pictures[channels], key()).numpy()
    dataset = tf.data.Dataset.from_tensors((pictures[channels], key())).map(change)
    (inside,) = dataset.as_numpy_iterator()
    assert np.abs(inside - eager).max() < ROUNDING


@pytest.mark.parametrize("name", COLOUR_ONLY)
def test_what_changes_colours_refuses_gray_pictures_in_one_line(name, pictures):
    with pytest.raises(ConfigError, match=rf"^augment\.policy: {name}: .* gray$"):
        changer([{name: ARGUMENTS[name]}])(pictures[1], key())


def test_pictures_of_one_batch_are_changed_each_in_its_own_way(pictures):
    same = np.repeat(pictures[1][:1], 16, axis=0)
    changed = changer([{"rotate": {"factor": 0.1}}])(same, key()).numpy()
    assert len(np.unique(changed.reshape(16, -1), axis=0)) == 16


@pytest.mark.parametrize("name", sorted(set(POLICIES) - {"none"}))
def test_every_named_policy_works_and_depends_on_the_key_alone(name, pictures):
    change = changer(complete(name))
    once = change(pictures[3], key()).numpy()
    assert np.abs(once - pictures[3]).max() > 1
    change(pictures[3], key(epoch=9))
    tf.random.uniform(())
    assert np.array_equal(change(pictures[3], key()).numpy(), once)
    assert np.array_equal(changer(complete(name))(pictures[3], key()).numpy(), once)
    for other in (key(seed=2), key(epoch=3), key(batch=4)):
        assert not np.array_equal(change(pictures[3], other).numpy(), once)


def test_the_policy_none_changes_nothing(pictures):
    assert np.array_equal(changer(complete("none"))(pictures[1], key()).numpy(), pictures[1])


def test_the_same_operation_twice_draws_twice(pictures):
    shift = {"translate": {"height_factor": 0.0, "width_factor": 0.25, "interpolation": "nearest"}}
    one = changer([shift])
    two = changer([{"flip": {}}, shift])
    flipped = changer([{"flip": {}}])(pictures[1], key())
    assert not np.array_equal(one(flipped, key()).numpy(), two(pictures[1], key()).numpy())


def test_borders_that_come_in_are_black(pictures):
    white = np.full((8, 8, 8, 1), 255, np.float32)
    for name in ("translate", "rotate", "zoom", "shear"):
        arguments = {"zoom": {"height_factor": [0.3, 0.5]}}.get(name, ARGUMENTS[name])
        assert changer([{name: arguments}])(white, key()).numpy().min() < 10, name


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"flip": {"mode": "sideways"}}, "horizontal, vertical, horizontal_and_vertical"),
        ({"flip": {"factor": 1}}, "it does not take `factor`: known: alternate, mode"),
        ({"flip": {"alternate": 1}}, "true or false"),
        ({"crop": {"padding": 0}}, "`padding` is a whole number from 1 to 256; received 0"),
        ({"crop": {"padding": 2.0}}, "whole number"),
        ({"crop": {"fill": "pink"}}, "black, reflect"),
        ({"mixup": {"alpha": 0}}, "`alpha` is a number from 0.001 to 100; received 0"),
        ({"mixup": {"alpha": -1.0}}, "`alpha`"),
        ({"mixup": {"alpha": float("nan")}}, "`alpha`"),
        ({"mixup": {"alpha": "0.2"}}, "received '0.2'"),
        ({"cutmix": {"probability": 1.5}}, "`probability` is a number from 0 to 1"),
        ({"rand_augment": {"magnitude": 9}}, "`magnitude` is a number from 0 to 1"),
        ({"rand_augment": {"operations": 0}}, "`operations` is a whole number from 1 to 10"),
        ({"color_jitter": {"hue": 0.6}}, "`hue` is a number from 0 to 0.5"),
        ({"posterize": {"bits": 9}}, "`bits` is a whole number from 1 to 8"),
        ({"translate": {}}, "missing 2 required"),
        ({"rotate": {"factor": "much"}}, "Received: factor=much"),
        ({"rotate": {"factor": 0.1, "fill_mode": "x"}}, "fill_mode"),
        ({"zoom": {"height_factor": 0.1, "interpolation": "cubic"}}, "cubic"),
        ({"contrast": {"factor": -1}}, "factor"),
        ({"noise": {"factor": 2}}, "share of the pixel range"),
        ({"noise": {"facto": 0.1}}, "does not take `facto`: did you mean 'factor'?"),
        ({"rotate": {"factor": 0.1, "seed": 3}}, "`seed` is not for a policy to set"),
        ({"hue": {"factor": 0.1, "value_range": [0, 1]}}, "`value_range` is not for a policy"),
    ],
)
def test_a_wrong_argument_is_one_line_that_names_the_operation(operation, said):
    with pytest.raises(
        ConfigError, match=rf"^augment\.policy: {next(iter(operation))}: "
    ) as caught:
        changer([operation])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_argument_keras_looks_at_only_when_it_draws_is_one_line_too(pictures):
    with pytest.raises(ConfigError, match=r"^augment\.policy: erase: .*fill_value") as caught:
        changer([{"erase": {"fill_value": "pink"}}])(pictures[3], key())
    assert "\n" not in str(caught.value)


def test_a_policy_is_spelled_out_and_comes_back_from_its_file(tmp_path):
    policy = complete(["flip", {"rotate": {"factor": 0.1}}, {"noise": None}])
    assert policy == [{"flip": {}}, {"rotate": {"factor": 0.1}}, {"noise": {}}]
    write(tmp_path, policy)
    assert read(tmp_path) == policy


def test_two_operations_in_one_item_are_refused():
    with pytest.raises(ConfigError, match=r"one operation an item, not \['flip', 'zoom'\]"):
        complete([{"flip": {}, "zoom": {"height_factor": 0.1}}])


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_what_is_listed_of_an_operation_is_what_its_code_takes(name):
    taken = inspect.signature(AUGMENTATIONS[name]).parameters
    for argument, default in OPERATIONS[name].arguments.items():
        expected = inspect.Parameter.empty if default == NEEDED else default
        if argument == "fill_mode":  # of Keras' layers, in which we set another
            expected = "reflect"
        assert taken[argument].default == expected, argument
    assert set(OPERATIONS[name].reach) <= set(OPERATIONS[name].arguments)


def test_every_operation_is_described():
    assert set(OPERATIONS) == set(AUGMENTATIONS)


@pytest.mark.parametrize(("name", "channels"), CASES)
def test_one_key_gives_one_result_whatever_ran_before_and_epochs_differ(name, channels, pictures):
    change = changer([{name: ARGUMENTS[name]}])
    once = change(pictures[channels], key()).numpy()
    change(pictures[channels][:5], key(epoch=9))
    tf.random.uniform(())
    assert np.array_equal(change(pictures[channels], key()).numpy(), once)
    other = [change(pictures[channels], key(epoch=epoch)).numpy() for epoch in range(3, 6)]
    assert any(not np.array_equal(one, once) for one in other)


@pytest.mark.parametrize(("name", "channels"), CASES)
def test_a_batch_of_one_picture_is_changed_too(name, channels, pictures):
    change = changer([{name: ARGUMENTS[name]}])
    for epoch in range(4):
        one = change(pictures[channels][:1], key(epoch=epoch)).numpy()
        assert one.shape == (1, 8, 8, channels)
        assert np.isfinite(one).all()


def test_a_crop_as_large_as_the_picture_is_refused(pictures):
    with pytest.raises(ConfigError, match=r"^augment\.policy: crop: `padding` 8 .* 8 x 8$"):
        changer([{"crop": {"padding": 8}}])(pictures[1], key())


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixing_labels_that_are_no_targets_is_an_error_of_the_caller(name, pictures):
    batch = batch_of(pictures[1])._replace(targets=tf.range(16, dtype=tf.int64))
    with pytest.raises(TypeError, match=f"^{name} mixes targets: ask for batches with `classes`"):
        augmenter(complete([name]))(batch, key())


def test_only_mixing_changes_targets(pictures):
    for name in AUGMENTATIONS:
        batch = batch_of(pictures[3])
        after = augmenter([{name: ARGUMENTS[name]}])(batch, key())
        same = np.array_equal(after.targets, batch.targets)
        assert same == (name not in ("mixup", "cutmix")), name
        assert np.array_equal(after.rows, batch.rows)


def test_a_policy_is_spelled_out_at_its_strength():
    assert complete("light", 0.5) == [
        {"translate": {"height_factor": 0.04, "width_factor": 0.04}},
        {"rotate": {"factor": 0.015}},
    ]
    assert complete(["mixup", "flip"], 0.5) == [{"mixup": {"alpha": 0.1}}, {"flip": {}}]


@pytest.mark.parametrize("strength", [0.01, 0.5, 1000.0])
def test_every_policy_works_at_any_strength(strength, pictures):
    for name in POLICIES:
        after = changer(complete(name, strength))(pictures[3], key()).numpy()
        assert np.isfinite(after).all()


def test_every_operation_takes_its_arguments_at_any_strength():
    for strength in (0.01, 0.5, 3, 1000.0):
        policy = complete([{name: ARGUMENTS[name]} for name in AUGMENTATIONS], strength)
        assert len(operations(policy)) == len(AUGMENTATIONS)
