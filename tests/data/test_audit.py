"""The audit as ingest writes it: of the form the report reads, and true, counted another way."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from pipeline.data import audit
from pipeline.show.audit import Audit
from tests.picture_sets import ingested, write_folder, write_npz


@pytest.fixture(scope="module")
def sound(tmp_path_factory, digits):
    """All digits, nothing wrong with them."""
    return ingested(tmp_path_factory.mktemp("sound"), "digits")


@pytest.fixture(scope="module")
def root(tmp_path_factory, digits, photo):
    """300 digits and a photo as PNG files, and one of each trouble, by name."""
    root = write_folder(tmp_path_factory.mktemp("set"), digits[0][:300], digits[1][:300])
    image = Image.fromarray(photo)

    def give(name, content):
        (root / name).parent.mkdir(exist_ok=True)
        if isinstance(content, bytes):
            (root / name).write_bytes(content)
        else:
            content.save(root / name)

    give("1/photo.png", image)
    give("1/photo again.jpg", image)  # nearly the same
    give("2/photo twice.bmp", Image.fromarray(photo[::-1]))
    give("2/photo twice.png", Image.fromarray(photo[::-1]))
    give("3/contradicted.png", Image.fromarray(photo[:, ::-1]))
    give("4/contradicted.tiff", Image.fromarray(photo[:, ::-1]))
    give("5/broken.png", b"\x89PNG\r\n")
    give("5/notes.txt", b"words")
    give("stray.md", b"words")
    Image.fromarray(photo[10:]).save(root / "6" / "png.jpg", "png")
    for number in range(3):
        give(f"tiny/{number}.png", Image.fromarray(photo[number:, number:][:40, :40]))
    return root


@pytest.fixture(scope="module")
def troubled(tmp_path_factory, root):
    return ingested(tmp_path_factory.mktemp("troubled"), "folder", root, size=12, fit="pad")


def test_what_ingest_writes_is_what_the_report_reads(sound, troubled):
    for made in (sound, troubled):
        read = Audit.model_validate(made.audit).model_dump(mode="json")
        assert read == made.audit | {"labels_per_picture": None}, "said of several labels alone"


def test_a_sound_set_has_no_troubles(sound):
    found = sound.audit
    assert (found["found"], found["bad_fraction"]) == (1797, 0)
    assert found["quarantined"] == found["passed_over"] == found["noted"] == []
    assert found["moved"] == found["conflicts"] == found["duplicates"]["examples"] == []
    assert found["duplicates"] == {
        "groups": 0, "extra": 0, "across_splits": 0, "dropped": 0, "examples": []
    }  # fmt: skip
    assert found["near_duplicates"]["complete"] is True


def test_every_trouble_is_named_with_its_reason(troubled):
    found = troubled.audit
    said = {one["where"]: one["reason"] for one in found["quarantined"]}
    assert list(said) == ["3/contradicted.png", "4/contradicted.tiff", "5/broken.png"]
    assert said["3/contradicted.png"] == (
        "labelled '3', and '4' as 4/contradicted.tiff, the same picture"
    )
    assert {one["where"]: one["reason"] for one in found["passed_over"]} == {
        "5/notes.txt": "no picture, nor named as one",
        "stray.md": "in no class's folder",
    }
    assert found["noted"] == [
        {"where": "6/png.jpg", "reason": "is PNG, whatever its name ends with"}
    ]
    assert found["conflicts"] == [
        {"where": ["3/contradicted.png", "4/contradicted.tiff"], "labels": ["3", "4"]}
    ]
    assert found["duplicates"] == {
        "groups": 1,
        "extra": 1,
        "across_splits": 0,
        "dropped": 0,
        "examples": [["2/photo twice.bmp", "2/photo twice.png"]],
    }
    assert ["1/photo again.jpg", "1/photo.png"] in found["near_duplicates"]["examples"]
    assert "tiny" in found["moved"]


def test_every_picture_is_accounted_for(troubled, root):
    found, facts = troubled.audit, troubled.facts
    kept = facts["train"] + facts["validation"] + facts["test"]
    assert len(found["quarantined"]) == 3
    assert kept + 3 == found["found"]
    files = [path for path in root.rglob("*") if path.is_file()]
    assert found["found"] + len(found["passed_over"]) == len(files)
    assert found["bad_fraction"] == pytest.approx(3 / found["found"], abs=1e-12)


def test_what_limit_and_drop_leave_out_is_not_counted_in_the_splits(tmp_path, root):
    made = ingested(tmp_path, "folder", root, size=8, limit=100, duplicates="drop")
    assert made.audit["duplicates"]["dropped"] == 1
    assert sum(row["train"] for row in made.audit["classes"]) == made.facts["train"] == 100
    assert made.audit["found"] > made.facts["train"] + made.facts["validation"] + made.facts["test"]


@pytest.mark.parametrize("which", ["sound", "troubled"])
def test_classes_are_counted_as_the_arrays_are(which, request):
    made = request.getfixturevalue(which)
    for number, row in enumerate(made.audit["classes"]):
        assert row["name"] == made.facts["classes"][number]
        for split in ("train", "validation", "test"):
            assert row[split] == (made.labels(split) == number).sum()
    sums = [row["train"] + row["validation"] + row["test"] for row in made.audit["classes"]]
    assert made.audit["imbalance"] == max(sums) / min(sums)


def test_brightness_is_that_of_the_pictures(sound, digits):
    images, labels = digits
    means = images.mean(axis=(1, 2, 3))
    said = sound.audit["brightness"]
    for key, value in (
        ("mean", means.mean()), ("sd", means.std()), ("min", means.min()), ("max", means.max())
    ):  # fmt: skip
        assert said[key] == pytest.approx(value, abs=0.5), key
    assert len(said["histogram"]) == 32
    assert sum(said["histogram"]) == 1797
    assert np.abs(np.array(said["histogram"]) - np.histogram(means, 32, (0, 256))[0]).max() < 40
    for number, row in enumerate(sound.audit["classes"]):
        inside = means[labels == number]
        assert row["brightness_mean"] == pytest.approx(inside.mean(), abs=0.5)
        assert row["brightness_sd"] == pytest.approx(inside.std(), abs=0.5)


def size_of(path):
    with Image.open(path) as image:
        return image.size


def test_sizes_are_those_before_resizing(troubled, root):
    kept = [
        path
        for path in sorted(root.glob("*/*"))
        if path.suffix != ".txt" and path.stem not in {"broken", "contradicted"}
    ]
    sound = [size_of(path) for path in kept]
    said = troubled.audit["sizes"]
    counted = Counter(sound)
    assert said["distinct"] == len(counted)
    assert {(row["width"], row["height"]): row["count"] for row in said["most"]} == counted
    assert said["most"][0] == {"width": 8, "height": 8, "count": 300}
    widths, heights = zip(*sound, strict=True)
    assert said["width"] == {"min": 8, "median": 8, "max": max(widths)}
    assert said["height"] == {"min": 8, "median": 8, "max": max(heights)}


def test_only_the_most_frequent_sizes_are_listed(tmp_path, photo, monkeypatch):
    monkeypatch.setattr(audit, "MOST", 5)
    for number in range(40):
        path = tmp_path / "set" / str(number % 2) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[: 10 + number // 2, : 20 + number % 7]).save(path)
    said = ingested(tmp_path / "out", "folder", tmp_path / "set", size=8).audit["sizes"]
    assert len(said["most"]) == 5 < said["distinct"]
    counts = [row["count"] for row in said["most"]]
    assert counts == sorted(counts, reverse=True)


def test_copies_across_given_splits_are_counted_where_they_are_dropped(tmp_path, digits):
    images, labels = digits
    path = tmp_path / "set.npz"
    np.savez(
        path,
        x_train=images[:500],
        y_train=labels[:500],
        x_test=images[490:700],
        y_test=labels[490:700],
    )
    made = ingested(tmp_path / "out", "arrays", path, duplicates="drop")
    said = made.audit["duplicates"]
    assert (said["groups"], said["across_splits"], said["dropped"]) == (10, 10, 10)
    assert said["examples"][0] == ["x_train[490]", "x_test[0]"]
    assert made.facts["test"] == 210
    assert made.facts["train"] + made.facts["validation"] == 490


def test_examples_are_few_however_many_there_are(tmp_path, digits):
    images, labels = digits
    path = write_npz(
        tmp_path / "set.npz", np.tile(images[:300], (3, 1, 1, 1)), np.tile(labels[:300], 3)
    )
    said = ingested(tmp_path / "out", "arrays", path).audit["duplicates"]
    assert (said["groups"], said["extra"], len(said["examples"])) == (300, 600, audit.EXAMPLES)
    assert said["examples"][0] == ["images[0]", "images[300]", "images[600]"]


def test_near_pairs_across_splits_are_named_first_and_counted(tmp_path, digits):
    images, labels = digits
    brighter = np.clip(images[:200].astype(int) + 2, 0, 255).astype(np.uint8)
    path = tmp_path / "set.npz"
    np.savez(
        path,
        x_train=np.concatenate([images[:400], brighter[:100]]),
        y_train=np.concatenate([labels[:400], labels[:100]]),
        x_test=np.concatenate([brighter[100:], images[400:600]]),
        y_test=np.concatenate([labels[100:200], labels[400:600]]),
        x_val=images[600:800],
        y_val=labels[600:800],
    )
    said = ingested(tmp_path / "out", "arrays", path).audit["near_duplicates"]
    assert (said["pairs"], said["across_splits"]) == (200, 100)
    assert len(said["examples"]) == audit.EXAMPLES
    assert all(one.split("[")[0] != other.split("[")[0] for one, other in said["examples"])


def test_remarks_are_in_the_order_of_their_places():
    from pipeline.data.sources import Remark

    assert audit.remarks([Remark("b", "x"), Remark("a", "y")]) == [
        {"where": "a", "reason": "y"},
        {"where": "b", "reason": "x"},
    ]
