import pytest

from pipeline.data import files
from pipeline.errors import ConfigError, DataError
from tests.picture_sets import listed, settings


@pytest.fixture
def folder(tmp_path):
    """A function that makes empty files; listing opens none of them."""

    def make(*names):
        for name in names:
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "set"

    return make


def test_a_folder_a_class_named_as_the_class(folder):
    root = folder("dog/a.png", "cat/b.png", "cat/a.jpg", "cat/deep/er/c.png")
    catalog, found, remarks = listed("folder", root)
    assert (catalog.name, catalog.classes, catalog.count) == ("set", ["cat", "dog"], 4)
    assert [(picture.where, picture.label, picture.split) for picture in found] == [
        ("cat/a.jpg", 0, None),
        ("cat/b.png", 0, None),
        ("cat/deep/er/c.png", 0, None),
        ("dog/a.png", 1, None),
    ]
    assert found[0].content == str(root / "cat" / "a.jpg")
    assert not catalog.pixels
    assert (remarks, catalog.passed_over) == ({}, [])


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train", "validation", "test"), ("train", "validation", "test")),
        (("Training", "Val", "Testing"), ("train", "validation", "test")),
        (("TRAIN", "valid"), ("train", "validation")),
        (("train", "test"), ("train", "test")),
        (("train",), ("train",)),
    ],
)
def test_folders_named_after_splits_are_those_splits(folder, names, splits):
    root = folder(*(f"{name}/{label}/1.png" for name in names for label in ("cat", "dog")))
    catalog, found, _ = listed("folder", root)
    assert catalog.classes == ["cat", "dog"]
    assert {picture.split for picture in found} == set(splits)
    for name, split in zip(names, splits, strict=True):
        assert [p.split for p in found if p.where.startswith(f"{name}/")] == [split] * 2


def test_a_train_beside_classes_that_are_no_splits_is_a_class(folder):
    catalog, found, _ = listed("folder", folder("train/1.png", "tram/1.png", "plane/1.png"))
    assert catalog.classes == ["plane", "train", "tram"]
    assert {picture.split for picture in found} == {None}


def test_without_a_train_folder_test_is_a_class_too(folder):
    assert listed("folder", folder("test/1.png", "rest/1.png"))[0].classes == ["rest", "test"]


def test_two_folders_for_one_split_are_named(folder):
    root = folder("train/a/1.png", "val/a/1.png", "valid/a/1.png")
    with pytest.raises(DataError, match="val, valid: two folders for the validation split"):
        listed("folder", root)


def test_a_class_of_one_split_only_is_a_class(folder):
    catalog, found, _ = listed("folder", folder("train/a/1.png", "test/b/1.png", "train/c/1.png"))
    assert catalog.classes == ["a", "b", "c"]
    assert [(p.where, p.label) for p in found if p.split == "test"] == [("test/b/1.png", 1)]


def test_what_lies_beside_the_classes_is_passed_over_and_named(folder):
    root = folder("cat/1.png", "dog/1.png", "stray.png", "README.md")
    catalog, found, _ = listed("folder", root)
    assert len(found) == 2
    assert {(one.where, one.reason) for one in catalog.passed_over} == {
        ("stray.png", "in no class's folder"),
        ("README.md", "in no class's folder"),
    }


def test_what_lies_beside_the_splits_is_passed_over_and_named(folder):
    root = folder("train/a/1.png", "test/a/1.png", "extra/a/1.png", "train/stray.png")
    catalog, found, _ = listed("folder", root)
    assert [picture.where for picture in found] == ["test/a/1.png", "train/a/1.png"]
    assert {(one.where, one.reason) for one in catalog.passed_over} == {
        ("extra/a/1.png", "beside the folders of the splits"),
        ("train/stray.png", "in no class's folder"),
    }


def test_classes_of_a_recipe_choose_and_order_them(folder):
    root = folder("a/1.png", "b/1.png", "c/1.png")
    catalog, found, _ = listed("folder", root, classes=("c", "a"))
    assert catalog.classes == ["c", "a"]
    assert [(picture.where, picture.label) for picture in found] == [("a/1.png", 1), ("c/1.png", 0)]
    assert [(one.where, one.reason) for one in catalog.passed_over] == [
        ("b/1.png", "its class is not wanted")
    ]


def test_a_class_that_has_no_folder_is_an_error_that_names_the_nearest(folder):
    with pytest.raises(DataError, match=r"class 'cats' .*did you mean 'cat'\?"):
        listed("folder", folder("cat/1.png", "dog/1.png"), classes=("cats", "dog"))


def test_an_accent_written_in_two_ways_is_one_class(folder):
    root = folder("train/caf\u00e9/1.png", "test/cafe\u0301/2.png", "train/bar/1.png")
    catalog, found, _ = listed("folder", root)
    assert catalog.classes == ["bar", "caf\u00e9"]
    assert [picture.label for picture in found] == [1, 0, 1]


def test_every_file_counts_in_the_key_whatever_it_is(folder):
    root = folder("cat/1.png", "dog/1.png", "stray.txt", ".hidden")
    assert dict(files(settings("folder", root))) == {
        name: root / name for name in ("cat/1.png", "dog/1.png", "stray.txt")
    }


def test_folders_that_cannot_be_a_set_are_named(folder, tmp_path):
    for path, says in (
        (tmp_path / "absent", "absent: no such folder"),
        (folder("only.png") / "only.png", r"only\.png: not a folder"),
        (folder("only.png"), "set: no folders in it; expected one of pictures for each class"),
    ):
        with pytest.raises(DataError, match=says):
            listed("folder", path)
    with pytest.raises(DataError, match="absent: no such folder"):
        list(files(settings("folder", tmp_path / "absent")))
    with pytest.raises(ConfigError, match=r"ingest\.path: folder needs"):
        listed("folder")


def test_splits_without_classes_in_them_are_named(folder):
    with pytest.raises(DataError, match="no class folders in test, train"):
        listed("folder", folder("train/1.png", "test/1.png"))


def test_home_is_understood(folder, tmp_path, monkeypatch):
    folder("cat/1.png", "dog/1.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert listed("folder", "~/set")[0].classes == ["cat", "dog"]
