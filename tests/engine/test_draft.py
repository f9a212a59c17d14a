"""Drafts: the recipe reads back as what was meant, whatever pictures and classes are called."""

import json
import os
from pathlib import Path

import pytest
import yaml

from pipeline.config import Config
from pipeline.data.sources.places import printable
from pipeline.draft import dump, init
from pipeline.errors import ConfigError, DataError, ResourceError
from pipeline.stages import ingest
from tests.front_door import picture_of
from tests.picture_folders import digit_folder, photo_folder

HOSTILE = (
    "two\nname: evil\nseed: 7",
    "# comment",
    "a: {b: 'c\"",
    "照片 [red]",
    "&a *b !!x",
    "- \u2028 \x85 \x07",
    "{", "~",
)  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory of its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def plain(file):
    """A recipe's values, by a YAML reader that is not ours."""
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def test_a_draft_of_digits_says_what_was_seen_and_reads_back(here):
    before = picture_of(digit_folder(here / "my digits"))
    draft = init(Path("my digits"))
    assert draft.file == Path("my-digits.yaml")
    config = Config.load(draft.file)
    assert config.name == "my-digits"
    assert (config.ingest.dataset, config.ingest.path) == ("folder", Path("my digits"))
    assert (config.ingest.size, config.ingest.color) == (8, "gray")
    opening = draft.text.split("\n\n")[0]
    assert "# my-digits: 600 pictures in 10 classes" in opening
    assert "#   python run_pipeline.py run my-digits.yaml" in opening.splitlines()
    assert "size: 8                  # all 600 opened are 8x8" in draft.text
    assert max(map(len, draft.text.splitlines())) <= 100
    assert picture_of(here / "my digits") == before


def test_a_path_is_kept_as_it_is_given(here):
    photo_folder(here / "photos", {"temple": 9, "flower": 9})
    init(here / "photos", Path("absolute.yaml"))
    init(Path("../here/photos"), Path("relative.yaml"))
    assert plain(Path("absolute.yaml"))["ingest"]["path"] == str(here / "photos")
    assert plain(Path("relative.yaml"))["ingest"]["path"] == "../here/photos"
    assert "# relative to the folder" in Path("relative.yaml").read_text()
    assert "# relative to the folder" not in Path("absolute.yaml").read_text()


def test_hostile_names_stay_in_comments_and_values(here):
    root = here / "# 照片: '\n\"a\nname: evil\x85"
    for number, name in enumerate(HOSTILE):
        digit_folder(root / name, range(number, 40 + number))
    digit_folder(root, range(1))  # a class too small, so that the others are listed
    draft = init(Path(root.name))
    config = Config.load(draft.file)
    assert config.ingest.path == Path(root.name)
    assert (config.name, config.seed, draft.file.name) == ("a-name-evil", 0, "a-name-evil.yaml")
    assert set(plain(draft.file)) == {"ingest", "augment", "build", "train", "prune", "variants"}
    assert "classes" not in plain(draft.file)["ingest"]
    (line,) = (line for line in draft.text.splitlines() if line.startswith("  # classes: "))
    as_listed = sorted(map(printable, HOSTILE))
    assert yaml.safe_load(line.removeprefix("  # ")) == {"classes": as_listed}


@pytest.mark.parametrize("text", [*HOSTILE, "", "a, b", "null", "1", "'", '"', "x\x85", " x "])
def test_a_value_is_dumped_on_one_line_and_reads_back(text):
    for value in (text, [text, "b"]):
        line = dump("path", value)
        assert len(line.splitlines()) == 1
        assert yaml.safe_load(f"a:\n  {line}  # why") == {"a": {"path": value}}


def test_a_folder_whose_name_is_no_text_is_drafted_and_ingested(here):
    os.mkdir(b"caf\xe9")  # noqa: PTH102  # Path takes no bytes
    root = Path(os.fsdecode(b"caf\xe9"))
    photo_folder(root, {"temple": 5, "flower": 5})
    draft = init(root)
    assert Config.load(draft.file).ingest.path == root
    assert draft.file.name == "caf.yaml"
    (here / "out").mkdir()
    ingest.run(Config.load(draft.file).ingest, {}, here / "out")
    facts = json.loads((here / "out" / "dataset.json").read_text(encoding="utf-8"))
    assert facts["name"] == r"caf\xe9"


def test_a_name_without_letters_we_can_use_is_pictures(here):
    photo_folder(here / "照片", {"temple": 5, "flower": 5})
    assert init(Path("照片")).file == Path("pictures.yaml")
    draft = init(Path("照片"), Path("照片.yaml"))
    assert Config.load(draft.file).name == "pictures"
    draft = init(Path("照片"), Path("b.yaml"), "mine")
    assert Config.load(draft.file).name == "mine"


def test_nothing_is_overwritten_nor_written_among_the_pictures(here):
    photo_folder(here / "photos", {"temple": 5, "flower": 5})
    (here / "photos.yaml").write_text("mine")
    (here / "link.yaml").symlink_to("nowhere")
    (here / "inside").symlink_to("photos")
    before = picture_of(here)
    for out, message in (
        (None, "photos.yaml is there already; give --out"),
        ("link.yaml", "link.yaml is there already"),
        ("photos/a.yaml", "among the pictures"),
        ("inside/a.yaml", "among the pictures"),
        ("absent/a.yaml", "there is no folder absent"),
    ):
        with pytest.raises(ConfigError, match=message):
            init(Path("photos"), out and Path(out))
    with pytest.raises(ConfigError, match="among the pictures; give --out FILE outside of it"):
        init(Path())
    with pytest.raises(ConfigError, match="--name: name: "):
        init(Path("photos"), None, "../x")
    with pytest.raises(DataError, match="no folders in it"):
        init(Path("photos/temple"), Path("a.yaml"))
    assert picture_of(here) == before


def test_a_disk_that_cannot_be_written_is_said(here):
    photo_folder(here / "photos", {"temple": 5, "flower": 5})
    with pytest.raises(ResourceError, match="cannot be written: File name too long; give --out"):
        init(Path("photos"), Path("x" * 300), "x")


def test_a_table_may_lie_beside_its_draft(here):
    digit_folder(here / "files", range(60), classes=2)
    rows = [f"{file},{file.parent.name}" for file in sorted(Path("files").rglob("*.png"))]
    Path("set.csv").write_text("\n".join(["path,label", *rows]))
    draft = init(Path("set.csv"))
    assert draft.file == Path("set.yaml")
    assert plain(draft.file)["ingest"]["dataset"] == "table"
