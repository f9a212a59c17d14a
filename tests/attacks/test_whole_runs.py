"""From a hostile corpus to the report: names stay names in every file, few pictures are enough."""

import csv
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from huggingface_hub import ModelCard

from tests.attacks import corpus
from tests.front_door import SMALL, call, ran

NAMES = ("<script>alert(1)</script>", "=cmd|' /C calc'!A0", "手写数字", "two\nlines")
SHOWN = ("<script>alert(1)</script>", "=cmd|' /C calc'!A0", "手写数字", r"two\nlines")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-]?\d[\d.e+-]*")
pytestmark = pytest.mark.slow


def report_of(folder, *words):
    """Run a table to its report; give its folder."""
    said = ("ingest.dataset=table", f"ingest.path={folder / 'photos' / 'table.csv'}", "name=set")
    quick = ("ingest.size=16", "variants=[float32, int8]", *SMALL)
    done = call("run", *said, *quick, *words, artifacts=folder / "artifacts")
    assert done.code == 0, done.err
    assert "Traceback" not in done.out + done.err
    assert {line[0] for line in done.errors} == {"✓", " "}, done.err  # " ": an epoch
    assert "report" in ran(done)
    return folder / "artifacts" / "set"


def table_of(folder, names, each):
    """Write pictures and a table that labels them with any names."""
    (folder / "photos").mkdir()
    with (folder / "photos" / "table.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "label"])
        for place, name in enumerate(names):
            for number in range(each):
                picture = f"{place}-{number}.png"
                corpus.gray(place, number).save(folder / "photos" / picture)
                rows.writerow([picture, name])


@pytest.fixture(scope="module")
def nasty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nasty")
    table_of(folder, NAMES, 40)
    before = corpus.snapshot(folder / "photos")
    report = report_of(folder)
    assert corpus.snapshot(folder / "photos") == before
    return report


class Page(HTMLParser):
    """A page as a browser takes it: attributes of its elements, its text, and what it runs."""

    def __init__(self, text):
        super().__init__()
        self.element, self.attributes, self.text, self.run = "", set(), "", ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.element = tag
        self.attributes |= {name for name, _ in attributes}

    def handle_endtag(self, tag):
        self.element = ""

    def handle_data(self, text):
        if self.element == "script":
            self.run += text
        else:
            self.text += text


def test_the_page_holds_the_names_as_text_and_runs_none(nasty):
    content = (nasty / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in content
    page = Page(content)
    assert "alert" not in page.run
    assert not [name for name in page.attributes if name.startswith("on")]
    for name in SHOWN:
        assert name in page.text, name


def test_a_spreadsheet_meets_no_formula(nasty):
    for path in nasty.rglob("*.csv"):
        with path.open(newline="", encoding="utf-8-sig") as stream:
            cells = [cell for row in csv.reader(stream) for cell in row]
        started = [
            cell for cell in cells if cell.startswith(FORMULA) and not NUMBER.fullmatch(cell)
        ]
        assert not started, path


def test_the_facts_hold_the_names_as_they_are_shown(nasty):
    report = json.loads((nasty / "report.json").read_text(encoding="utf-8"))
    assert sorted(report["dataset"]["classes"]) == sorted(SHOWN)
    assert {"report.html", "report.md", "report.csv", "model_card.md"} <= {
        path.name for path in nasty.iterdir()
    }


def test_the_card_reads_back_and_its_lines_name_the_classes(nasty):
    card = ModelCard.load(nasty / "model_card.md")
    assert card.data.library_name == "litert"
    assert card.data.eval_results[0].metric_type == "accuracy"
    code = re.search(r"```python\n(.*?)\n```", card.text, re.DOTALL)[1]
    corpus.gray(2, 0).save(nasty / "photo.png")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=nasty, env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    (nasty / "photo.png").unlink()
    said = [line.rpartition(": ")[0] for line in done.stdout.splitlines()]
    assert len(said) == 3
    assert set(said) < set(json.loads((nasty / "report.json").read_text())["dataset"]["classes"])


def test_no_figure_warns_and_no_file_holds_a_control_character(nasty):
    log = (nasty / "run.log").read_text(encoding="utf-8")
    assert "Warning" not in log
    for name in ("report.html", "report.md", "report.csv", "report.json", "model_card.md"):
        text = (nasty / name).read_text(encoding="utf-8")
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text), name


@pytest.mark.parametrize(("each", "batch"), [(3, 64), (5, 7)])
def test_fewer_pictures_than_a_batch_are_enough(tmp_path, each, batch):
    """Three pictures of each class, one in each split, is the least there can be."""
    table_of(tmp_path, ("one", "two"), each)
    report = report_of(tmp_path, f"train.batch={batch}")
    facts = json.loads((report / "report.json").read_text())
    parts = [facts["dataset"][part] for part in ("train", "validation", "test")]
    assert sum(parts) == 2 * each
    assert min(parts) >= 2
    assert [variant["status"] for variant in facts["variants"]] == ["ok", "ok"]
