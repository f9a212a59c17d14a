"""Looking at real pictures: what is counted, what is seen, and that nothing stops it."""

import numpy as np
import pytest
from PIL import Image

from pipeline.data import sampling
from pipeline.data.look import look
from pipeline.errors import DataError
from pipeline.settings import Ingest
from tests.picture_folders import digit_folder, digits, photo_folder, save


def seen(path, dataset="folder"):
    return look(Ingest(dataset=dataset, path=path))


def test_a_folder_of_digits_is_counted_by_class_and_all_of_it_is_gray(tmp_path):
    found = seen(digit_folder(tmp_path))
    assert found.classes == [str(number) for number in range(10)]
    assert found.totals.tolist() == np.bincount(digits()[1][:600]).tolist()
    assert found.given == []
    assert found.pool.tolist() == found.totals.tolist()
    assert (found.sample.read, found.sample.gray) == (600, 600)
    assert np.unique(found.sample.sizes, axis=0).tolist() == [[8, 8]]
    assert found.bad_fraction == 0


def test_given_splits_are_counted_apart(tmp_path):
    digit_folder(tmp_path / "train", range(100), classes=3)
    digit_folder(tmp_path / "Test", range(100, 140), classes=3)
    found = seen(tmp_path)
    labels = digits()[1]
    assert found.given == ["train", "test"]
    assert found.by_split["train"].tolist() == np.bincount(labels[:100])[:3].tolist()
    assert found.by_split["test"].tolist() == np.bincount(labels[100:140])[:3].tolist()
    assert found.pool.tolist() == found.by_split["train"].tolist()


def test_gray_pictures_stored_in_colour_count_as_gray_and_one_in_colour_does_not(tmp_path):
    digit_folder(tmp_path, range(40), suffix="jpg")
    for path in sorted(tmp_path.rglob("*.jpg")):
        Image.open(path).convert("RGB").save(path, quality=70)
    assert seen(tmp_path).sample.gray == 40
    photo_folder(tmp_path, {"0": 1, "1": 0})
    found = seen(tmp_path).sample
    assert (found.gray, found.read) == (40, 41)


def test_only_pictures_that_show_what_is_behind_them_count_as_transparent(tmp_path):
    photo_folder(tmp_path, {"temple": 3, "flower": 3})
    photo = Image.open(tmp_path / "temple" / "0000.png")
    opaque, clear = photo.convert("RGBA"), photo.convert("RGBA")
    clear.putpixel((3, 3), (9, 9, 9, 0))
    save(opaque, tmp_path / "temple" / "opaque.png")
    save(clear, tmp_path / "flower" / "clear.png")
    save(clear, tmp_path / "flower" / "clear.webp")
    found = seen(tmp_path)
    assert found.sample.see_through == 2
    assert found.noted == []


def test_bad_files_and_links_are_counted_and_stop_nothing(tmp_path):
    root = photo_folder(tmp_path / "photos", {"temple": 20, "flower": 10})
    whole = (root / "temple" / "0000.png").read_bytes()
    (root / "temple" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "temple" / "empty.jpg").touch()
    (root / "temple" / "notes.txt").write_text("of no interest")
    (root / "readme.md").write_text("of no interest")
    save(Image.new("L", (4, 4)), tmp_path / "outside.png")
    (root / "flower" / "link.png").symlink_to(tmp_path / "outside.png")
    found = seen(root)
    assert found.pictures == 32
    assert {remark.where for remark in found.sample.unreadable} == {
        "temple/cut.png",
        "temple/empty.jpg",
    }
    assert [remark.where for remark in found.aside] == ["flower/link.png"]
    assert {remark.where for remark in found.passed_over} == {"readme.md", "temple/notes.txt"}
    assert found.bad_fraction == pytest.approx(3 / 33)


def test_a_picture_in_two_splits_or_under_two_labels_is_seen(tmp_path):
    photo_folder(tmp_path / "train", {"temple": 5, "flower": 5})
    photo_folder(tmp_path / "test", {"temple": 2, "flower": 0})
    digit_folder(tmp_path / "test" / "flower", range(3), classes=10)
    twin = Image.open(tmp_path / "test" / "flower" / "0" / "0000.png")
    save(twin, tmp_path / "train" / "temple" / "zero.bmp")
    found = seen(tmp_path).sample
    assert found.across == 2
    assert found.conflicts == 2


def test_a_large_set_is_looked_at_in_part_the_same_part_each_time(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "MOST", 120)
    digit_folder(tmp_path, range(600), classes=9)
    save(Image.new("RGB", (30, 20), (200, 0, 0)), tmp_path / "rare" / "one.png")
    first, second = seen(tmp_path), seen(tmp_path)
    assert first.pictures > 500
    assert 80 < first.sample.opened < 170
    assert [30, 20] in first.sample.sizes.tolist(), "every class is in the sample"
    assert np.array_equal(first.sample.sizes, second.sample.sizes)
    assert first.sample.gray == first.sample.read - 1


def test_large_files_make_the_part_smaller(tmp_path, monkeypatch):
    digit_folder(tmp_path, range(400))
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.png"))
    monkeypatch.setattr(sampling, "BYTES", size // 8)
    assert 10 <= seen(tmp_path).sample.opened < 100


def test_arrays_and_tables_are_looked_at_too(tmp_path):
    images, labels = digits()
    np.savez(tmp_path / "set.npz", images=images, labels=labels)
    found = seen(tmp_path / "set.npz", "arrays")
    assert found.pixels
    assert found.totals.tolist() == np.bincount(labels).tolist()
    assert found.sample.gray == found.sample.read > 800
    digit_folder(tmp_path / "pictures", range(20), classes=10)
    files = sorted((tmp_path / "pictures").rglob("*.png"))
    rows = [f"{file.relative_to(tmp_path)},{file.parent.name}" for file in files]
    (tmp_path / "set.csv").write_text("\n".join(["path,label", *rows, "absent.png,3"]))
    found = seen(tmp_path / "set.csv", "table")
    assert (found.pictures, found.sample.read, len(found.aside)) == (20, 20, 1)


def test_what_cannot_be_told_apart_is_one_clear_line(tmp_path):
    folder = tmp_path / "photos"
    photo_folder(folder, {"temple": 3, "flower": 0})
    with pytest.raises(DataError, match=r"photos: pictures of one class only \(temple\)"):
        seen(folder)
    (folder / "flower").mkdir()
    with pytest.raises(DataError, match=r"one class only \(temple\)"):
        seen(folder)
    (folder / "labels.csv").write_text("path,label\n")
    with pytest.raises(DataError, match=r"; or give the table .*photos/labels\.csv$"):
        seen(folder)
    for path in (folder / "temple").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="photos: no picture in it"):
        seen(folder)


def test_a_set_of_which_nothing_can_be_read_says_why(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").touch()
    with pytest.raises(DataError, match=r"none of 2 pictures .* a/x\.png: empty, 0 bytes"):
        seen(tmp_path)
