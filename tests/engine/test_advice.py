"""Advice: what is advised for sets of pictures of many kinds, and that a run can take it."""

import numpy as np
import pytest

from models import MODELS
from pipeline.advice import advise, parameters
from pipeline.compress.schedule import Ramp
from pipeline.data.augmentation import complete, operations
from pipeline.data.batches import steps
from pipeline.data.look import Look
from pipeline.data.sampling import Sample
from pipeline.data.sources import Remark
from pipeline.oddities import oddities, too_small
from pipeline.settings import Fit, Prune, Train


def set_of(counts, sizes, *, gray=False, unreadable=0, across=0, pixels=False):
    """A look at pictures: `counts` by class, of no split or of train, validation, test, none."""
    rows = [count if isinstance(count, tuple) else (0, 0, 0, count) for count in counts]
    sizes = np.array(sizes, np.int64)
    bad = [Remark(f"{number}.png", "empty, 0 bytes") for number in range(unreadable)]
    sample = Sample(sizes, len(sizes) if gray else 0, 0, across, 0, bad, [])
    classes = [f"class {number}" for number in range(len(rows))]
    counts = np.array(rows, np.int64)
    return Look("set", classes, counts, counts.sum(axis=0), False, pixels, [], [], [], sample)


def advised(look, path="photos"):
    advice = advise(look, path, "folder", "a folder")
    return {
        name: {line.key: line for line in lines} for name, lines in advice.sections.items()
    }, advice


def value(sections, name):
    section, key = name.split(".")
    return sections[section][key].value


PHOTO, DIGIT = [(640, 480)], [(28, 28)]


@pytest.mark.parametrize(
    ("sizes", "pictures", "size"),
    [
        ([(8, 8)], 100, 8),
        ([(28, 28)], 60_000, 28),
        ([(60, 40)], 100, [40, 60]),
        (PHOTO, 1_000, 128),
        (PHOTO, 20_000, 96),
        (PHOTO, 200_000, 64),
        ([(120, 90), (100, 110), (130, 100)], 1_000, 96),
        ([(9, 12), (11, 14), (30, 40)], 100, 11),
        ([(3, 2), (2, 3)], 100, 8),
        ([(5000, 40)] * 3, 100, 32),
    ],
)
def test_size_follows_what_pictures_are_and_what_two_cores_can_do(sizes, pictures, size):
    sections, _ = advised(set_of([pictures // 2] * 2, sizes))
    assert value(sections, "ingest.size") == size


def test_pictures_that_differ_in_proportions_are_padded_others_cropped():
    wide = [(640, 480)] * 8 + [(1920, 1080)] * 2
    assert value(advised(set_of([50, 50], [(640, 480), (480, 640)]))[0], "ingest.fit") == "crop"
    assert value(advised(set_of([50, 50], wide))[0], "ingest.fit") == "pad"
    assert "fit" not in advised(set_of([50, 50], DIGIT))[0]["ingest"]


def test_signs_are_not_flipped_and_gray_photos_change_no_colour():
    signs = value(advised(set_of([50, 50], DIGIT, gray=True))[0], "augment.policy")
    assert [list(one) for one in signs] == [["translate"], ["rotate"]]
    assert signs[0]["translate"]["height_factor"] == 0.04, "one of 28 pixels"
    gray = value(advised(set_of([50, 50], PHOTO, gray=True))[0], "augment.policy")
    colour = value(advised(set_of([50, 50], PHOTO))[0], "augment.policy")
    assert {"flip": {"mode": "horizontal"}} in gray
    assert {name for one in colour for name in one} - {name for one in gray for name in one} == {
        "brightness",
        "saturation",
    }


@pytest.mark.parametrize("gray", [True, False])
def test_every_policy_is_taken_by_its_layers(gray):
    for sizes in (DIGIT, PHOTO):
        policy = value(advised(set_of([50, 50], sizes, gray=gray))[0], "augment.policy")
        assert len(operations(complete(policy))) == len(policy)


@pytest.mark.parametrize("pictures", [6, 30, 100, 1_000, 10_000, 100_000, 2_000_000])
@pytest.mark.parametrize("sizes", [DIGIT, PHOTO])
def test_a_run_of_any_number_of_pictures_is_long_enough_to_prune_and_not_hours(pictures, sizes):
    sections, advice = advised(set_of([pictures // 2] * 2, sizes))
    train = Train(**{line.key: line.value for line in sections["train"].values()})
    prune = Prune(epochs=value(sections, "prune.epochs")).inherit(train)
    least = max(1, int(pictures * 0.55))  # splits are drawn, so that fewer may be left
    ramp = Ramp.over(prune.epochs * steps(least, prune.batch), 0.8, end=prune.end)
    assert ramp.updates >= 20
    assert 1 < advice.minutes < (40 if pictures <= 100_000 else 120)


def test_small_classes_give_more_to_validation_and_given_splits_none():
    assert value(advised(set_of([40, 900], PHOTO))[0], "ingest.validation") == 0.2
    assert value(advised(set_of([400, 900], PHOTO))[0], "ingest.validation") == 0.15
    assert value(advised(set_of([6000, 9000], PHOTO))[0], "ingest.test") == 0.1
    sections, _ = advised(set_of([(40, 0, 9, 0), (90, 0, 9, 0)], PHOTO))
    assert "test" not in sections["ingest"]
    assert 'about 8 of the 40 of "class 0"' in sections["ingest"]["validation"].why
    sections, _ = advised(set_of([(40, 9, 9, 0), (90, 9, 9, 0)], PHOTO))
    assert not {"validation", "test"} & set(sections["ingest"])
    assert "130 training pictures" in sections["train"]["batch"].why


def test_what_loses_pictures_is_left_to_the_user():
    ingest = advised(set_of([20, 20], PHOTO * 30, unreadable=10))[0]["ingest"]
    bad = ingest["max_bad_fraction"]
    assert (bad.active, 0.25 < bad.value <= 0.35) == (False, True)
    assert (
        "max_bad_fraction" not in advised(set_of([20, 20], PHOTO * 30, unreadable=1))[0]["ingest"]
    )
    look = set_of([20, 2, 30, 0], PHOTO)
    assert too_small(look) == ["class 1", "class 3"]
    line = advised(look)[0]["ingest"]["classes"]
    assert (line.active, line.value) == (False, ["class 0", "class 2"])
    assert "2 of 4 classes have too few pictures" in next(oddities(look))


def test_a_class_missing_from_a_given_split_is_too_small():
    assert too_small(set_of([(9, 0, 3, 0), (9, 0, 0, 0), (1, 0, 3, 0)], PHOTO)) == [
        "class 1",
        "class 2",
    ]


def test_copies_in_two_given_splits_are_dropped_only_where_they_were_seen():
    counts = [(40, 0, 9, 0)] * 2
    assert advised(set_of(counts, PHOTO, across=3))[0]["ingest"]["duplicates"].active
    assert not advised(set_of(counts, PHOTO))[0]["ingest"]["duplicates"].active
    assert "duplicates" not in advised(set_of([40, 40], PHOTO))[0]["ingest"]


def test_uneven_classes_are_weighed_where_that_can_be_set():
    uneven, even = advised(set_of([400, 40], PHOTO)), advised(set_of([400, 200], PHOTO))
    assert ("class_weights" in uneven[0]["train"]) == ("class_weights" in Fit.model_fields)
    assert "class_weights" not in even[0]["train"]
    assert "10.0 times" in " ".join(oddities(set_of([400, 40], PHOTO)))
    assert list(oddities(set_of([400, 200], PHOTO))) == []


def test_the_number_of_parameters_is_that_of_the_network():
    for channels, classes, width, blocks in ((1, 10, 32, 3), (3, 2, 16, 5)):
        model = MODELS["small_cnn"]((32, 32, channels), classes, width=width, blocks=blocks)
        trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
        assert parameters(channels, classes, width, blocks) == trained
