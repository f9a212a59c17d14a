from collections import Counter

import numpy as np
import pytest

from pipeline.data.sources import Catalog, Found, Remark
from pipeline.data.thinning import thinned
from pipeline.settings import Ingest


def listed(count, split=None, content="path"):
    """Three times as many of class 1 as of class 0."""
    return [Found(f"{split}/{n}.png", int(n % 4 > 0), content, split) for n in range(count)]


def thin(pictures, **settings):
    catalog = Catalog("made", ["a", "b"], (), count=len(pictures))
    return list(thinned(iter(pictures), catalog, Ingest(**settings))), catalog


def test_without_a_limit_everything_passes_as_it_comes():
    def endless():
        yield from listed(5)
        raise AssertionError("read ahead")

    passing = thinned(endless(), Catalog("made", ["a"], ()), Ingest())
    assert [next(passing).where for _ in range(5)] == [f"None/{n}.png" for n in range(5)]


def test_a_limit_leaves_enough_of_each_class_in_their_order_and_says_so():
    pictures = listed(4000)
    kept, catalog = thin(pictures, limit=100, test=0.2, validation=0.1)
    assert 100 / 0.72 < len(kept) < 250
    counts = Counter(picture.label for picture in kept)
    assert 2 < counts[1] / counts[0] < 4
    assert [p.where for p in kept] == [p.where for p in pictures if p in kept]
    assert catalog.noted == [
        Remark(
            "ingest.limit",
            f"{len(kept)} of 4000 files were looked at, and as large a share of others",
        )
    ]
    assert catalog.count == len(kept)


@pytest.mark.parametrize("folds", [2, 3, 10])
def test_enough_is_left_where_a_fold_is_kept_apart_too(folds):
    kept, _ = thin(listed(8000), limit=500, folds=folds)
    assert 1.1 * 500 < len(kept) * 0.8 * (1 - 1 / folds) < 1.5 * 500


def test_given_splits_are_thinned_alike():
    kept, _ = thin(listed(2000, "train") + listed(1000, "test"), limit=200)
    counts = Counter(picture.split for picture in kept)
    assert 1.5 < counts["train"] / counts["test"] < 2.5
    assert 200 < counts["train"] < 400


def test_the_choice_goes_by_name_and_seed_and_a_larger_limit_holds_a_smaller():
    pictures = listed(4000)
    small, again, large = (thin(pictures, limit=n)[0] for n in (50, 50, 400))
    other, _ = thin(pictures, limit=50, seed=1)
    assert small == again != other
    assert set(small) < set(large)


def test_what_the_listing_sets_aside_weighs_no_more_than_without_a_limit():
    bad = [Remark(f"{n}.jpg", "a link that leads nowhere") for n in range(160)]
    pictures = listed(4000)
    kept, _ = thin([*bad[:80], *pictures, *bad[80:]], limit=100)
    remarks = [item for item in kept if isinstance(item, Remark)]
    assert 0.03 < len(remarks) / (len(kept) - len(remarks)) < 0.06
    assert [item for item in thin([*bad, *pictures], limit=4000)[0] if item in bad] == bad


@pytest.mark.parametrize("content", [b"encoded", np.zeros((2, 2), np.uint8)])
def test_streams_and_arrays_are_not_listed_first(content):
    def stream():
        yield from listed(3, content=content)
        raise AssertionError("read ahead")

    passing = thinned(stream(), Catalog("made", ["a"], ()), Ingest(limit=1))
    assert [next(passing).where for _ in range(3)] == [f"None/{n}.png" for n in range(3)]
