"""Names that are commands to a terminal, a page, a spreadsheet or a log: they stay names."""

import os
import re
import unicodedata
from pathlib import Path

import pytest

from tests.attacks import corpus
from tests.attacks.watching import accepted, refused
from tests.marks import slow_but

NASTY = (
    "<script>",
    "=1+1",
    "@SUM(A1)",
    "-1",
    "猫",
    "two\nlines",
    "\x1b[31mred\x1b[0m",
    "$x_1$",
    "%s {0}",
)
SHOWN = (
    "<script>",
    "=1+1",
    "@SUM(A1)",
    "-1",
    "猫",
    r"two\nlines",
    r"\x1b[31mred\x1b[0m",
    "$x_1$",
    "%s {0}",
)
LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) ")


def classes_of(folder, names):
    """Add classes of three pictures each."""
    for place, name in enumerate(names):
        (folder / name).mkdir()
        for number in range(3):
            corpus.gray(place % 7, number + 3 * (place // 7)).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.parametrize("door", slow_but(["take"], ["take", "take_apart"]))
def test_a_class_may_have_any_name_a_folder_can(request, sound, door):
    taken = accepted(request.getfixturevalue(door)(classes_of(sound, NASTY)))
    assert taken.facts["classes"] == sorted([*corpus.CLASSES, *SHOWN])
    for name in SHOWN:
        assert len(taken.pictures(name)) == 3


@pytest.mark.parametrize("name", NASTY)
def test_an_error_about_a_class_is_one_clean_line(take, sound, name):
    (sound / name).mkdir()
    refused(take(sound), "has no picture that can be read")


def test_such_a_class_can_be_asked_for_as_it_is_or_as_it_is_shown(take, sound):
    classes_of(sound, ["two\nlines"])
    for number, said in enumerate((r'"two\nlines"', r"'two\nlines'")):
        taken = take(sound, f"ingest.classes=[nine, {said}]", f"name=a{number}")
        assert accepted(taken).facts["classes"] == ["nine", r"two\nlines"]


def test_a_table_and_arrays_may_name_them_too(take, sound):
    rows = [f"{name}/{number:03d}.png,{name}" for name in corpus.CLASSES for number in range(9)]
    label = '"\x1b]0;owned\x07two\nlines\u202e"'
    rows += [f"nine/{number:03d}.png,{label}" for number in range(9, 13)]
    (sound / "table.csv").write_text("\n".join(["path,label", *rows]))
    taken = accepted(take(sound / "table.csv", dataset="table"))
    assert taken.facts["classes"][0] == r"\x1b]0;owned\x07two\nlines\u202e"


def test_a_file_set_aside_cannot_write_a_second_line_of_the_log_or_clear_the_screen(
    take_apart, sound
):
    forged = (
        "x\n2026-01-01 00:00:00,000 INFO ingest: done\x1b[2J\x1b]0;owned\x07\u2028\x9b\u202e.png"
    )
    (sound / "nine" / forged).write_bytes(b"")
    taken = refused(take_apart(sound, "ingest.max_bad_fraction=0.0"), r"nine/x\n2026-01-01")
    assert r"\x1b[2J\x1b]0;owned\x07\u2028\x9b\u202e.png: empty, 0 bytes" in taken.line
    lines = taken.log.partition("Traceback")[0].splitlines()
    assert all(LOGGED.match(line) for line in lines)
    assert sum("WARNING set aside" in line for line in lines) == 1
    [where] = accepted(take_apart(sound)).said()
    assert where.startswith(r"nine/x\n2026-01-01 00:00:00,000 INFO ingest: done\x1b[2J\x1b]0;owned")


def test_names_that_are_no_utf_8_are_spelled_out(take_apart, sound):
    nine = os.fsencode(sound / "nine")
    Path(os.fsdecode(nine + b"/caf\xe9.png")).write_bytes(corpus.encoded(corpus.gray(6, 0), "PNG"))
    Path(os.fsdecode(nine + b"/\xff\xfe.png")).write_bytes(b"")
    folder = os.fsdecode(os.fsencode(sound) + b"/\xe9t\xe9")
    classes_of(sound, [folder])
    taken = accepted(take_apart(sound))
    assert taken.facts["classes"] == [r"\xe9t\xe9", *corpus.CLASSES]
    assert len(taken.pictures("nine")) == 41
    assert taken.said() == {r"nine/\xff\xfe.png": "empty, 0 bytes"}


def test_very_long_names_are_names(take, sound):
    name = "n" * 251
    corpus.gray(6, 0).save(sound / "nine" / f"{name}.png")
    (sound / "nine" / f"{name}.jpg").write_bytes(b"")
    classes_of(sound, ["c" * 255])
    taken = accepted(take(sound))
    assert taken.said() == {f"nine/{name}.jpg": "empty, 0 bytes"}
    assert taken.facts["classes"][0] == "c" * 255


def test_a_class_spelled_in_two_ways_is_one_and_that_is_noted(take_apart, sound):
    composed, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    for place, name in enumerate((composed, apart)):
        (sound / name).mkdir()
        for number in range(3):
            corpus.gray(6, 3 * place + number).save(sound / name / f"{number}.png")
    taken = accepted(take_apart(sound, f"ingest.classes=[nine, {apart}]"))
    assert taken.facts["classes"] == ["nine", composed]
    assert len(taken.pictures(composed)) == 6
    assert taken.said("noted") == {composed: "2 ways to spell it in Unicode, taken as one class"}


def test_two_files_that_look_alike_in_print_are_both_in_the_key(take, sound):
    """Each is looked at when it is decided whether anything has changed."""
    paths = [sound / "nine" / unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD")]
    for number, path in enumerate(paths):
        corpus.gray(6, number).save(path)
    before = accepted(take(sound)).folder
    for number, path in enumerate(paths):
        corpus.gray(6, number + 2).save(path)
        line = take(sound).done.errors[-1]
        assert line.startswith("✓"), line
    assert before.is_dir()


def test_explain_lists_them_on_clean_lines(pix2pocket, sound, tmp_path):
    words = ("ingest.dataset=folder", f"ingest.path={sound}", "--artifacts", tmp_path / "artifacts")
    assert pix2pocket("run", *words[:2], "--until", "ingest", *words[2:]).code == 0
    corpus.gray(6, 0).save(sound / "nine" / "\x1b[2J\n.png")
    done = pix2pocket("explain", *words)
    assert done.code == 0, done.err
    assert r"file added: nine/\x1b[2J\n.png" in done.out
    assert "\x1b" not in done.out
