"""Folders of real pictures: the digits of scikit-learn and its two photos, as files."""

from functools import cache

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images


@cache
def digits():
    """All digits: gray uint8 `(1797, 8, 8)`, labels `(1797,)`."""
    bunch = load_digits()
    return np.round(bunch.images * (255 / 16)).astype(np.uint8), bunch.target


def digit_folder(root, rows=range(600), suffix="png", classes=10):
    """Write digits below `root`, a folder a class, each named by its row."""
    images, labels = digits()
    for row in rows:
        if labels[row] < classes:
            save(Image.fromarray(images[row]), root / str(labels[row]) / f"{row:04}.{suffix}")
    return root


def photo_folder(root, counts, sizes=((64, 48),)):
    """Write so many crops of a temple and of a flower, in colour, of several sizes in turn."""
    rng = np.random.default_rng(0)
    for name, photo in zip(counts, load_sample_images().images, strict=True):
        for number in range(counts[name]):
            width, height = sizes[number % len(sizes)]
            left = rng.integers(0, 640 - width + 1)
            top = rng.integers(0, 427 - height + 1)
            crop = Image.fromarray(photo[top : top + height, left : left + width])
            save(crop, root / name / f"{number:04}.png")
    return root


def photos(side, count):
    """Crops of a temple and of a flower in turn: uint8 `(count, side, side, 3)`."""
    rng = np.random.default_rng(0)
    crops = []
    for number in range(count):
        left, top = rng.integers(0, 640 - side + 1), rng.integers(0, 427 - side + 1)
        photo = load_sample_images().images[number % 2]
        crops.append(photo[top : top + side, left : left + side])
    return np.stack(crops)


def save(image, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
