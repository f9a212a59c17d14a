"""What a report says of where the network looked."""

import json

import pytest

from pipeline.show import words
from pipeline.show.report import render
from pipeline.show.schema import Report

FOUND = {"layers": ["re_lu_2"], "size": [2, 3], "score": "logit", "pictures": 4}
TOLD = (
    "Grad-CAM is drawn of 4 wrong pictures, from re_lu_2, 2 × 3 places, by the gradient of the "
    "class's logit."
)
NONE = "No layer of this network makes a feature map of more than one place"


@pytest.fixture
def of(facts):
    """A report of a network that was looked at so."""

    def make(found):
        evaluation = facts["evaluation"] | {"attribution": found}
        return Report.model_validate(facts | {"evaluation": evaluation})

    return make


def test_page_and_markdown_say_where_maps_come_from_and_json_holds_it(of, figures_dir, tmp_path):
    render(of(FOUND), figures_dir, tmp_path)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text(encoding="utf-8").replace("&#39;", "'")
        assert text.replace(r"re_lu", "re_lu").count(TOLD) == 1, name
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert written["evaluation"]["attribution"] == FOUND


def test_a_network_without_maps_is_told_so_quietly(of, figures_dir, tmp_path):
    render(of({"layers": [], "pictures": 0}), figures_dir, tmp_path)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.count(NONE) == 1
        assert "is drawn of" not in text


def test_members_of_an_ensemble_and_what_stands_in_for_a_logit_are_named(of):
    both = FOUND | {"layers": ["member_1_x", "member_2_x"], "score": "log_probability"}
    told = words.attribution(of(both))
    assert "from member_1_x, member_2_x, 2 × 3 places" in told
    assert "gradient of the class's log probability" in told


def test_nothing_is_said_where_nothing_was_asked_or_nothing_was_wrong(of, report):
    assert words.attribution(report) is None
    assert words.attribution(of(None)) is None
    assert words.attribution(of(FOUND | {"pictures": 0})) is None


def test_a_layers_name_cannot_turn_the_line(of, figures_dir, tmp_path):
    render(of(FOUND | {"layers": ["<b>\u202e|"]}), figures_dir, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "from &lt;b&gt;\\u202e|, 2 × 3 places" in page
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert r"from &lt;b&gt;\\u202e\|, 2 × 3 places" in text
