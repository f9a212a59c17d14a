import json

import numpy as np
import pytest

from pipeline.data import dataset


@pytest.fixture
def folder(tmp_path, digits):
    images, labels = digits
    cuts = {"train": slice(0, 60), "validation": slice(60, 80), "test": slice(80, 110)}
    splits = {name: (images[rows], labels[rows]) for name, rows in cuts.items()}
    dataset.write(tmp_path, "digits", ["zero", "één", *"23456789"], splits)
    return tmp_path


def test_every_split_comes_back_as_it_was_written(folder, digits):
    read = dataset.training_split, dataset.validation_split, dataset.test_split
    images, labels = (np.concatenate(parts) for parts in zip(*(f(folder) for f in read)))  # noqa: B905
    assert np.array_equal(images, digits[0][:110])
    assert np.array_equal(labels, digits[1][:110])
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64


def test_images_are_mapped_not_loaded_and_cannot_be_written(folder):
    images, _ = dataset.training_split(folder)
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_the_page_of_facts_is_plain_json(folder):
    assert dataset.facts(folder) == {
        "name": "digits",
        "classes": ["zero", "één", *"23456789"],
        "shape": [8, 8, 1],
        "train": 60,
        "validation": 20,
        "test": 30,
        "quarantined": 0,
    }
    assert "één" in (folder / "dataset.json").read_text(encoding="utf-8")
    assert json.loads((folder / "dataset.json").read_bytes()) == dataset.facts(folder)


def test_a_sample_is_of_training_pictures_without_a_repeat(folder, digits):
    train = {picture.tobytes() for picture in digits[0][:60]}
    sample = dataset.training_sample(folder, 25, seed=0)
    assert sample.shape == (25, 8, 8, 1)
    assert not isinstance(sample, np.memmap)
    assert len({picture.tobytes() for picture in sample}) == 25
    assert {picture.tobytes() for picture in sample} <= train


def test_a_sample_is_decided_by_its_seed_and_never_larger_than_the_split(folder):
    one, same, other = (dataset.training_sample(folder, 25, seed) for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert len(dataset.training_sample(folder, 1000, 0)) == 60
