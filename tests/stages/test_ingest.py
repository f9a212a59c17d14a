import json
import logging
import shutil

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import ConfigError, DataError
from pipeline.stages import ingest
from tests.picture_sets import (
    ingested,
    where_to,
    write_folder,
    write_idx,
    write_npz,
    write_table,
)

SPLITS = ("train", "validation", "test")


def test_every_split_is_there_as_a_file_that_can_be_mapped(chain, metrics):
    facts = json.loads((chain["ingest"] / "dataset.json").read_text())
    for split in SPLITS:
        images = np.load(chain["ingest"] / f"{split}_images.npy", mmap_mode="r")
        labels = np.load(chain["ingest"] / f"{split}_labels.npy", mmap_mode="r")
        assert isinstance(images, np.memmap)
        assert images.dtype == np.uint8
        assert labels.dtype == np.int64
        assert images.shape == (facts[split], 8, 8, 1)
        assert labels.shape == (facts[split],)
        assert set(labels.tolist()) == set(range(10))
        assert metrics["ingest"][split] == facts[split]
    assert {path.name for path in chain["ingest"].iterdir()} == {
        "audit.json",
        "dataset.json",
        *(f"{split}_{what}.npy" for split in SPLITS for what in ("images", "labels")),
    }
    assert facts["train"] == 480
    assert facts["classes"] == list("0123456789")
    assert metrics["ingest"]["quarantined"] == 0


def test_no_picture_is_in_two_splits(chain, digits):
    ids = {}
    for split in SPLITS:
        images = np.load(chain["ingest"] / f"{split}_images.npy")
        ids[split] = {image.tobytes() for image in images}
        assert len(ids[split]) == len(images)
    assert not ids["train"] & ids["validation"]
    assert not (ids["train"] | ids["validation"]) & ids["test"]


def test_the_same_settings_give_the_same_bytes(chain, settings, do, tmp_path):
    do(ingest, settings("ingest"), {}, tmp_path)
    for path in chain["ingest"].iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_source_that_is_not_there_is_refused_before_the_run(settings, tmp_path):
    for dataset, name in (("arrays", "gone.npz"), ("folder", "gone"), ("table", "gone.csv"),
                          ("idx", "gone")):  # fmt: skip
        missing = {"dataset": dataset, "path": str(tmp_path / name)}
        with pytest.raises(DataError, match=rf"{name}: no such"):
            ingest.check(settings("ingest", ingest=missing))
    with pytest.raises(ConfigError, match="leave path out"):
        ingest.check(settings("ingest", ingest={"path": str(tmp_path)}))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """All digits, as scikit-learn has them."""
    return ingested(tmp_path_factory.mktemp("whole"), "digits")


def test_none_is_lost_and_none_changed(whole, digits):
    images, labels = digits
    found = sorted(picture for split in SPLITS for picture in whole.pictures[split])
    assert found == sorted(
        (image.tobytes(), str(label)) for image, label in zip(images, labels, strict=True)
    )


def test_every_kind_of_source_gives_the_same_splits(whole, digits, tmp_path):
    images, labels = digits
    npz = write_npz(tmp_path / "set.npz", images, labels)
    npy = tmp_path / "npy"
    npy.mkdir()
    np.save(npy / "x.npy", images[::-1])
    np.save(npy / "y.npy", labels[::-1])
    folder = write_folder(tmp_path / "folder", images, labels)
    rows = [
        (f"folder/{label}/{row:04}.png", label)
        for row, label in sorted(enumerate(labels.tolist()), key=lambda pair: pair[::-1])
    ]
    table = write_table(tmp_path / "set.csv", rows, delimiter=";")
    for dataset, path, said in (
        ("arrays", npz, {}),
        ("arrays", npy, {}),
        ("folder", folder, {"size": 8, "color": "gray"}),
        ("table", table, {"size": 8, "color": "gray"}),
    ):
        made = ingested(tmp_path / "out" / path.name, dataset, path, **said)
        for split in SPLITS:
            for what in ("images", "labels"):
                name = f"{split}_{what}.npy"
                ours, theirs = ((one.folder / name).read_bytes() for one in (whole, made))
                assert ours == theirs, (path.name, name)


def test_idx_and_arrays_with_a_test_split_of_their_own_give_the_same(digits, tmp_path):
    images, labels = digits
    for part, rows in (("train", slice(0, 1500)), ("t10k", slice(1500, None))):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", images[rows, ..., 0])
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels[rows])
    npz = tmp_path / "set.npz"
    np.savez(
        npz,
        x_train=images[:1500],
        y_train=labels[:1500],
        x_test=images[1500:],
        y_test=labels[1500:],
    )
    idx = ingested(tmp_path / "idx", "idx", tmp_path)
    arrays = ingested(tmp_path / "arrays", "arrays", npz)
    assert idx.pictures == arrays.pictures
    assert sorted(picture for picture, _ in idx.pictures["test"]) == sorted(
        image.tobytes() for image in images[1500:]
    )
    assert idx.facts["train"] + idx.facts["validation"] == 1500


def test_folders_of_splits_are_those_splits(digits, tmp_path):
    images, labels = digits
    cuts = {"train": slice(0, 500), "val": slice(500, 700), "test": slice(700, 900)}
    for name, rows in cuts.items():
        write_folder(tmp_path / "set" / name, images[rows], labels[rows])
    made = ingested(tmp_path / "out", "folder", tmp_path / "set", size=8, color="gray")
    for split, rows in zip(SPLITS, cuts.values(), strict=True):
        assert made.pictures[split] == sorted(
            (image.tobytes(), str(label))
            for image, label in zip(images[rows], labels[rows], strict=True)
        )


def test_files_added_renamed_or_recoded_and_another_size_move_no_picture(digits, tmp_path):
    images, labels = digits
    root = write_folder(tmp_path / "set", images[:900], labels[:900])
    before = where_to(tmp_path, "folder", root, size=8)
    assert set(before.values()) == set(SPLITS)

    write_folder(tmp_path / "more", images[900:], labels[900:])
    for path in sorted((tmp_path / "more").glob("*/*")):
        path.rename(root / path.parent.name / f"_{path.name}")
    after = where_to(tmp_path, "folder", root, size=8)
    assert len(after) == 1797
    assert {where: after[where] for where in before} == before

    renamed = {}
    for number, path in enumerate(sorted(root.glob("*/[0-9]*.png"))):
        new = path.with_name(f"{number * 7919 % 1000:04} renamed.bmp")
        with Image.open(path) as image:
            image.convert("RGB" if number % 2 else "L").save(new)
        path.unlink()
        renamed[f"{new.parent.name}/{new.name}"] = f"{path.parent.name}/{path.name}"
    again = where_to(tmp_path, "folder", root, size=(20, 30), fit="pad", color="gray")
    assert {old: again[new] for new, old in renamed.items()} == before


def test_removed_files_move_no_picture(digits, tmp_path):
    images, labels = digits
    whole, part = (
        where_to(tmp_path, "arrays", write_npz(tmp_path / "set.npz", images[:n], labels[:n]))
        for n in (1797, 900)
    )
    assert part == {where: whole[where] for where in part}


def test_a_share_of_the_splits_is_what_was_asked_for(tmp_path):
    made = ingested(tmp_path, "digits", test=0.3, validation=0.5)
    assert abs(made.facts["test"] - 0.3 * 1797) < 4.5 * np.sqrt(1797 * 0.21)
    rest = 1797 - made.facts["test"]
    assert abs(made.facts["validation"] - rest / 2) < 4.5 * np.sqrt(rest / 4)


def test_folds_cover_what_is_not_test_and_the_test_split_is_the_same_bytes(whole, tmp_path):
    validations = []
    for fold in (1, 2, 3):
        made = ingested(tmp_path / str(fold), "digits", folds=3, fold=fold)
        for what in ("images", "labels"):
            name = f"test_{what}.npy"
            assert (made.folder / name).read_bytes() == (whole.folder / name).read_bytes()
        validations += made.pictures["validation"]
        train = sorted(made.pictures["train"] + made.pictures["validation"])
        assert train == sorted(whole.pictures["train"] + whole.pictures["validation"])
    assert sorted(validations) == train


def test_small_classes_are_in_every_split_and_named(digits, tmp_path):
    images, labels = digits
    rows = np.concatenate([np.flatnonzero(labels == 0)[:3], np.flatnonzero(labels != 0)])
    path = write_npz(tmp_path / "set.npz", images[rows], labels[rows])
    made = ingested(tmp_path / "out", "arrays", path)
    assert [(made.labels(split) == 0).sum() for split in SPLITS] == [1, 1, 1]
    assert made.audit["moved"] == ["0"]
    fewer = write_npz(tmp_path / "set.npz", images[rows[1:]], labels[rows[1:]])
    with pytest.raises(DataError, match="class '0' has 2 different pictures"):
        ingested(tmp_path / "fewer", "arrays", fewer)


@pytest.fixture
def spoiled(tmp_path, digits):
    """A function that writes 100 digits as PNG files, some of them broken."""

    def write(broken):
        root = write_folder(tmp_path / "set", digits[0][:100], digits[1][:100])
        for path in sorted(root.glob("*/*"))[:: 100 // broken][:broken]:
            path.write_bytes(path.read_bytes()[:60])
        return root

    return write


def test_broken_pictures_up_to_a_share_are_set_aside_counted_and_listed(spoiled, tmp_path):
    made = ingested(tmp_path / "out", "folder", spoiled(5), size=8)
    assert len(made.audit["quarantined"]) == 5
    assert sum(made.facts[split] for split in SPLITS) == 95
    assert len(made.audit["quarantined"]) == 5
    assert made.audit["bad_fraction"] == 0.05
    assert all(one["reason"] for one in made.audit["quarantined"])


def test_more_of_them_stop_the_run_with_the_first_named(spoiled, tmp_path):
    root = spoiled(10)
    message = r"set: 10 of 100 pictures were set aside, more than ingest\.max_bad_fraction 0\.05; "
    with pytest.raises(DataError, match=message + r"the first: 0/\d+\.png: cannot be decoded"):
        ingested(tmp_path / "out", "folder", root, size=8)
    assert not list((tmp_path / "out").glob("*.tmp"))
    made = ingested(tmp_path / "out", "folder", root, size=8, max_bad_fraction=0.1)
    assert len(made.audit["quarantined"]) == 10


def test_all_that_is_set_aside_stands_in_the_log(digits, tmp_path, caplog):
    root = write_folder(tmp_path / "set", digits[0][:100], digits[1][:100])
    (root / "9" / "broken.png").write_bytes(b"")
    shutil.copy(root / "0" / "0000.png", root / "1" / "again.png")
    caplog.set_level(logging.WARNING, "pipeline")
    ingested(tmp_path / "out", "folder", root, size=8)
    assert caplog.messages == [
        "set aside: 9/broken.png: empty, 0 bytes",
        "set aside: 0/0000.png: labelled '0', and '1' as 1/again.png, the same picture",
        "set aside: 1/again.png: labelled '1', and '0' as 0/0000.png, the same picture",
    ]


def test_a_share_of_nothing_stops_at_the_first(spoiled, tmp_path):
    with pytest.raises(DataError, match="1 of 100 pictures were set aside"):
        ingested(tmp_path / "out", "folder", spoiled(1), size=8, max_bad_fraction=0.0)


def test_a_set_without_a_picture_is_an_error_whatever_share_is_allowed(digits, tmp_path):
    (tmp_path / "set" / "a").mkdir(parents=True)
    (tmp_path / "set" / "b").mkdir()
    with pytest.raises(DataError, match="set: no picture in it"):
        ingested(tmp_path / "out", "folder", tmp_path / "set")
    (tmp_path / "set" / "a" / "1.png").write_bytes(b"no picture")
    empty = write_npz(tmp_path / "set.npz", digits[0][:0], digits[1][:0])
    with pytest.raises(DataError, match="set: no picture in it"):
        ingested(tmp_path / "out", "arrays", empty)
    with pytest.raises(DataError, match="none of 1 pictures can be taken; the first: a/1"):
        ingested(tmp_path / "out", "folder", tmp_path / "set", max_bad_fraction=1.0)


def test_one_class_is_nothing_to_tell_apart_and_nothing_is_read(digits, tmp_path, monkeypatch):
    path = write_npz(tmp_path / "set.npz", digits[0][:9], np.zeros(9, int))
    monkeypatch.setattr(ingest, "take_in", lambda *_: pytest.fail("was read"))
    with pytest.raises(DataError, match=r"set: one class only \(0\); two are needed"):
        ingested(tmp_path / "out", "arrays", path)


def test_contradictions_count_as_set_aside(digits, tmp_path):
    images, labels = digits
    twice = np.concatenate([images[:100], images[:4]])
    said = np.concatenate([labels[:100], (labels[:4] + 1) % 10])
    path = write_npz(tmp_path / "set.npz", twice, said)
    with pytest.raises(DataError, match=r"8 of 104 pictures were set aside, .*same picture"):
        ingested(tmp_path / "out", "arrays", path)
    made = ingested(tmp_path / "out", "arrays", path, max_bad_fraction=0.1)
    assert len(made.audit["quarantined"]) == 8
    kept = {picture for split in SPLITS for picture, _ in made.pictures[split]}
    assert not kept & {image.tobytes() for image in images[:4]}


def test_copies_are_in_one_split(digits, tmp_path):
    images, labels = digits
    path = write_npz(tmp_path / "set.npz", np.tile(images, (2, 1, 1, 1)), np.tile(labels, 2))
    made = ingested(tmp_path / "out", "arrays", path)
    seen = [{picture for picture, _ in made.pictures[split]} for split in SPLITS]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 1797
    assert sum(made.facts[split] for split in SPLITS) == 2 * 1797


def test_pictures_of_two_shapes_are_an_error_that_says_what_brings_them_to_one(digits, tmp_path):
    for part, shape in (("train", (8, 8)), ("t10k", (4, 16))):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", digits[0][:300].reshape(-1, *shape))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", digits[1][:300])
    with pytest.raises(DataError, match=r"test\[0\] is \(4, 16, 1\), .*ingest\.size"):
        ingested(tmp_path / "out", "idx", tmp_path)
    assert ingested(tmp_path / "out", "idx", tmp_path, size=8).facts["shape"] == [8, 8, 1]


def test_files_come_in_rgb_of_96_pixels_and_arrays_as_they_are(digits, tmp_path):
    root = write_folder(tmp_path / "set", digits[0][:100], digits[1][:100])
    assert ingested(tmp_path / "a", "folder", root).facts["shape"] == [96, 96, 3]
    npz = write_npz(tmp_path / "set.npz", digits[0][:100], digits[1][:100])
    assert ingested(tmp_path / "b", "arrays", npz).facts["shape"] == [8, 8, 1]
    said = {"size": (6, 9), "color": "rgb"}
    assert ingested(tmp_path / "c", "arrays", npz, **said).facts["shape"] == [6, 9, 3]


def test_classes_of_a_recipe_keep_their_order(digits, tmp_path):
    root = write_folder(tmp_path / "set", digits[0][:300], digits[1][:300])
    made = ingested(tmp_path / "out", "folder", root, size=8, classes=("7", "1"))
    assert made.facts["classes"] == ["7", "1"]
    names = {name for split in SPLITS for _, name in made.pictures[split]}
    assert names == {"7", "1"}
    known = {image.tobytes(): str(label) for image, label in zip(*digits, strict=True)}
    gray = ingested(tmp_path / "out", "folder", root, size=8, classes=("7", "1"), color="gray")
    assert all(known[picture] == name for picture, name in gray.pictures["train"])


def test_no_file_of_the_user_is_changed(spoiled, tmp_path):
    root = spoiled(3)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.glob("*/*")}
    ingested(tmp_path / "out", "folder", root, size=8)
    assert before == {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.glob("*/*")
    }


def test_two_runs_of_a_folder_leave_the_same_bytes(spoiled, tmp_path):
    root = spoiled(3)
    one, two = (ingested(tmp_path / name, "folder", root, size=9) for name in "ab")
    for path in one.folder.iterdir():
        assert path.read_bytes() == (two.folder / path.name).read_bytes(), path.name
