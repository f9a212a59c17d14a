import json
import os

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
        "pipeline/room/help.py": "from pipeline.errors import E\ndef aid(x):\n    return x\n",
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
    assert "pipeline.errors" not in reached()


def test_only_the_network_that_is_named_counts(project):
    assert "models.a" not in reached()
    chosen = reached(words({"build": {"model": "a"}}))
    assert "models.a" in chosen
    assert "models.b" not in chosen


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


def test_a_folder_is_known_by_all_its_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"one")
    before = fingerprint.fingerprint([tmp_path], file_digest)
    assert set(before) == {"a/1.png"}
    (tmp_path / "a" / "2.png").write_bytes(b"two")
    assert set(fingerprint.fingerprint([tmp_path], file_digest)) == {"a/1.png", "a/2.png"}


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


def test_a_memo_that_cannot_be_read_is_started_anew(tmp_path):
    memo_file = tmp_path / "memo.json"
    memo_file.write_text("{broken")
    path = tmp_path / "photo"
    path.write_bytes(b"x")
    memo = FileMemo(memo_file)
    memo.digest(path)
    memo.save()
    assert list(json.loads(memo_file.read_text())) == [str(path)]
