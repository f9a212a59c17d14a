import numpy as np
import pytest
import tensorflow as tf

from pipeline.data.operations import rand_augment
from pipeline.data.operations.base import Batch
from pipeline.data.operations.rand_augment import FARTHEST, MOVES, TONES, RandAugment, _chosen

KINDS = [*TONES, *MOVES]


def batch_of(digits, count, channels=1):
    images = np.repeat(digits[0][:count], channels, axis=-1).astype(np.float32)
    return Batch(images, np.zeros((count, 2), np.float32), np.arange(count))


@pytest.fixture
def photos(digits):
    tints = np.random.default_rng(0).uniform(0.4, 0.9, (14, 1, 1, 3))
    return np.round(np.repeat(digits[0][:1], 14, axis=0) * tints + 20).astype(np.float32)


def test_there_are_the_fourteen_operations_of_the_paper():
    assert len(KINDS) == len(set(KINDS)) == 14
    assert len(FARTHEST) == len(MOVES)


def test_each_choice_does_to_its_picture_what_it_does_alone(photos):
    graded, grade = list(TONES.values()), tf.fill([14], -0.5)
    together = _chosen(photos, tf.range(14), grade, graded).numpy()
    for number, name in enumerate(KINDS):
        one = photos[number : number + 1]
        alone = _chosen(one, tf.constant([number]), grade[:1], graded).numpy()
        assert np.array_equal(together[number : number + 1], alone), name
        assert np.array_equal(alone, one) == (name == "identity"), name


def test_without_magnitude_graded_operations_leave_pictures_as_they_are(photos):
    still = _chosen(photos, tf.range(14), tf.zeros(14), list(TONES.values())).numpy()
    changed = {KINDS[i] for i in np.flatnonzero(np.abs(still - photos).max((1, 2, 3)) > 1e-3)}
    assert changed == {"auto_contrast", "equalize"}


def test_more_magnitude_goes_further(photos):
    graded = list(TONES.values())
    far = [
        np.abs(_chosen(photos, tf.range(14), tf.fill([14], -grade), graded) - photos).mean(
            (1, 2, 3)
        )
        for grade in (0.3, 0.9)
    ]
    milder = {KINDS[i] for i in np.flatnonzero(far[1] <= far[0])}
    assert milder <= {"identity", "auto_contrast", "equalize"}


@pytest.mark.parametrize(("channels", "kinds"), [(1, 13), (3, 14)])
def test_pictures_draw_operations_alike_often_each_its_own(
    channels, kinds, digits, seeds, monkeypatch
):
    seen = []

    def watch(images, choice, grade, graded):
        seen.append((choice.numpy(), grade.numpy()))
        return images

    monkeypatch.setattr(rand_augment, "_chosen", watch)
    RandAugment(operations=2, magnitude=0.4)(batch_of(digits, 1700, channels), seeds())
    assert len(seen) == 2
    for choice, grade in seen:
        counts = np.bincount(choice, minlength=kinds)
        assert len(counts) == kinds
        assert np.abs(counts / 1700 - 1 / kinds).max() < 0.025
        assert np.abs(np.abs(grade) - 0.4).max() < 1e-6
        assert abs(grade.mean()) < 0.05
    assert np.mean(seen[0][0] == seen[1][0]) < 0.12  # the second is drawn anew
