import numpy as np
import pytest

from pipeline.data.collection import Collection
from pipeline.data.decoding import Rules, decode
from pipeline.data.selection import compare, contradictions, select
from pipeline.data.sources import SPLITS, Found
from pipeline.data.splits import LEFT_OUT, TEST, TRAIN, VALIDATION
from pipeline.errors import DataError
from pipeline.settings import Ingest

RULES = Rules.of(Ingest(), files=False)
CLASSES = list("0123456789")


@pytest.fixture
def selected(tmp_path, digits):
    """A function that selects among digits, some of them changed: rows as (picture, label, split).

    Without rows: all digits, with their labels and no split.
    """
    images, labels = digits

    def choose(extra=(), rows=slice(0, 900), split=None, **settings):
        numbers = np.arange(1797)[rows].tolist()
        wanted = [(number, labels[number], split) for number in numbers] + list(extra)
        with Collection(tmp_path) as collection:
            for place, (number, label, given) in enumerate(wanted):
                found = Found(f"row {place}", int(label), images[number], given)
                collection.add(found, decode(images[number], RULES))
            selection = compare(collection)
            said = contradictions(collection, selection, CLASSES)
            select(collection, selection, CLASSES, Ingest(**settings))
        return selection, said

    return choose


@pytest.fixture
def halves(digits):
    """Digits 0 to 599 given for train, 600 to 899 for test."""
    labels = digits[1]
    return [(n, labels[n], "train" if n < 600 else "test") for n in range(900)]


def test_sound_pictures_are_all_kept_and_nothing_is_said(selected):
    selection, said = selected()
    assert (selection.conflicts, selection.copies, said) == ([], [], [])
    assert (selection.across, selection.dropped) == (0, 0)
    assert selection.kept.tolist() == list(range(900))
    assert sorted(np.concatenate([selection.rows(part) for part in range(3)])) == list(range(900))


def test_rows_of_a_split_stand_in_an_order_of_the_pictures_not_of_the_files(selected):
    forwards, _ = selected()
    backwards, _ = selected(rows=slice(899, None, -1))
    for part in (TRAIN, VALIDATION, TEST):
        ours = [forwards.digests[row] for row in forwards.rows(part)]
        assert ours == [backwards.digests[row] for row in backwards.rows(part)] == sorted(ours)


def test_one_picture_under_two_labels_is_left_out_wherever_it_is_and_both_are_named(selected):
    selection, said = selected(extra=[(3, 7, None), (3, 3, None)])
    assert selection.conflicts == [[3, 900, 901]]
    assert selection.parts[[3, 900, 901]].tolist() == [LEFT_OUT] * 3
    assert [(one.where, one.reason) for one in said] == [
        ("row 3", "labelled '3', and '7' as row 900, the same picture"),
        ("row 900", "labelled '7', and '3' as row 3, the same picture"),
        ("row 901", "labelled '3', and '7' as row 900, the same picture"),
    ]
    assert len(selection.kept) == 899


def test_a_contradiction_across_given_splits_is_left_out_too(selected, halves):
    selection, said = selected(extra=[*halves, (0, 5, "test")], rows=slice(0, 0))
    assert selection.parts[[0, 900]].tolist() == [LEFT_OUT] * 2
    assert len(said) == 2


@pytest.mark.parametrize("folds", [None, 4])
def test_copies_within_what_we_split_are_in_one_split_and_stay(selected, digits, folds):
    extra = [(n, digits[1][n], None) for n in range(0, 900, 3)]
    selection, said = selected(extra, folds=folds)
    assert len(selection.copies) == 300
    assert (selection.across, selection.dropped, said) == (0, 0, [])
    for group in selection.copies:
        assert len(set(selection.parts[group].tolist())) == 1
    assert len(selection.kept) == 1200


def test_a_picture_in_two_given_splits_stops_and_names_both_files(selected, halves, digits):
    extra = [*halves, (5, digits[1][5], "test"), (6, digits[1][6], "test")]
    message = r"2 pictures stand in two splits, such as row 5 \(train\) and row 900 \(test\); .*"
    with pytest.raises(DataError, match=message + r"ingest\.duplicates=drop"):
        selected(extra, rows=slice(0, 0))


def test_drop_keeps_the_copy_in_test_then_the_one_in_validation(selected, digits):
    labels = digits[1]
    given = [(n, labels[n], SPLITS[n % 3]) for n in range(900)]
    extra = [
        (3, labels[3], "test"),  # 3 is in train
        (4, labels[4], "train"),  # in validation
        (5, labels[5], "validation"),  # in test
        (9, labels[9], "train"),  # in train, as it is
    ]
    selection, _ = selected([*given, *extra], rows=slice(0, 0), duplicates="drop")
    parts = selection.parts
    assert (parts[3], parts[900]) == (LEFT_OUT, TEST)
    assert (parts[4], parts[901]) == (VALIDATION, LEFT_OUT)
    assert (parts[5], parts[902]) == (TEST, LEFT_OUT)
    assert (parts[9], parts[903]) == (TRAIN, LEFT_OUT)
    assert (selection.across, selection.dropped) == (3, 4)
    kept = [selection.digests[row] for row in selection.kept]
    assert len(kept) == len(set(kept)) == 900


def test_copies_within_a_given_split_are_no_error(selected, halves, digits):
    selection, _ = selected([*halves, (5, digits[1][5], "train")], rows=slice(0, 0))
    assert (len(selection.copies), selection.across, len(selection.kept)) == (1, 0, 901)


def test_a_limit_leaves_the_rest_out(selected):
    whole, _ = selected()
    part, _ = selected(limit=200)
    assert len(part.rows(TRAIN)) == 200
    share = 200 / len(whole.rows(TRAIN))
    for split in (VALIDATION, TEST):
        assert len(part.rows(split)) == round(share * len(whole.rows(split)))
        assert set(part.rows(split)) <= set(whole.rows(split))


def test_a_class_whose_only_test_pictures_contradict_is_named(selected, halves):
    twos = [row for row in halves if row[2] == "train" or row[1] != 2]
    one = next(row for row in halves if row[2] == "test" and row[1] == 2)
    extra = [*twos, one, (one[0], 3, "test")]
    with pytest.raises(DataError, match="no picture of class '2' in the test split"):
        selected(extra, rows=slice(0, 0))


def test_a_class_that_loses_its_only_training_picture_to_test_is_named(selected, halves):
    others = [row for row in halves if row[1] != 2]
    copies = [(2, 2, "train"), (2, 2, "test")]
    extra = [*others, *copies]
    with pytest.raises(DataError, match=r"class '2' .*train"):
        selected(extra, rows=slice(0, 0), duplicates="drop")
