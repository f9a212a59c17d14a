import pytest

from pipeline.data import files
from pipeline.errors import ConfigError, DataError
from tests.picture_sets import listed, settings, write_table


@pytest.fixture
def table(tmp_path):
    """A function that writes a table beside three pictures, which nothing opens here."""
    for name in ("a.png", "b.png", "deep/c.png"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def make(rows, *arguments, **said):
        return write_table(tmp_path / "set" / "labels.csv", rows, *arguments, **said)

    return make


SOUND = (("a.png", "dog"), ("b.png", "cat"), ("deep/c.png", "dog"))


def test_rows_name_pictures_and_labels(table):
    path = table(SOUND)
    catalog, found, remarks = listed("table", path)
    assert (catalog.name, catalog.classes, catalog.count) == ("labels", ["cat", "dog"], 3)
    assert [(picture.where, picture.label, picture.split) for picture in found] == [
        ("row 2: a.png", 1, None),
        ("row 3: b.png", 0, None),
        ("row 4: deep/c.png", 1, None),
    ]
    assert found[2].content == str(path.parent / "deep" / "c.png")
    assert (remarks, catalog.noted, catalog.passed_over) == ({}, [], [])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_spreadsheets_write_it_in_several_ways(table, delimiter, encoding):
    path = table(SOUND, ("Path", " LABEL "), delimiter=delimiter, encoding=encoding)
    assert [(p.where, p.label) for p in listed("table", path)[1]] == [
        ("row 2: a.png", 1),
        ("row 3: b.png", 0),
        ("row 4: deep/c.png", 1),
    ]


def test_columns_come_in_any_order_among_others(table):
    rows = (("1", "dog", "x", "test", "a.png"), ("2", "cat", "y", "train", "b.png"))
    _, found, _ = listed("table", table(rows, ("id", "label", "by", "split", "path")))
    assert [(p.where, p.label, p.split) for p in found] == [
        ("row 2: a.png", 1, "test"),
        ("row 3: b.png", 0, "train"),
    ]


def test_a_split_is_taken_where_it_is_given(table):
    rows = (("a.png", "x", "Val"), ("b.png", "y", ""), ("deep/c.png", "y", "testing"))
    _, found, _ = listed("table", table(rows, ("path", "label", "split")))
    assert [picture.split for picture in found] == ["validation", None, "test"]


def test_quoted_fields_may_hold_anything(table, tmp_path):
    odd = "one, two\nthree.png"
    (tmp_path / "set" / odd).touch()
    rows = ((odd, 'the "best"'), ("a.png", " padded "))
    catalog, found, _ = listed("table", table(rows))
    assert catalog.classes == ["padded", 'the "best"']
    assert [picture.where for picture in found] == ["row 3: one, two\\nthree.png", "row 4: a.png"]


def test_empty_lines_are_no_rows(table):
    catalog, found, remarks = listed("table", table([SOUND[0], (), ("", ""), SOUND[1]]))
    assert (catalog.count, len(found), remarks) == (2, 2, {})


def test_latin_1_is_read_and_noted(table):
    path = table([("a.png", "café"), ("b.png", "bar")], encoding="latin-1")
    catalog, found, _ = listed("table", path)
    assert catalog.classes == ["bar", "café"]
    assert len(found) == 2
    assert [(one.where, one.reason) for one in catalog.noted] == [
        ("labels.csv", "is not UTF-8: read as Latin-1")
    ]


def test_a_row_that_leads_to_no_picture_is_set_aside_with_its_number(table, tmp_path):
    (tmp_path / "secret.png").touch()
    (tmp_path / "set" / "link.png").symlink_to(tmp_path / "secret.png")
    rows = (
        ("a.png", "x"),
        ("gone.png", "x"),
        ("../secret.png", "x"),
        ("link.png", "x"),
        (str(tmp_path / "secret.png"), "x"),
        ("", "x"),
        ("b.png", ""),
        ("deep", "x"),
        ("deep/../deep/c.png", "y"),
        ("b.png",),
        ("a\0.png", "x"),
    )
    catalog, found, remarks = listed("table", table(rows))
    assert [picture.where for picture in found] == ["row 2: a.png", "row 10: deep/../deep/c.png"]
    assert remarks == {
        "row 3: gone.png": "no such file",
        "row 4: ../secret.png": "a path that leaves the table's folder",
        "row 5: link.png": "a link that leaves the table's folder",
        f"row 6: {tmp_path}/secret.png": "an absolute path; paths are relative to the table's "
        "folder",
        "row 7": "no path",
        "row 8: b.png": "no label",
        "row 9: deep": "not a regular file",
        "row 11: b.png": "no label",
        "row 12: a\\x00.png": "a path with a zero byte in it",
    }
    assert catalog.count == len(found) + len(remarks)


def test_rows_that_contradict_each_other_are_all_set_aside(table):
    rows = (("a.png", "x"), ("b.png", "x"), ("a.png", "y"), ("b.png", "x"), ("deep/c.png", "y"))
    _, found, remarks = listed("table", table(rows))
    assert [picture.where for picture in found] == [
        "row 3: b.png",
        "row 5: b.png",
        "row 6: deep/c.png",
    ]
    assert remarks.keys() == {"row 2: a.png", "row 4: a.png"}
    assert remarks["row 2: a.png"] == (
        "contradicts other rows of this path: row 2 says 'x', row 4 says 'y'"
    )


def test_two_splits_for_one_path_contradict_too(table):
    rows = (("a.png", "x", "train"), ("a.png", "x", "test"), ("b.png", "y", "train"))
    _, found, remarks = listed("table", table(rows, ("path", "label", "split")))
    assert len(found) == 1
    assert "row 2 says 'x train', row 3 says 'x test'" in remarks["row 2: a.png"]


def test_a_split_nobody_knows_sets_its_row_aside(table):
    rows = (("a.png", "x", "tset"), ("b.png", "y", "test"))
    _, found, remarks = listed("table", table(rows, ("path", "label", "split")))
    assert len(found) == 1
    assert remarks == {"row 2: a.png": "split 'tset' is none of train, validation, test"}


def test_a_label_that_is_not_wanted_sets_its_row_aside(table):
    catalog, found, remarks = listed("table", table(SOUND), classes=("dog", "bat"))
    assert catalog.classes == ["dog", "bat"]
    assert [picture.label for picture in found] == [0, 0]
    assert remarks == {"row 3: b.png": "label 'cat' is none of ingest.classes: did you mean 'bat'?"}


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (("file", "label"), "needs one column 'path' in its first line, which holds file, label"),
        (("path", "class"), "needs one column 'label'"),
        (("path", "label", "label"), "needs one column 'label'"),
        ((), "needs one column 'path' in its first line, which holds nothing"),
    ],
)
def test_a_first_line_without_the_columns_is_named(table, columns, says):
    with pytest.raises(DataError, match=rf"labels\.csv: {says}"):
        listed("table", table(SOUND, columns))


def test_a_table_without_rows_or_with_an_open_quote_is_named(table):
    with pytest.raises(DataError, match=r"labels\.csv: no rows below"):
        listed("table", table(()))
    path = table(SOUND)
    path.write_text('path,label\na.png,"dog\n')
    with pytest.raises(DataError, match=r"labels\.csv, row \d: unexpected end"):
        listed("table", path)


def test_the_table_and_its_pictures_count_in_the_key_and_nothing_outside_does(table, tmp_path):
    (tmp_path / "secret.png").touch()
    path = table([*SOUND, SOUND[0], ("../secret.png", "x"), ("gone.png", "x")])
    named = list(files(settings("table", path)))
    assert [name for name, _ in named] == ["labels.csv", "a.png", "b.png", "deep/c.png"]
    assert all(file.is_relative_to(tmp_path / "set") for _, file in named)


def test_a_missing_table_is_named_before_the_run_and_in_it(tmp_path):
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        next(files(settings("table", tmp_path / "gone.csv")))
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        listed("table", tmp_path / "gone.csv")
    with pytest.raises(ConfigError, match=r"ingest\.path: table needs"):
        listed("table")
