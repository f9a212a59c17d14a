import json
import os
import sqlite3

import pytest

from pipeline import fingerprint
from pipeline.fingerprint import FileMemo, code, digest, file_digest, words


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project of its own: a stage, a helper it imports, a lazy table of two networks."""
    files = {
        "pipeline/__init__.py": "",
        "pipeline/stages/__init__.py": "",
        "pipeline/stages/work.py": '"""Doc."""\nfrom pipeline.room.help import aid\n'
        "def run():\n    from models import MODELS\n    return aid(MODELS)\n",
        "pipeline/room/__init__.py": "",
        "pipeline/settings/base.py": "x = 1\n",
        "pipeline/room/help.py": "from pipeline.errors import E\nimport pipeline.settings.base\n"
        "def aid(x):\n    return x\n",
        "pipeline/room/other.py": "x = 1\n",
        "pipeline/room/templates/page.html": "<p>",
        "pipeline/errors.py": "class E(Exception): ...\n",
        "models/__init__.py": 'MODELS = {"a": "models.a:a", "b": "models.b:b"}\n',
        "models/a.py": "def a(): ...\n",
        "models/b.py": "def b(): ...\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    return tmp_path


def reached(words=()):
    return code(["pipeline.stages.work"], words)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    os.utime(path, ns=(path.stat().st_mtime_ns + 10**6,) * 2)


def test_code_is_followed_through_imports_wherever_they_stand(project):
    assert {"pipeline.stages.work", "pipeline.room.help", "models"} <= set(reached())
    assert "pipeline.room.other" not in reached()


def test_the_engine_is_not_followed(project):
    assert not {"pipeline.errors", "pipeline.settings.base"} & set(reached())


def test_only_the_network_that_is_named_counts(project):
    assert "models.a" not in reached()
    chosen = reached(words({"build": {"model": "a"}}))
    assert "models.a" in chosen
    assert "models.b" not in chosen


def test_another_row_in_a_table_changes_nothing_and_another_target_does(project):
    table, settings = project / "models/__init__.py", words({"build": {"model": "a"}})
    before = reached(settings)
    edit(table, '"b": "models.b:b"', '"b": "models.b:b", "c": "models.b:c"')
    assert reached(settings) == before
    edit(table, '"a": "models.a:a"', '"a": "models.a:other"')
    assert set(reached(settings)) ^ set(before) == {"models.a:a", "models.a:other"}


def test_a_docstring_or_comment_does_not_count_and_code_does(project):
    before = reached()
    edit(project / "pipeline/stages/work.py", '"""Doc."""', '"""Another."""  # and a comment')
    assert reached() == before
    edit(project / "pipeline/room/help.py", "return x", "return not x")
    changed = {name for name, value in reached().items() if before[name] != value}
    assert changed == {"pipeline.room.help"}


def test_templates_beside_reached_code_count(project):
    before = reached()
    (project / "pipeline/room/templates/page.html").write_text("<b>")
    assert (
        before["pipeline/room/templates/page.html"]
        != reached()["pipeline/room/templates/page.html"]
    )


def test_a_digest_is_of_values_not_of_their_order():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": [1, 2]}) != digest({"a": [2, 1]})


def listed(files, digest):
    return dict(fingerprint.fingerprint(files, digest))


def test_a_source_is_known_by_all_its_files_and_their_names(tmp_path):
    one, two = tmp_path / "1.png", tmp_path / "2.png"
    one.write_bytes(b"one")
    before = listed([("a/1.png", one)], file_digest)
    assert before == {"a/1.png": file_digest(one)}
    two.write_bytes(b"two")
    both = listed(iter([("a/1.png", one), ("a/2.png", two)]), file_digest)
    assert both == before | {"a/2.png": file_digest(two)}
    assert listed([("b/1.png", one)], file_digest).keys() == {"b/1.png"}


def test_a_file_that_cannot_be_read_is_known_by_the_reason_until_it_can(tmp_path):
    path = tmp_path / "1.png"
    named = [("1.png", path)]
    before = listed(named, file_digest)
    assert before == {"1.png": "cannot be read: No such file or directory"}
    path.write_bytes(b"there")
    assert listed(named, file_digest) != before


def test_the_word_before_a_colon_names_a_row_too():
    assert {"tfds", "tfds:mnist"} <= words({"dataset": "tfds:mnist"})


def test_a_memo_reads_a_file_once_and_sees_it_change(tmp_path, monkeypatch):
    path, memo_file = tmp_path / "photo", tmp_path / "memo.json"
    path.write_bytes(b"before")
    memo = FileMemo(memo_file)
    first = memo.digest(path)
    memo.save()
    later = FileMemo(memo_file)
    monkeypatch.setattr(fingerprint, "file_digest", lambda _: pytest.fail("read again"))
    assert later.digest(path) == first
    monkeypatch.undo()
    path.write_bytes(b"after!")
    assert later.digest(path) == file_digest(path) != first


@pytest.mark.parametrize("content", ["{broken", "SQLite format 3\0" + "x" * 5000])
def test_a_memo_that_is_damaged_is_started_anew(tmp_path, monkeypatch, content):
    memo_file, path = tmp_path / "memo.db", tmp_path / "photo"
    memo_file.write_text(content)
    path.write_bytes(b"x")
    memo = FileMemo(memo_file)
    first = memo.digest(path)
    memo.save()
    monkeypatch.setattr(fingerprint, "file_digest", lambda _: pytest.fail("read again"))
    assert FileMemo(memo_file).digest(path) == first


def test_memos_of_several_processes_do_not_wait_for_each_other(tmp_path):
    one, other = (FileMemo(tmp_path / "memo.db") for _ in range(2))
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    assert one.digest(tmp_path / "a") == file_digest(tmp_path / "a")
    assert other.digest(tmp_path / "b") == file_digest(tmp_path / "b")
    other.save()
    one.save()
    assert len(sqlite_rows(tmp_path / "memo.db")) == 2


def test_a_memo_that_cannot_be_written_forgets_and_harms_nothing(tmp_path):
    (tmp_path / "photo").write_bytes(b"x")
    memo = FileMemo(tmp_path / "no such folder" / "memo.db")
    assert memo.digest(tmp_path / "photo") == file_digest(tmp_path / "photo")
    memo.save()
    assert not (tmp_path / "no such folder").exists()


def sqlite_rows(path):
    with sqlite3.connect(path) as table:
        return table.execute("SELECT * FROM files").fetchall()


def test_files_are_digested_as_they_come_and_copied_to_lines(tmp_path):
    pairs = [("a.png", "12"), ("b\udcff.png", "34")]
    with (tmp_path / "lines").open("w") as lines:
        whole = fingerprint.digest_lines(iter(pairs), lines)
    written = (tmp_path / "lines").read_text().splitlines()
    assert [json.loads(line) for line in written] == [list(pair) for pair in pairs]
    assert whole == fingerprint.digest_lines(pairs)
    assert whole != fingerprint.digest_lines(pairs[::-1])
    assert whole != fingerprint.digest_lines([("a.png", "12"), ("b\udcff.png", "35")])
