"""Splits of pictures with several labels: every class in proportion, copies together."""

import numpy as np
import pytest

from pipeline.data.sources.digit_pages import DigitPages
from pipeline.data.splits import LEFT_OUT, TEST, TRAIN, UNSAID, VALIDATION, draws
from pipeline.data.stratified import assign, deal, fill, limited
from pipeline.errors import ConfigError, DataError
from pipeline.settings import Ingest
from tests.data.test_splits import digests

NAMES = [str(digit) for digit in range(10)]


@pytest.fixture(scope="module")
def pages():
    """Labels of all pages of digits, `(N, 10)`."""
    found = list(DigitPages(Ingest(dataset="digit_pages")).catalog().pictures)
    labels = np.zeros((len(found), 10), np.uint8)
    for row, page in enumerate(found):
        labels[row, list(page.label)] = 1
    return labels


def split(labels, given=None, order=None, **said):
    settings = Ingest(**said)
    rows = np.arange(len(labels)) if order is None else order
    drawn = draws(digests(len(labels)), settings.seed)[rows]
    given = np.full(len(labels), UNSAID, np.int8) if given is None else np.array(given, np.int8)
    names = [str(number) for number in range(labels.shape[1])]
    return assign(drawn, labels[rows], given[rows], names, settings)


def test_each_split_has_its_share_of_pictures_and_of_each_class(pages):
    parts, moved = split(pages, test=0.25, validation=0.2)
    count = len(pages)
    assert moved == []
    for part, share in ((TEST, 0.25), (VALIDATION, 0.15), (TRAIN, 0.6)):
        assert (parts == part).sum() == pytest.approx(share * count, abs=0.02 * count)
        found, wanted = pages[parts == part].sum(axis=0), share * pages.sum(axis=0)
        assert np.abs(found - wanted).max() <= 1.5


def test_classes_are_shared_out_closer_than_by_chance(pages):
    parts, _ = split(pages)
    shares = pages[parts == TEST].sum(axis=0) / pages.sum(axis=0)
    by_chance = []
    for seed in range(20):
        chosen = np.random.default_rng(seed).permutation(len(pages))[: (parts == TEST).sum()]
        by_chance.append((pages[chosen].sum(axis=0) / pages.sum(axis=0)).std())
    assert shares.std() < 0.3 * min(by_chance)


def test_the_order_of_files_moves_none_and_another_seed_does(pages):
    parts, _ = split(pages)
    order = np.random.default_rng(1).permutation(len(pages))
    assert np.array_equal(split(pages, order=order)[0], parts[order])
    drawn = draws(digests(len(pages)), 0)
    kept = limited(parts, drawn, pages, NAMES, 20)
    assert np.array_equal(limited(parts[order], drawn[order], pages[order], NAMES, 20), kept[order])
    assert not np.array_equal(split(pages, seed=1)[0], parts)


def test_copies_of_a_picture_stay_together(pages):
    labels = np.concatenate([pages[:200], pages[:200]])
    settings = Ingest()
    drawn = np.concatenate([draws(digests(200), 0)] * 2)
    given = np.full(400, UNSAID, np.int8)
    parts, _ = assign(drawn, labels, given, NAMES, settings)
    assert np.array_equal(parts[:200], parts[200:])


def test_folds_share_out_all_pictures_but_those_of_test_which_are_the_same_for_each(pages):
    each = [split(pages, folds=5, fold=fold)[0] for fold in range(1, 6)]
    assert all(np.array_equal(parts == TEST, each[0] == TEST) for parts in each)
    times = sum((parts == VALIDATION).astype(int) for parts in each)
    assert np.array_equal(times, each[0] != TEST)
    for parts in each:
        assert (parts == VALIDATION).sum() == pytest.approx(times.sum() / 5, rel=0.15)
        found = pages[parts == VALIDATION].sum(axis=0)
        assert np.abs(found - pages[each[0] != TEST].sum(axis=0) / 5).max() <= 1.5


def test_given_splits_are_kept_and_the_others_drawn_from_train(pages):
    given = np.full(len(pages), UNSAID)
    given[:200] = TEST
    parts, _ = split(pages, given)
    assert np.array_equal(parts == TEST, given == TEST)
    assert (parts == VALIDATION).sum() == pytest.approx(0.1 * (len(pages) - 200), abs=12)
    given[200:300] = VALIDATION
    with pytest.raises(ConfigError, match="has a validation split of its own"):
        split(pages, given, folds=3)


def test_a_class_of_few_pictures_gets_one_in_each_split_and_that_is_said():
    labels = np.zeros((100, 2), np.uint8)
    labels[:60, 0] = 1
    labels[:3, 1] = 1  # a tenth of three is none
    parts, moved = split(labels, test=0.1, validation=0.1)
    assert sorted(parts[:3].tolist()) == [TRAIN, VALIDATION, TEST]
    assert moved == ["1"]


@pytest.mark.parametrize(
    ("count", "said", "message"),
    [
        (2, {}, "class '1' has 2 different pictures to draw splits from, too few"),
        (5, {"folds": 5}, "too few to be in train, validation and test and in 5 folds"),
        (0, {}, "class '1' has no picture that can be read"),
    ],
)
def test_a_class_too_small_for_all_splits_is_named(count, said, message):
    labels = np.zeros((60, 2), np.uint8)
    labels[:, 0] = 1
    labels[:count, 1] = 1
    with pytest.raises(DataError, match=message):
        split(labels, **said)


def test_a_picture_moves_only_where_nothing_is_lost():
    shown = np.array([[1, 1], [1, 0], [0, 1], [1, 0]])
    dealt = np.array([0, 0, 0, 1])
    assert fill(dealt, shown, 2, ["a", "b"]) == {1}
    assert dealt.tolist() == [0, 0, 1, 1]
    with pytest.raises(DataError, match=r"class 'a'.*cannot be shared out"):
        fill(np.array([0, 0, 0]), np.array([[1, 1], [0, 0], [0, 0]]), 2, ["a", "b"])


def test_pictures_without_a_class_bring_parts_to_their_sizes():
    chance = np.random.default_rng(0)
    shown = (chance.random((300, 4)) < 0.2).astype(np.int64)
    assert (shown.sum(axis=1) == 0).sum() > 50
    dealt = deal(shown, chance.random(300), [60, 150, 90])
    assert np.bincount(dealt).tolist() == [60, 150, 90]
    for part, share in enumerate((0.2, 0.5, 0.3)):
        assert shown[dealt == part].sum(axis=0) == pytest.approx(share * shown.sum(axis=0), abs=3)


@pytest.mark.parametrize("folds", [None, 4])
def test_a_limit_is_kept_by_a_part_that_has_every_class(pages, folds):
    said = {"folds": folds} if folds else {}
    parts, _ = split(pages, **said)
    drawn = draws(digests(len(pages)), 0)
    kept = limited(parts, drawn, pages, NAMES, 60, folds)
    assert np.array_equal(np.unique(kept), [LEFT_OUT, TRAIN, VALIDATION, TEST])
    assert (kept == TRAIN).sum() <= 60
    for part in (TRAIN, VALIDATION, TEST):
        assert set(np.flatnonzero(kept == part)) <= set(np.flatnonzero(parts == part))
        assert pages[kept == part].sum(axis=0).min() >= 1
    shares = pages[kept == TRAIN].sum(axis=0) / pages[parts == TRAIN].sum(axis=0)
    assert shares.max() - shares.min() < 0.05
    with pytest.raises(DataError, match=r"ingest\.limit 9 is less than the number of classes, 10"):
        limited(parts, drawn, pages, NAMES, 9)


def test_the_least_limit_still_holds_every_class(pages):
    parts, _ = split(pages)
    kept = limited(parts, draws(digests(len(pages)), 0), pages, NAMES, 10)
    assert (kept == TRAIN).sum() <= 10
    assert pages[kept == TRAIN].sum(axis=0).min() >= 1
