from itertools import islice

import numpy as np
import pytest
import tensorflow as tf

from pipeline.data import batches
from pipeline.data.augmentation import augmenter, complete
from pipeline.data.batches import plain_batches, steps, training_batches
from pipeline.errors import ConfigError

COUNT, BATCH = 50, 16  # three whole batches and one of two pictures


def unchanged(images, key):
    return images


@pytest.fixture
def numbered():
    """Pictures whose only pixel is their number, which is also their label."""
    numbers = np.arange(COUNT)
    return numbers.astype(np.uint8).reshape(-1, 1, 1, 1), numbers.astype(np.int64)


def epochs(split, number, seed=0, change=unchanged, first_epoch=0, batch=BATCH):
    """The first epochs: a list of batches each."""
    stream = training_batches(split, batch, seed, change, first_epoch).as_numpy_iterator()
    return [list(islice(stream, steps(len(split[1]), batch))) for _ in range(number)]


def order(epoch):
    return np.concatenate([labels for _, labels in epoch])


def test_every_epoch_is_a_true_permutation_its_last_smaller_batch_included(numbered):
    for epoch in epochs(numbered, 5):
        assert [len(labels) for _, labels in epoch] == [16, 16, 16, 2]
        assert sorted(order(epoch)) == list(range(COUNT))


def test_pictures_keep_their_labels(numbered):
    for images, labels in epochs(numbered, 1)[0]:
        assert images.dtype == np.float32
        assert images.shape == (len(labels), 1, 1, 1)
        assert np.array_equal(images.ravel(), labels)


def test_the_order_differs_from_epoch_to_epoch(numbered):
    orders = {tuple(order(epoch)) for epoch in epochs(numbered, 6)}
    assert len(orders) == 6
    assert tuple(range(COUNT)) not in orders


def test_one_seed_gives_one_order_and_another_another(numbered):
    first, again, other = (
        [order(epoch).tolist() for epoch in epochs(numbered, 2, seed)] for seed in (7, 7, 8)
    )
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]
    assert first[1] != other[0]  # seeds are no shifted epochs of one another


def test_every_place_of_the_order_is_open_to_every_picture(numbered):
    firsts = {int(order(epoch)[0]) for epoch in epochs(numbered, 60, batch=COUNT)}
    assert len(firsts) > 25  # of 50 pictures in 60 draws about 35 come first once


def test_a_fit_that_goes_on_at_an_epoch_sees_what_it_would_have_seen(digits):
    split = (digits[0][:COUNT], digits[1][:COUNT])
    change = augmenter(complete("strong"))
    whole = epochs(split, 3, change=change)
    late = epochs(split, 1, change=change, first_epoch=2)
    for (images, labels), (late_images, late_labels) in zip(whole[2], late[0], strict=True):
        assert np.array_equal(images, late_images)
        assert np.array_equal(labels, late_labels)


def test_augmentation_is_a_function_of_seed_epoch_and_batch_whatever_runs_beside(digits):
    split = (digits[0][:COUNT], digits[1][:COUNT])
    change = augmenter(complete("strong"))
    tf.random.uniform((3,))
    drawn = epochs(split, 2, seed=5, change=change)
    for number, epoch in enumerate(drawn):
        plain = epochs(split, 1, seed=5, first_epoch=number)[0]
        # Backwards, one at a time and eagerly: what parallel calls of tf.data may not depend on.
        for batch in reversed(range(len(epoch))):
            key = tf.constant([5, number, batch], tf.int64)
            expected = change(plain[batch][0], key).numpy()
            assert np.abs(epoch[batch][0] - expected).max() < 0.01


@pytest.mark.parametrize("parallel", [1, 2, 8])
def test_how_many_batches_are_made_at_once_changes_no_bit(parallel, digits, monkeypatch):
    split = (digits[0][:COUNT], digits[1][:COUNT])
    usual = epochs(split, 2, change=augmenter(complete("strong")))
    monkeypatch.setattr(batches, "PARALLEL", parallel)
    other = epochs(split, 2, change=augmenter(complete("strong")))
    for one, two in zip(usual, other, strict=True):
        assert all(np.array_equal(a[0], b[0]) for a, b in zip(one, two, strict=True))


def test_the_same_picture_is_changed_differently_in_each_batch_and_epoch(digits):
    one = np.repeat(digits[0][:1], 4, axis=0), np.zeros(4, np.int64)
    seen = epochs(one, 3, change=augmenter(complete("strong")), batch=1)
    images = np.concatenate([images for epoch in seen for images, _ in epoch])
    assert len(np.unique(images.reshape(12, -1), axis=0)) == 12


def test_training_batches_read_from_a_mapped_file(tmp_path, numbered):
    np.save(tmp_path / "images.npy", numbered[0])
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    in_memory, on_disk = (epochs((images, numbered[1]), 1)[0] for images in (numbered[0], mapped))
    assert isinstance(mapped, np.memmap)
    assert all(
        np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])
        for a, b in zip(in_memory, on_disk, strict=True)
    )


def test_a_batch_larger_than_the_split_is_the_split(numbered):
    (epoch,) = epochs(numbered, 1, batch=1000)
    assert len(epoch) == 1
    assert sorted(order(epoch)) == list(range(COUNT))


def test_plain_batches_give_a_split_once_in_order_and_unchanged(digits):
    split = (digits[0][:COUNT], digits[1][:COUNT])
    dataset = plain_batches(split, BATCH)
    assert len(dataset) == 4
    pairs = list(dataset.as_numpy_iterator())
    images, labels = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    assert images.dtype == np.float32
    assert np.array_equal(images, split[0])
    assert np.array_equal(labels, split[1])


def test_colour_asked_of_gray_pictures_is_a_config_error_inside_tf_data_too(digits):
    split = (digits[0][:COUNT], digits[1][:COUNT])
    with pytest.raises(ConfigError, match=r"hue: .* gray"):
        epochs(split, 1, change=augmenter([{"hue": {"factor": 0.1}}]))
