import hashlib

import numpy as np
import pytest

from pipeline.data.decoding import Rules, decode
from pipeline.data.sources import SPLITS
from pipeline.data.splits import LEFT_OUT, TEST, TRAIN, UNSAID, VALIDATION, assign, draws, limited
from pipeline.errors import ConfigError, DataError
from pipeline.settings import Ingest

Z95_ALL = 4.5  # deviations that one share in a hundred thousand lies beyond


def digests(count, offset=0):
    return [hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(count + offset)][
        offset:
    ]


def assigned(counts, given=None, found=None, **settings):
    """Splits of so many pictures of each class: parts, labels, moved classes, draws."""
    labels = np.repeat(np.arange(len(counts)), counts)
    wanted = Ingest(**settings)
    drawn = draws(found or digests(len(labels)), wanted.seed)
    given = np.full(len(labels), UNSAID, np.int8) if given is None else np.array(given, np.int8)
    names = [f"class {n}" for n in range(len(counts))]
    parts, moved = assign(drawn, labels, given, names, wanted)
    return parts, labels, moved, drawn


def of_two(count):
    """Splits of the first class of two, of so many pictures, and whether one of it was moved."""
    found = digests(count) + digests(3000, offset=2000)
    parts, _, moved, _ = assigned([count, 3000], found=found)
    return parts[:count], "class 0" in moved


@pytest.fixture(scope="session")
def known(digits):
    """Digests of all digits, and their labels."""
    rules = Rules.of(Ingest(), files=False)
    return [decode(image, rules).digest for image in digits[0]], digits[1]


def of_digits(known, rows=slice(None), **settings):
    """Splits of some digits, by the draws alone: in classes as large as theirs none is moved."""
    found, labels = known[0][rows], known[1][rows]
    wanted = Ingest(**settings)
    given = np.full(len(labels), UNSAID, np.int8)
    drawn = draws(found, wanted.seed)
    parts, moved = assign(drawn, labels, given, list("0123456789"), wanted)
    assert moved == []
    return parts


def test_every_picture_is_in_one_split():
    parts, labels, moved, _ = assigned([400, 200])
    assert set(parts.tolist()) == {TRAIN, VALIDATION, TEST}
    assert (parts.shape, moved) == (labels.shape, [])


@pytest.mark.parametrize("shares", [(0.2, 0.1), (0.5, 0.25), (0.05, 0.3)])
def test_shares_of_each_class_are_those_asked_for_within_chance(known, shares):
    test, validation = shares
    parts = of_digits(known, test=test, validation=validation)
    for label in range(10):
        inside = parts[known[1] == label]
        for count, n, share in (
            ((inside == TEST).sum(), len(inside), test),
            ((inside == VALIDATION).sum(), (inside != TEST).sum(), validation),
        ):
            assert abs(count - n * share) <= Z95_ALL * np.sqrt(n * share * (1 - share))


def test_draws_are_uniform_and_each_for_itself():
    drawn = draws(digests(20_000), seed=5)
    assert drawn.shape == (20_000, 3)
    assert (drawn.min() >= 0) & (drawn.max() < 1)
    for column in drawn.T:
        counts = np.histogram(column, 20, (0, 1))[0]
        assert np.abs(counts - 1000).max() < Z95_ALL * np.sqrt(1000)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < Z95_ALL / np.sqrt(20_000)


def test_the_same_seed_gives_the_same_split_and_another_another(known):
    one, two, other = (of_digits(known, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one, two)
    agreeing = (one == other).mean()
    by_chance = 0.2**2 + 0.08**2 + 0.72**2
    assert abs(agreeing - by_chance) < 0.06


def test_neither_more_pictures_nor_another_order_move_any(known):
    before = of_digits(known, slice(0, 900))
    after = of_digits(known)
    assert np.array_equal(before, after[:900])
    backwards = of_digits(known, slice(None, None, -1))
    assert np.array_equal(backwards[::-1], after)


def test_a_class_that_grows_loses_no_more_than_the_pictures_moved_for_it():
    for count in (3, 5, 10, 40):
        before, moved = of_two(count)
        after, _ = of_two(2000)
        after = after[:count]
        assert (before != after).sum() <= 2
        assert moved or np.array_equal(before, after)


def test_a_larger_share_of_test_takes_from_the_others_and_gives_nothing_back(known):
    smaller, larger = (of_digits(known, test=share) for share in (0.1, 0.3))
    assert set(smaller[larger != TEST].tolist()) == {TRAIN, VALIDATION}
    assert (larger[smaller == TEST] == TEST).all()


def test_copies_of_a_picture_are_in_one_split():
    twice = digests(300) * 2
    labels = np.tile(np.arange(300) % 3, 2)
    drawn = draws(twice, 0)
    for folds in (None, 3):
        given = np.full(600, UNSAID, np.int8)
        parts, _ = assign(drawn, labels, given, ["a", "b", "c"], Ingest(folds=folds))
        assert np.array_equal(parts[:300], parts[300:])


@pytest.mark.parametrize("count", [3, 4, 5, 8])
def test_classes_as_small_as_three_pictures_are_in_every_split_and_named(count):
    parts, labels, moved, drawn = assigned([200] + [count] * 60)
    plain = np.where(drawn[:, 0] < 0.2, TEST, np.where(drawn[:, 1] < 0.1, VALIDATION, TRAIN))
    for label in range(61):
        inside = labels == label
        assert set(parts[inside].tolist()) == {TRAIN, VALIDATION, TEST}
        changed = not np.array_equal(parts[inside], plain[inside])
        assert changed == (f"class {label}" in moved)
    assert moved


def test_copies_stay_together_in_small_classes_too():
    found = digests(3) * 4 + digests(200, offset=3)
    parts, _, _, _ = assigned([12, 200], found=found)
    assert np.array_equal(parts[:12], np.tile(parts[:3], 4))
    assert sorted(parts[:3].tolist()) == [TRAIN, VALIDATION, TEST]


def test_a_given_split_is_taken_as_it_is():
    given = [TEST] * 10 + [TRAIN] * 40 + [TEST] * 3 + [TRAIN] * 47
    parts, _, _, drawn = assigned([50, 50], given=given, validation=0.2)
    assert np.array_equal(parts == TEST, np.array(given) == TEST)
    assert np.array_equal(parts == VALIDATION, (drawn[:, 1] < 0.2) & (np.array(given) == TRAIN))
    given = [VALIDATION] * 10 + [TRAIN] * 40 + [VALIDATION] * 3 + [TRAIN] * 47
    parts, _, _, drawn = assigned([50, 50], given=given, test=0.3)
    assert np.array_equal(parts == VALIDATION, np.array(given) == VALIDATION)
    assert np.array_equal(parts == TEST, (drawn[:, 0] < 0.3) & (np.array(given) == TRAIN))


def test_where_all_splits_are_given_nothing_is_drawn():
    given = [TRAIN, TRAIN, VALIDATION, TEST] * 2
    parts, _, moved, _ = assigned([4, 4], given=given)
    assert (parts.tolist(), moved) == (given, [])


def test_where_one_split_is_given_to_some_the_others_without_one_are_training_pictures():
    given = [TEST, TEST, *[UNSAID] * 98] * 2
    parts, _, _, _ = assigned([100, 100], given=given)
    assert np.array_equal(np.flatnonzero(parts == TEST), np.flatnonzero(np.array(given) == TEST))


def test_the_classes_of_small_given_splits_are_left_alone_when_a_picture_is_moved():
    given = [TEST] * 50 + [TRAIN] * 2 + [TEST] * 5 + [TRAIN] * 95
    parts, _, moved, _ = assigned([52, 100], given=given)
    assert np.array_equal(parts == TEST, np.array(given) == TEST)
    assert sorted(parts[50:52].tolist()) == [TRAIN, VALIDATION]
    assert set(moved) <= {"class 0"}


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_folds_share_no_picture_cover_what_is_not_test_and_leave_test_alone(known, folds):
    each = [of_digits(known, folds=folds, fold=n + 1) for n in range(folds)]
    plain = of_digits(known)
    for parts in each:
        assert np.array_equal(parts == TEST, plain == TEST)
    times = np.sum([parts == VALIDATION for parts in each], axis=0)
    assert np.array_equal(times, (plain != TEST).astype(int))
    share = np.mean(each[0][plain != TEST] == VALIDATION)
    assert abs(share - 1 / folds) < 0.06


@pytest.mark.parametrize(("folds", "count"), [(2, 3), (5, 6), (5, 9), (10, 12)])
def test_folds_of_small_classes_share_no_picture_either(folds, count):
    each = [assigned([count] * 40, folds=folds, fold=n + 1) for n in range(folds)]
    first = each[0][0]
    labels = each[0][1]
    for parts, _, moved, _ in each:
        assert np.array_equal(parts == TEST, first == TEST)
        assert moved == each[0][2]
        for label in range(40):
            assert set(parts[labels == label].tolist()) == {TRAIN, VALIDATION, TEST}
    times = np.sum([parts == VALIDATION for parts, *_ in each], axis=0)
    assert np.array_equal(times, (first != TEST).astype(int))


def test_folds_need_a_picture_of_each_class_in_each():
    with pytest.raises(DataError, match=r"'class 1' has 5 different .* too few .* in 5 folds"):
        assigned([50, 5], folds=5)


def test_a_fold_beside_a_given_validation_split_is_an_error():
    with pytest.raises(ConfigError, match=r"ingest\.folds: the source has a validation split"):
        assigned([3, 3], given=[TRAIN, VALIDATION, TEST] * 2, folds=5)


def test_a_fold_there_is_not_is_refused():
    with pytest.raises(ValueError, match="fold 6 of 5"):
        Ingest(folds=5, fold=6)
    with pytest.raises(ValueError, match="fold 2 of 1"):
        Ingest(fold=2)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([50, 1], "class 'class 1' has 1 different pictures .* too few"),
        ([50, 2], "class 'class 1' has 2 different pictures .* too few"),
        ([50, 0], "class 'class 1' has no picture"),
    ],
)
def test_what_cannot_be_split_is_named(counts, message):
    with pytest.raises(DataError, match=message):
        assigned(counts)


def test_copies_do_not_make_a_class_large_enough():
    with pytest.raises(DataError, match="'class 0' has 2 different pictures"):
        assigned([40, 200], found=digests(2) * 20 + digests(200, offset=2))


@pytest.mark.parametrize(
    ("lacking", "others"),
    [
        (TEST, [TRAIN, VALIDATION]),
        (VALIDATION, [TRAIN, TEST]),
        (TRAIN, [VALIDATION, TEST]),
        (TRAIN, [TEST]),
        (TRAIN, [VALIDATION]),
    ],
)
def test_a_class_missing_from_a_given_split_is_named_with_it(lacking, others):
    given = [TRAIN, VALIDATION, TEST, TRAIN, VALIDATION, TEST] + others * 3
    if len(others) == 1:
        given = [TRAIN, TRAIN, *others * 4] + others * 3
    message = f"no picture of class 'class 1' in the {SPLITS[lacking]} split"
    with pytest.raises(DataError, match=message):
        assigned([6, len(given) - 6], given=given)


def test_pictures_of_given_splits_do_not_count_where_splits_are_drawn():
    given = [TEST, TRAIN, TRAIN, *[TEST] * 30, TRAIN]
    with pytest.raises(DataError, match="'class 1' has 1 different pictures to draw splits from"):
        assigned([3, 31], given=given)


@pytest.mark.parametrize("limit", [29, 100])
def test_a_limit_takes_a_stratified_part_of_every_split(limit):
    parts, labels, _, drawn = assigned([400, 1200], validation=0.1, test=0.2)
    kept = limited(parts, drawn, labels, limit)
    assert (kept == TRAIN).sum() == limit
    for part in (TRAIN, VALIDATION, TEST):
        before = np.bincount(labels[parts == part])
        after = np.bincount(labels[kept == part])
        assert abs(after.sum() - before.sum() * limit / (parts == TRAIN).sum()) <= 1
        assert np.abs(after - after.sum() * before / before.sum()).max() <= 1
    assert (kept[kept != LEFT_OUT] == parts[kept != LEFT_OUT]).all()


@pytest.mark.parametrize("limit", [29, 100])
def test_a_limit_leaves_all_folds_the_same_test_split(limit):
    seen = set()
    for fold in (1, 2, 3):
        parts, labels, _, drawn = assigned([400, 1200], folds=3, fold=fold)
        kept = limited(parts, drawn, labels, limit, folds=3)
        assert (kept == TRAIN).sum() == limit
        seen.add((kept == TEST).tobytes())
    assert len(seen) == 1


def test_a_larger_limit_keeps_the_pictures_of_a_smaller():
    parts, labels, _, drawn = assigned([400, 1200])
    smaller, larger = (limited(parts, drawn, labels, limit) for limit in (100, 300))
    lost = ((smaller != LEFT_OUT) & (larger == LEFT_OUT)).sum()
    assert lost <= 2


def test_a_limit_above_what_there_is_leaves_all():
    parts, labels, _, drawn = assigned([40, 120])
    assert np.array_equal(limited(parts, drawn, labels, 100_000), parts)


def test_a_limit_leaves_small_classes_in_every_split():
    parts, labels, _, drawn = assigned([2000, 3])
    kept = limited(parts, drawn, labels, 20)
    assert set(kept[labels == 1].tolist()) == {TRAIN, VALIDATION, TEST}


def test_a_limit_of_fewer_pictures_than_classes_is_an_error():
    parts, labels, _, drawn = assigned([40, 40, 40])
    with pytest.raises(DataError, match=r"ingest\.limit 2 is less than the number of classes, 3"):
        limited(parts, drawn, labels, 2)
