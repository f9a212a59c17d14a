"""`init` as a user meets it: real folders of pictures, the recipe it writes, and a run of that."""

import json
import subprocess
import sys

import pytest

from tests.front_door import ROOT, SMALL, call, picture_of, steps
from tests.picture_folders import digit_folder, photo_folder


def test_a_folder_becomes_a_recipe_that_ingests_it(tmp_path):
    root = photo_folder(
        tmp_path / "photos", {"temple": 60, "flower": 40}, sizes=((64, 48), (48, 64), (90, 70))
    )
    before = picture_of(root)
    done = call("init", "photos", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert [line.rstrip() for line in done.out.splitlines()] == [
        "read as folder: a folder of pictures",
        "class       pictures",
        "temple            60",
        "flower            40",
        "photos.yaml is written; next:",
        "  python run_pipeline.py run photos.yaml",
    ]
    done = call("run", "photos.yaml", "--until", "ingest", artifacts="a", cwd=tmp_path)
    assert (done.code, steps(done)) == (0, {"ingest": "ran"}), done.err
    facts = json.loads(next((tmp_path / "a").rglob("dataset.json")).read_text())
    assert (facts["shape"], facts["classes"]) == ([48, 48, 3], ["flower", "temple"])
    assert facts["train"] + facts["validation"] + facts["test"] == 100
    assert picture_of(root) == before


def test_given_splits_bad_files_and_odd_names_are_shown(tmp_path):
    root = tmp_path / "photos"
    digit_folder(root / "train", range(120), classes=2)
    digit_folder(root / "test", range(120, 160), classes=2)
    (root / "train" / "1").rename(root / "train" / "[red]\nx: 1")
    (root / "test" / "1").rename(root / "test" / "[red]\nx: 1")
    (root / "train" / "0" / "bad.png").touch()
    done = call("init", root, "--out", "set.yaml", cwd=tmp_path)
    assert done.code == 0, done.err
    _, head, *rows = done.out.splitlines()
    assert head.split() == ["class", "pictures", "train", "test"]
    assert sorted(row.split()[0] for row in rows[:2]) == ["0", r"[red]\nx:"]
    assert any(
        "1 of 33 opened cannot be read, such as train/0/bad.png: empty" in row for row in rows
    )
    assert "next:" in rows[-2]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["absent"], 3, "absent: no such file or folder"),
        (["one"], 3, "one: pictures of one class only (temple); two are needed to tell apart"),
        (["one", "--out", "one/a.yaml"], 2, "one/a.yaml would lie in one, among the pictures"),
        (["one", "--name", "a b"], 2, "--name: name: string should match pattern"),
        (["one/temple/0000.png"], 2, "expected a folder of pictures"),
        ([], 2, "Missing argument 'FOLDER'"),
    ],
)
def test_what_cannot_be_drafted_is_one_line(tmp_path, arguments, code, says):
    photo_folder(tmp_path / "one", {"temple": 3, "flower": 0})
    before = picture_of(tmp_path)
    done = call("init", *arguments, cwd=tmp_path)
    assert (done.code, done.out, len(done.errors)) == (code, "", 1)
    assert done.errors[0].startswith("error: ")
    assert says in done.errors[0]
    assert picture_of(tmp_path) == before


def test_looking_loads_no_tensorflow(tmp_path):
    digit_folder(tmp_path / "photos", range(60), classes=2)
    words = ["init", str(tmp_path / "photos"), "--out", str(tmp_path / "a.yaml")]
    code = f"""
import sys
import run_pipeline
sys.argv[1:] = {words!r}
code = run_pipeline.main()
print("loaded", code, sorted(set(sys.modules) & {{"tensorflow", "keras", "tf_keras", "sklearn"}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded 0 []"


@pytest.mark.slow
def test_a_drafted_recipe_goes_the_whole_way(tmp_path):
    digit_folder(tmp_path / "digits")
    assert call("init", "digits", cwd=tmp_path).code == 0
    done = call("run", "digits.yaml", artifacts="a", cwd=tmp_path)
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "a" / "digits" / "report.json").read_text())
    rows = {row["name"]: row for row in report["variants"]}
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert rows["float32"]["accuracy"] > 0.94
    assert abs(rows["int8"]["drop_pp"]) < 2


@pytest.mark.slow
def test_the_recipe_for_a_folder_of_photos_goes_the_whole_way(tmp_path):
    digit_folder(tmp_path / "digits", range(360), classes=4)
    words = ("ingest.path=digits", "name=mine", "ingest.size=16", "train.epochs=10", *SMALL[1:])
    recipe = ROOT / "configs" / "folder.yaml"
    done = call("run", recipe, *words, "prune.epochs=6", artifacts="a", cwd=tmp_path)
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "a" / "mine" / "report.json").read_text())
    assert report["dataset"]["classes"] == ["0", "1", "2", "3"]
    assert {row["status"] for row in report["variants"]} == {"ok"}
    assert report["variants"][0]["accuracy"] > 0.7
