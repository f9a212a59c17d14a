import json

import numpy as np
import pytest

from pipeline.data import dataset


@pytest.fixture
def folder(tmp_path, digits):
    images, labels = digits
    cuts = {"train": slice(0, 60), "validation": slice(60, 80), "test": slice(80, 110)}
    for split, rows in cuts.items():
        pictures = (image.tobytes() for image in images[rows])
        dataset.write_split(tmp_path, split, labels[rows], (8, 8, 1), pictures)
    counts = {"train": 60, "validation": 20, "test": 30, "quarantined": 2}
    classes = ["zero", "één", *"23456789"]
    dataset.write_facts(
        tmp_path, {"name": "digits", "classes": classes, "shape": [8, 8, 1]} | counts
    )
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


def test_a_split_is_the_file_that_numpy_itself_would_write(folder, digits):
    np.save(folder / "ours.npy", digits[0][:60])
    assert (folder / "train_images.npy").read_bytes() == (folder / "ours.npy").read_bytes()


def test_pictures_are_written_as_they_come(tmp_path):
    path, size = tmp_path / "train_images.npy", 2 << 20
    written = []

    def pictures():
        for _ in range(5):
            written.append(path.stat().st_size)
            yield bytes(size)

    dataset.write_split(tmp_path, "train", np.arange(5), (1024, 2048, 1), pictures())
    assert all(there >= number * size for number, there in enumerate(written))
    assert dataset.training_split(tmp_path)[0].shape == (5, 1024, 2048, 1)


def test_the_page_of_facts_is_plain_json(folder):
    assert dataset.facts(folder) == {
        "name": "digits",
        "classes": ["zero", "één", *"23456789"],
        "shape": [8, 8, 1],
        "train": 60,
        "validation": 20,
        "test": 30,
        "quarantined": 2,
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
