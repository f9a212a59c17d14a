import gc
import subprocess
import sys
from itertools import islice, pairwise

import numpy as np
import pytest
import tensorflow as tf

from pipeline.data import AUGMENTATIONS, POLICIES, batches
from pipeline.data.augmentation import augmenter, complete
from pipeline.data.batches import plain_batches, steps, training_batches, weighed
from pipeline.data.operations.base import Batch
from pipeline.errors import ConfigError
from tests.front_door import ROOT
from tests.marks import slow_but

COUNT, BATCH = 50, 16  # three whole batches and one of two pictures


def unchanged(batch, key):
    return batch


@pytest.fixture
def numbered():
    """Pictures whose only pixel is their number, which is also their label."""
    numbers = np.arange(COUNT)
    return numbers.astype(np.uint8).reshape(-1, 1, 1, 1), numbers.astype(np.int64)


def epochs(split, number, seed=0, change=unchanged, first_epoch=0, batch=BATCH):
    """The first epochs: a list of batches each."""
    first = first_epoch * steps(len(split[1]), batch)
    stream = training_batches(split, batch, seed, change, first).as_numpy_iterator()
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


def test_a_fit_that_goes_on_within_an_epoch_sees_the_rest_of_it_and_the_next(digits):
    split = (digits[0][:COUNT], digits[1][:COUNT])
    change = augmenter(complete("strong"))
    whole = [batch for epoch in epochs(split, 3, change=change) for batch in epoch]
    first = 4 + 3  # of the second epoch's four batches the last
    stream = training_batches(split, BATCH, 0, change, first).as_numpy_iterator()
    for (images, labels), (late_images, late_labels) in zip(
        whole[first:], islice(stream, 5), strict=True
    ):
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
            images, labels = plain[batch]
            expected = change(Batch(images, labels, labels), key).images.numpy()
            assert np.abs(epoch[batch][0] - expected).max() < 0.01


# Every operation there is, in two policies: once with pictures of one channel, once of three.
EVERYTHING = {
    1: ["flip", {"flip": {"alternate": True}}, {"crop": {"padding": 1}}, *POLICIES["strong"],
        {"shear": {"x_factor": 0.2}}, "sharpness", "solarize", "posterize", "equalize", "erase",
        "noise", "rand_augment", "mixup", "cutmix"],
    3: [{"brightness": {"factor": 0.2}}, {"saturation": {"factor": [0.4, 0.6]}},
        {"hue": {"factor": 0.2}}, {"color_jitter": {"saturation": 0.3, "hue": 0.1}}, "grayscale",
        "rand_augment"],
}  # fmt: skip


def test_everything_is_everything():
    named = (name for policy in EVERYTHING.values() for one in complete(policy) for name in one)
    assert set(named) == set(AUGMENTATIONS)


@pytest.mark.parametrize("channels", slow_but([3], [1, 3]))
def test_how_many_batches_are_made_at_once_changes_no_bit(channels, digits, monkeypatch):
    split = (np.repeat(digits[0][:COUNT], channels, axis=-1), digits[1][:COUNT])

    def two_epochs(parallel):
        monkeypatch.setattr(batches, "PARALLEL", parallel)
        change = augmenter(complete(EVERYTHING[channels]))
        stream = training_batches(split, BATCH, 3, change, classes=10).as_numpy_iterator()
        return [parts for batch in islice(stream, 8) for parts in batch]

    alone = two_epochs(1)
    assert not np.array_equal(alone[0], alone[8])  # nor are the epochs the same
    for parallel in (2, 4):
        for one, two in zip(alone, two_epochs(parallel), strict=True):
            assert np.array_equal(one, two)


@pytest.mark.parametrize("batch", [16, 49])  # the last batch is of 2 pictures, and of 1
def test_pictures_are_mixed_with_those_of_their_own_batch(batch, numbered):
    split = (np.eye(COUNT, dtype=np.uint8)[:, None, None] * 255, numbered[1])
    change = augmenter(complete([{"mixup": {"alpha": 1.0}}]))
    stream = training_batches(split, batch, 0, change, classes=COUNT).as_numpy_iterator()
    for size, (images, targets) in zip(sizes(batch), stream, strict=False):
        assert targets.shape == (size, COUNT)
        assert np.abs(images[:, 0, 0] / 255 - targets).max() < 1e-6
        assert np.abs(targets.sum(axis=1) - 1).max() < 1e-6
        assert np.count_nonzero(targets.sum(axis=0)) <= size


def test_a_picture_of_a_mapped_row_is_flipped_in_every_second_epoch(numbered):
    images = np.stack([numbered[0], 255 - numbered[0]], axis=2)[..., 0]
    change = augmenter(complete([{"flip": {"mode": "horizontal", "alternate": True}}]))
    seen = []
    for epoch in epochs((images, numbered[1]), 4, change=change):
        first = np.concatenate([pictures[:, 0, 0, 0] for pictures, _ in epoch])
        flipped = first != order(epoch)
        seen.append(flipped[np.argsort(order(epoch))])
    assert 0.3 < seen[0].mean() < 0.7
    for before, after in pairwise(seen):
        assert np.array_equal(before, ~after)


def test_mixing_without_targets_is_an_error_of_the_caller(digits):
    split = (digits[0][:COUNT], digits[1][:COUNT])
    with pytest.raises(TypeError, match="ask for batches with `classes`"):
        epochs(split, 1, change=augmenter(complete(["mixup"])))


def test_what_a_picture_weighs_is_mixed_as_its_target_is(digits):
    split = (digits[0][:COUNT], digits[1][:COUNT])
    weights = {number: 1.0 + number for number in range(10)}
    for policy in ("none", "mix"):
        change = augmenter(complete(policy))
        stream = weighed(training_batches(split, BATCH, 0, change, classes=10), weights)
        for _, targets, said in islice(stream.as_numpy_iterator(), 4):
            assert said.shape == (len(targets),)
            assert np.abs(said - targets @ np.arange(1, 11)).max() < 1e-5


def test_pictures_that_were_drawn_make_up_an_epoch_in_an_order_of_its_own(digits):
    split = (digits[0][:COUNT], np.arange(COUNT))
    drawn = np.random.default_rng(0).integers(0, COUNT, COUNT - 7)
    stream = training_batches(split, BATCH, 3, unchanged, drawn=drawn)
    per_epoch = steps(len(drawn), BATCH)
    seen = [labels for _, labels in islice(stream.as_numpy_iterator(), 2 * per_epoch)]
    first, second = (np.concatenate(part) for part in (seen[:per_epoch], seen[per_epoch:]))
    assert sorted(first) == sorted(second) == sorted(drawn)
    assert not np.array_equal(first, second)
    later = training_batches(split, BATCH, 3, unchanged, per_epoch + 1, drawn=drawn)
    assert np.array_equal(next(later.as_numpy_iterator())[1], seen[per_epoch + 1])


def test_the_same_picture_is_changed_differently_in_each_batch_and_epoch(digits):
    one = np.repeat(digits[0][:1], 4, axis=0), np.zeros(4, np.int64)
    seen = epochs(one, 3, change=augmenter(complete("strong")), batch=1)
    images = np.concatenate([images for epoch in seen for images, _ in epoch])
    assert len(np.unique(images.reshape(12, -1), axis=0)) == 12


@pytest.fixture
def on_disk(tmp_path):
    """Write arrays and map them, as `dataset` does."""

    def mapped(images):
        np.save(tmp_path / "images.npy", images)
        return np.load(tmp_path / "images.npy", mmap_mode="r")

    return mapped


def sizes(batch):
    """Sizes of an epoch's batches."""
    return [min(batch, COUNT - start) for start in range(0, COUNT, batch)]


def same(one, other):
    return all(
        np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])
        for a, b in zip(one, other, strict=True)
    )


@pytest.fixture(params=["left to the page cache", "asked for ahead"])
def however_large(request, monkeypatch):
    """Both ways a mapped file is read; pictures are asked for 20 at once at most, in batches."""
    if request.param == "asked for ahead":
        monkeypatch.setattr(batches, "LARGE", 0)
        monkeypatch.setattr(batches, "ASKED", 20)


@pytest.mark.parametrize("batch", slow_but([7, 50], [1, 7, 16, 25, 50, 64]))
def test_a_mapped_file_gives_the_bits_that_memory_gives(
    batch, numbered, digits, on_disk, however_large
):
    images, numbers = digits[0][:COUNT], numbered[1]
    mapped = on_disk(images)
    assert isinstance(mapped, np.memmap)
    held, read = (
        epochs((pictures, numbers), 2, 3, augmenter(complete("light")), batch=batch)
        for pictures in (images, mapped)
    )
    for one, two in zip(held, read, strict=True):
        assert [len(labels) for _, labels in two] == sizes(batch)
        assert sorted(order(two)) == list(range(COUNT))
        assert same(one, two)


def test_the_order_of_a_seed_is_the_one_it_has_always_been(numbered):
    first, second = epochs(numbered, 2, seed=11)
    for number, epoch in enumerate((first, second)):
        expected = tf.random.experimental.stateless_shuffle(
            tf.range(COUNT, dtype=tf.int64), seed=tf.constant([11, number], tf.int64)
        )
        assert np.array_equal(order(epoch), expected)


def test_every_picture_is_asked_for_once_an_epoch_and_before_it_is_used(
    numbered, on_disk, monkeypatch
):
    asked = []
    monkeypatch.setattr(batches, "LARGE", 0)
    monkeypatch.setattr(batches, "ASKED", 20)
    monkeypatch.setattr(batches.Rows, "ask", lambda self, rows: len(asked.append(rows) or rows))
    stream = training_batches((on_disk(numbered[0]), numbered[1]), 8, 0, unchanged)
    used = []
    for _, labels in islice(stream.as_numpy_iterator(), 2 * steps(COUNT, 8)):
        used += labels.tolist()
        assert np.concatenate(asked).tolist()[: len(used)] == used
    assert [len(rows) for rows in asked[:8]] == [16, 16, 16, 2] * 2


def test_batches_outlive_the_arrays_they_come_from(numbered, on_disk):
    stream = training_batches((on_disk(numbered[0]), numbered[1]), BATCH, 0, unchanged)
    gc.collect()
    epoch = list(islice(stream.as_numpy_iterator(), steps(COUNT, BATCH)))
    assert sorted(order(epoch)) == list(range(COUNT))


# Determinism, which a stage asks for, cannot be taken back, so this has a process of its own.
FIT_IN_LITTLE_MEMORY = """
import sys
from pathlib import Path
import keras, numpy as np
from pipeline.data.batches import plain_batches, training_batches
from pipeline.fit import session

def own_memory():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

session.begin(0)
images = np.load(sys.argv[1], mmap_mode="r")
split = images, np.zeros(len(images), np.int64)
model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
model.compile(loss="mse")
before = own_memory()
if sys.argv[2] == "training":
    batches = training_batches(split, 8, 0, lambda batch, key: batch)
    model.fit(batches, steps_per_epoch=2, epochs=2, shuffle=False, verbose=0)
else:
    model.predict(plain_batches(split, 8), steps=2, verbose=0)
print((own_memory() - before) / images.nbytes)
"""


@pytest.mark.parametrize("made", slow_but(["training"], ["training", "plain"]))
def test_pictures_are_not_copied_into_memory(made, tmp_path):
    # A gigabyte of nothing: a file with a hole takes no disk.
    path = tmp_path / "images.npy"
    np.lib.format.open_memmap(path, "w+", np.uint8, (1 << 18, 64, 64, 1))
    words = [sys.executable, "-c", FIT_IN_LITTLE_MEMORY, path, made]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.25


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


@pytest.mark.parametrize("batch", [1, 16, 25, 64])
def test_plain_batches_of_a_mapped_file_are_those_of_memory(batch, digits, numbered, on_disk):
    held = digits[0][:COUNT]
    one, two = (
        list(plain_batches((images, numbered[1]), batch).as_numpy_iterator())
        for images in (held, on_disk(held))
    )
    assert [len(labels) for _, labels in two] == sizes(batch)
    assert same(one, two)


def test_colour_asked_of_gray_pictures_is_a_config_error_inside_tf_data_too(digits):
    split = (digits[0][:COUNT], digits[1][:COUNT])
    with pytest.raises(ConfigError, match=r"hue: .* gray"):
        epochs(split, 1, change=augmenter([{"hue": {"factor": 0.1}}]))
