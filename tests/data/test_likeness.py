import io
import time

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from pipeline.data import likeness
from pipeline.data.collection import Collection
from pipeline.data.decoding import Rules, decode
from pipeline.data.likeness import RMS, groups, near
from pipeline.data.sources import Found
from pipeline.settings import Ingest

RULES = Rules.of(Ingest(), files=True)


@pytest.fixture
def alike(tmp_path):
    """A function that takes pictures in and finds the near duplicates among them."""

    def find(contents, rows=None):
        with Collection(tmp_path) as collection:
            for row, content in enumerate(contents):
                collection.add(Found(str(row), 0, content), decode(content, RULES))
            rows = np.arange(len(collection)) if rows is None else np.array(rows)
            return near(collection, rows, collection.digests), collection.thumbnails(rows.tolist())

    return find


@pytest.fixture(scope="session")
def patches():
    """200 patches of two real photos, 64 x 64, many of them overlapping."""
    photos = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    random = np.random.default_rng(0)
    found = []
    for number in range(200):
        photo = photos[number % 2]
        top, left = random.integers(0, (photo.shape[0] - 64, photo.shape[1] - 64))
        found.append(photo[top : top + 64, left : left + 64])
    return found


def jpeg(pixels, quality):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "jpeg", quality=quality)
    return stream.getvalue()


def resized(pixels, share):
    image = Image.fromarray(pixels)
    size = [round(share * side) for side in image.size]
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def brute(thumbnails, digests_differ=lambda a, b: True):
    """All pairs within the bound, by comparing every picture with every other."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(float)
    pairs = []
    for row in range(len(flat)):
        rms = np.sqrt(np.square(flat[row + 1 :] - flat[row]).mean(axis=1))
        pairs += [(row, row + 1 + int(n)) for n in np.flatnonzero(rms <= RMS)]
    return [pair for pair in pairs if digests_differ(*pair)]


def test_a_photo_encoded_again_or_resized_a_little_is_found(alike, photo, patches):
    copies = [photo, jpeg(photo, 95), jpeg(photo, 60), resized(photo, 0.9), resized(photo, 1.3)]
    found, _ = alike([*copies, *patches[:50]])
    among_copies = {(a, b) for a in range(5) for b in range(a + 1, 5)}
    assert among_copies <= set(found.pairs)
    assert not any(a < 5 <= b for a, b in found.pairs)
    assert found.complete


def test_different_digits_are_not_taken_for_each_other(alike, digits):
    found, thumbnails = alike(digits[0])
    assert found.complete
    assert sorted(found.pairs) == sorted(brute(thumbnails))
    assert len(found.pairs) <= 2, "of 1.6 million"


def test_equal_pixels_are_not_nearly_equal(alike, patches):
    found, _ = alike([patches[0], patches[0], jpeg(patches[0], 95)])
    assert sorted(found.pairs) == [(0, 2), (1, 2)]


@pytest.mark.parametrize("chunk", [7, 256])
def test_the_pairs_are_those_that_comparing_all_with_all_finds(alike, patches, monkeypatch, chunk):
    monkeypatch.setattr(likeness, "CHUNK", chunk)
    random = np.random.default_rng(1)
    contents = list(patches[:80])
    for patch in patches[:80]:
        shift = random.normal(0, 6)
        noisy = patch + shift + random.normal(0, 20, patch.shape)
        contents.append(np.clip(noisy, 0, 255).astype(np.uint8))
        contents.append(np.roll(patch, int(random.integers(0, 4)) + 1, axis=0))
    found, thumbnails = alike(contents)
    expected = brute(thumbnails)
    assert sorted(found.pairs) == sorted(expected)
    assert len(found.pairs) == len(set(found.pairs))
    assert 30 < len(expected) < 160, "some within the bound, some beyond it"


def test_only_the_rows_asked_for_are_compared(alike, patches):
    contents = [patches[0], patches[1], jpeg(patches[0], 95), jpeg(patches[1], 95)]
    assert alike(contents, rows=[0, 1, 3])[0].pairs == [(1, 3)]
    assert alike(contents, rows=[])[0].pairs == []


@pytest.mark.parametrize("count", [1900, 4000])
def test_a_set_that_all_looks_alike_ends_soon_and_says_it_is_not_complete(tmp_path, count):
    random = np.random.default_rng(0)
    with Collection(tmp_path) as collection:
        for row in range(count):
            image = (random.random((8, 8)) < 0.5).astype(np.uint8)
            collection.add(
                Found(str(row), 0, image), decode(image, Rules.of(Ingest(), files=False))
            )
        started = time.monotonic()
        found = near(collection, np.arange(count), collection.digests)
    assert time.monotonic() - started < 20
    assert not found.complete
    assert 0 < len(found.pairs) <= likeness.CANDIDATES


def test_where_too_many_look_alike_the_first_are_compared(alike, patches, monkeypatch):
    monkeypatch.setattr(likeness, "CANDIDATES", 12)
    monkeypatch.setattr(likeness, "CHUNK", 2)
    copies = [jpeg(patches[0], quality) for quality in range(80, 90)]
    found, _ = alike(copies)  # ten make 45 pairs, five make 10
    assert (len(found.pairs), found.complete) == (10, False)
    assert {row for pair in found.pairs for row in pair} == set(range(5))


def test_groups_are_of_equal_digests_in_row_order():
    assert groups(np.array([b"b", b"a", b"b", b"c", b"a", b"b"])) == [[0, 2, 5], [1, 4]]
    assert groups(np.array([b"b", b"a", b"c"])) == []
    assert groups(np.array([], "S32")) == []
