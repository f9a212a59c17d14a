"""Tables that lie: rows are set aside with their number, only what makes no table stops a run."""

import tracemalloc

import pytest

from pipeline.data import source
from pipeline.settings import Ingest
from tests.attacks import corpus
from tests.attacks.watching import accepted, refused

ROWS = [f"{name}/{number:03d}.png,{name}" for name in corpus.CLASSES for number in range(40)]
NEXT = len(ROWS) + 2  # the line that a row added below them stands on


@pytest.fixture
def table(sound):
    """Write a table of the sound pictures and of some rows more, which may be bytes."""

    def write(*rows, head="path,label", encoding="utf-8", sound_rows=tuple(ROWS)):
        lines = [head, *sound_rows, *rows]
        content = [row if isinstance(row, bytes) else row.encode(encoding) for row in lines]
        (sound / "table.csv").write_bytes(b"\n".join(content) + b"\n")
        return sound / "table.csv"

    return write


def aside(taken):
    """What was set aside, by number of the row, of a set that is whole but for that."""
    assert accepted(taken).accounted == taken.audit["found"] + len(taken.audit["passed_over"])
    return {int(where.split(":")[0].split()[1]): why for where, why in taken.said().items()}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("../outside.png,nine", "a path that leaves the table's folder"),
        ("nine/../../outside.png,nine", "a path that leaves the table's folder"),
        ("/etc/passwd,nine", "an absolute path"),
        ("link.png,nine", "a link that leaves the table's folder"),
        (".,nine", "a path that leaves the table's folder"),
        ("nine,nine", "not a regular file"),
        ("nine/gone.png,nine", "no such file"),
        ("nine/000.png/x,nine", "no such file"),
        (",nine", "no path"),
        ("nine/new.png,", "no label"),
        ("nine/new.png,   ", "no label"),
        ("nine/new.png", "no label"),
        ("nine/new.png,nine,surely", "1 more fields than columns"),
        ("nine/n\0ew.png,nine", "a zero byte"),
        ("note.txt,nine", "not a picture"),
        ("x" * 10_000 + ",nine", "File name too long"),
        ("nine/" + "x/" * 5_000 + "y,nine", "File name too long"),
    ],
)
def test_a_row_that_names_no_picture_is_set_aside_with_its_number(
    take, sound, table, tmp_path, row, reason
):
    for path in (tmp_path / "outside.png", sound / "nine" / "new.png"):
        corpus.gray(6, 0).save(path)
    (sound / "link.png").symlink_to(tmp_path / "outside.png")
    (sound / "note.txt").write_text("no picture")
    found = aside(take(table(row), dataset="table"))
    assert list(found) == [NEXT]
    assert reason in found[NEXT]
    assert len(found[NEXT]) < 300


@pytest.mark.slow
def test_all_those_rows_at_once_in_a_process_of_its_own(take_apart, sound, table, tmp_path):
    corpus.gray(6, 0).save(tmp_path / "outside.png")
    rows = ("../outside.png,nine", f"{tmp_path}/outside.png,nine", "gone.png,nine", "nine/001.png,")
    found = aside(take_apart(table(*rows), "ingest.max_bad_fraction=0.1", dataset="table"))
    assert list(found) == [NEXT, NEXT + 1, NEXT + 2, NEXT + 3]


@pytest.mark.parametrize(
    "head", ["path", "label", "file,class", "path;label,x", "", "path,path,label"]
)
def test_a_missing_column_is_named(take, table, head):
    refused(take(table(head=head), dataset="table"), "table.csv: needs one column", "first line")


def test_a_column_that_is_there_twice_is_not_guessed_at(take, table):
    line = refused(take(table(head="path,label,split,split"), dataset="table")).line
    assert "needs one column 'split'" in line


def test_a_table_of_one_line_has_no_rows(take_apart, table):
    taken = take_apart(table(sound_rows=()), dataset="table")
    refused(taken, "table.csv: no rows below the line")


def test_an_unknown_label_is_set_aside_and_its_row_numbered(take, sound, table):
    corpus.gray(6, 0).save(sound / "nine" / "new.png")
    words = "ingest.classes=[eight, nine, seven]"
    found = aside(take(table("nine/new.png,nin"), words, dataset="table"))
    assert found == {NEXT: "label 'nin' is none of ingest.classes: did you mean 'nine'?"}


def test_rows_that_contradict_each_other_are_all_set_aside(take_apart, table):
    found = aside(take_apart(table("nine/000.png,eight"), dataset="table"))
    assert found.keys() == {42, NEXT}
    assert set(found.values()) == {
        f"contradicts other rows of this path: row 42 says 'nine', row {NEXT} says 'eight'"
    }


def test_rows_that_contradict_each_other_by_another_way_to_the_file_are_too(take, table):
    found = aside(take(table("nine/../nine/./000.png,eight"), dataset="table"))
    assert found[42] == (
        f"labelled 'nine', and 'eight' as row {NEXT}: nine/../nine/./000.png, the same picture"
    )
    assert found.keys() == {42, NEXT}


def test_one_file_in_two_given_splits_is_refused(take, table):
    rows = [
        f"{row},{('train', 'train', 'val', 'test')[place % 4]}" for place, row in enumerate(ROWS)
    ]
    taken = take(
        table("./eight/000.png,eight,test", head="path,label,split", sound_rows=rows),
        dataset="table",
    )
    refused(taken, "1 pictures stand in two splits, such as row 2: eight/000.png (train)")


def test_an_unknown_split_is_set_aside(take, table, sound):
    corpus.gray(6, 0).save(sound / "nine" / "new.png")
    rows = [f"{row}," for row in ROWS]
    written = table(
        "nine/new.png,nine,holdout", "nine/001.png,nine", head="path,label,split", sound_rows=rows
    )
    found = aside(take(written, dataset="table"))
    assert found[NEXT] == "split 'holdout' is none of train, validation, test"


def test_a_byte_order_mark_is_no_part_of_a_column(take_apart, table):
    assert (
        aside(take_apart(table(encoding="utf-8", head="\ufeffpath,label"), dataset="table")) == {}
    )


def test_latin_1_is_read_and_noted(take, sound, table):
    for number in range(3):
        corpus.gray(6, number).save(sound / f"grün{number}.png")
    rows = [f"grün{number}.png,grün" for number in range(3)]
    taken = take(table(*rows, encoding="latin-1"), dataset="table")
    assert aside(taken) == {}
    assert taken.facts["classes"] == ["eight", "grün", "nine", "seven"]
    assert taken.said("noted") == {"table.csv": "is not UTF-8: read as Latin-1"}


def test_utf_16_is_named_for_what_it_is(take, table):
    written = table()
    written.write_text(written.read_text(), encoding="utf-16")
    refused(take(written, dataset="table"), "table.csv: is UTF-16; save it as UTF-8")


def test_quoted_line_ends_keep_the_numbers_of_the_lines(take, sound, table):
    corpus.gray(6, 0).save(sound / "two\nlines.png")
    found = aside(take(table('"two\nlines.png",nine', "gone.png,nine"), dataset="table"))
    assert found == {NEXT + 2: "no such file"}


def test_an_open_quote_is_refused_with_its_row(take, table):
    refused(take(table('"nine/000.png,nine'), dataset="table"), "table.csv, row ", "unexpected end")


def test_a_field_without_end_is_refused(take, table):
    refused(take(table("x" * 200_000 + ",nine"), dataset="table"), "row 122: field larger than")


def test_bytes_that_are_no_table_are_refused_on_a_short_clean_line(take, sound, table):
    written = table()
    written.write_bytes((sound / "nine" / "000.png").read_bytes() * 50)
    refused(take(written, dataset="table"), "table.csv")


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_other_line_ends_and_delimiters_are_read(take, table, newline, comma):
    written = table()
    text = written.read_text().replace("\n", newline).replace(",", comma)
    written.write_text(text, newline="")
    assert aside(take(written, dataset="table")) == {}


@pytest.mark.slow
def test_many_rows_take_little_memory(tmp_path):
    """Ten thousand rows, all wrong: some hundred bytes each, not the pictures they might be."""
    rows = "\n".join(f"gone/{number}.png,{number % 7}" for number in range(10_000))
    (tmp_path / "table.csv").write_text(f"path,label\n{rows}\n")
    tracemalloc.start()
    catalog = source(Ingest(dataset="table", path=tmp_path / "table.csv")).catalog()
    assert sum(found.reason == "no such file" for found in catalog.pictures) == 10_000
    assert tracemalloc.get_traced_memory()[1] < 12e6
    tracemalloc.stop()
