import os
from pathlib import Path

import pytest

from pipeline.data.sources import Remark
from pipeline.data.sources.walk import File, hidden, inside, printable, walk


def below(root):
    """What a walk finds: the paths of files, and the reasons for what is none."""
    found = list(walk(root))
    files = [one.where for one in found if isinstance(one, File)]
    return files, {one.where: one.reason for one in found if isinstance(one, Remark)}


@pytest.fixture
def root(tmp_path):
    for name in ("cats/2.png", "cats/10.png", "dogs/deep/er/1.png", "notes.txt"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "root"


def test_every_file_is_found_once_sorted_by_name(root):
    files, remarks = below(root)
    assert files == ["cats/10.png", "cats/2.png", "dogs/deep/er/1.png", "notes.txt"]
    assert remarks == {}


def test_what_systems_leave_in_folders_is_left_out(root):
    for name in (".DS_Store", "cats/._2.png", "Thumbs.db", "dogs/desktop.ini", ".git/config"):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "2.png").write_bytes(b"x")
    assert below(root)[0] == ["cats/10.png", "cats/2.png", "dogs/deep/er/1.png", "notes.txt"]
    assert hidden("Thumbs.db")
    assert not hidden("thumbs.png")


def test_links_inside_the_folder_are_followed(root):
    (root / "cats" / "again.png").symlink_to("2.png")
    (root / "kittens").symlink_to("cats")
    files, remarks = below(root)
    assert files[:5] == [
        "cats/10.png",
        "cats/2.png",
        "cats/again.png",
        "dogs/deep/er/1.png",
        "kittens/10.png",
    ]
    assert remarks == {}


def test_links_that_leave_lead_nowhere_or_go_round_are_named_and_not_followed(root, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "root2").mkdir()
    (root / "out.png").symlink_to("../secret.png")
    (root / "beside").symlink_to(tmp_path / "root2")
    (root / "etc").symlink_to("/etc")
    (root / "gone.png").symlink_to("absent.png")
    (root / "dogs" / "deep" / "up").symlink_to("../../dogs")
    (root / "self").symlink_to("self")
    files, remarks = below(root)
    assert len(files) == 4
    assert remarks.keys() == {"out.png", "beside", "etc", "gone.png", "dogs/deep/up", "self"}
    assert {remarks[name] for name in ("out.png", "beside", "etc")} == {
        "a link that leaves the folder"
    }
    assert remarks["gone.png"] == remarks["self"] == "a link that leads nowhere"
    assert remarks["dogs/deep/up"] == "a link back to a folder it lies in"


def test_a_root_that_is_a_link_is_walked(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    assert below(tmp_path / "link") == below(root)


def test_what_is_neither_file_nor_folder_is_named(root):
    os.mkfifo(root / "cats" / "pipe.png")
    assert below(root)[1] == {"cats/pipe.png": "not a regular file"}


def test_a_folder_beside_with_the_same_beginning_is_not_inside():
    assert inside("/a/b", "/a/b/c")
    assert not inside("/a/b", "/a/bc")
    assert not inside("/a/b", "/a/b")


def test_any_name_can_be_printed(root):
    odd = os.fsdecode(b"cats/caf\xe9.png")
    (root / odd).write_bytes(b"x")
    (root / "cats" / "cafe\u0301.png").write_bytes(b"x")
    files, _ = below(root)
    assert {"cats/caf\\xe9.png", "cats/caf\u00e9.png"} <= set(files)
    assert all(name.encode() for name in files)
    paths = [Path(one.path) for one in walk(root)]
    assert all(path.is_file() for path in paths)
    assert printable("naïve") == "naïve"
