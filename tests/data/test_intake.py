import pytest

from pipeline.data.collection import Collection
from pipeline.data.decoding import Rules
from pipeline.data.intake import take_in
from pipeline.data.sources import Catalog, Found, Remark
from pipeline.settings import Ingest
from tests.picture_sets import write_folder


@pytest.fixture
def taken(tmp_path):
    """A function that takes pictures in: where those are that stay, and what was set aside."""

    def take(pictures, pixels=False):
        catalog = Catalog("made", ["a"], pictures, pixels=pixels)
        with Collection(tmp_path) as collection:
            aside = take_in(catalog, Rules.of(Ingest(size=8), files=True), collection)
            return collection.where, {one.where: one.reason for one in aside}, catalog

    return take


def found(path):
    return Found(path.name, 0, str(path))


@pytest.mark.parametrize("pixels", [False, True])
def test_what_a_source_sets_aside_stays_so_and_the_rest_keeps_its_order(taken, digits, pixels):
    images = digits[0]
    pictures = [Found(f"{n}", 0, images[n]) for n in range(40)]
    pictures[3], pictures[39] = Remark("3", "no label"), Remark("39", "gone")
    where, aside, catalog = taken(iter(pictures), pixels)
    assert where == [str(n) for n in range(40) if n not in (3, 39)]
    assert aside == {"3": "no label", "39": "gone"}
    assert (catalog.passed_over, catalog.noted) == ([], [])


def test_a_broken_picture_is_set_aside_and_a_text_beside_it_passed_over(taken, tmp_path, digits):
    write_folder(tmp_path, digits[0][:3], [0, 0, 0])
    for name in ("broken.png", "notes.txt", "LABELS.CSV", "unnamed"):
        (tmp_path / "0" / name).write_bytes(b"words")
    where, aside, catalog = taken(map(found, sorted((tmp_path / "0").iterdir())))
    assert where == ["0000.png", "0001.png", "0002.png"]
    assert aside.keys() == {"broken.png", "unnamed"}
    assert {(one.where, one.reason) for one in catalog.passed_over} == {
        ("LABELS.CSV", "no picture, nor named as one"),
        ("notes.txt", "no picture, nor named as one"),
    }


def test_a_picture_named_as_a_text_is_a_picture_and_noted(taken, tmp_path, digits):
    write_folder(tmp_path, digits[0][:1], [0])
    (tmp_path / "0" / "0000.png").rename(tmp_path / "0" / "picture.txt")
    where, aside, catalog = taken([found(tmp_path / "0" / "picture.txt")])
    assert (where, aside, catalog.passed_over) == (["picture.txt"], {}, [])
    assert [(one.where, one.reason) for one in catalog.noted] == [
        ("picture.txt", "is PNG, whatever its name ends with")
    ]
