"""What reports say of networks that answer together, and of those they taught."""

import json
import re

import pytest
from pydantic import ValidationError

from pipeline.show.ensembles import Ensemble, Features, matched, told
from pipeline.show.report import render

MEMBERS = [
    {"val_accuracy": 0.90, "val_loss": 0.31, "weight": 0.75},
    {"val_accuracy": 0.86, "val_loss": 0.40, "weight": 0.25},
    {"val_accuracy": 0.88, "val_loss": 0.35, "weight": 0.0},
]
FITTED = {
    "name": "ensemble.weighted",
    "method": "bagging",
    "combine": "weighted",
    "params": 19_158,
    "members": MEMBERS,
    "val_accuracy": 0.95,
    "val_loss": 0.2,
    "unseen": {"val_accuracy": 0.915, "val_loss": 0.28},
}
PUPIL = {
    "name": "ensemble+distill",
    "network": "lenet5",
    "params": 6386,
    "val_accuracy": 0.91,
    "teacher_params": 19_158,
    "teacher_val_accuracy": 0.93,
    "agreement": 0.9725,
}

PAIRS = [
    {"pupil": "re_lu", "teacher": "act_b", "size": [8, 8], "before": 0.3712, "after": 0.0125},
    {"pupil": "pool<b>", "teacher": "pool", "size": [], "before": 1.0, "after": 0.25},
]
MATCHED = PUPIL | {
    "name": "distill.near",
    "features": {"method": "hints", "weight": 2.5, "members": 3, "pairs": PAIRS},
}


@pytest.fixture
def pages(make, figures_dir, tmp_path):
    """The report as page and as Markdown."""

    def rendered(**facts):
        render(make(**facts), figures_dir, tmp_path)
        return [(tmp_path / f"report.{kind}").read_text() for kind in ("html", "md")]

    return rendered


def test_what_was_fitted_on_validation_is_judged_where_it_was_not():
    lines = told(Ensemble.model_validate(FITTED))
    assert lines[0] == (
        "3 networks, each trained on pictures drawn anew with replacement; together: the weighted "
        "mean of their probabilities."
    )
    assert lines[1] == (
        "On validation 91.50 %: 1.50 points above the best of them, 3.50 points above their mean."
    )
    assert "read 95.00 % that way" in lines[2]
    assert lines[3] == "1 of them has no part in it."


def test_one_that_gains_nothing_is_not_praised():
    voted = FITTED | {"combine": "soft_voting", "unseen": None, "val_accuracy": 0.87}
    lines = told(Ensemble.model_validate(voted))
    assert "3.00 points below the best of them, 1.00 points below their mean" in lines[1]
    level = told(Ensemble.model_validate(voted | {"val_accuracy": 0.9}))
    assert "level with the best of them" in level[1]
    assert not [line for line in level if "fitted" in line]


def test_page_and_markdown_have_every_member_and_pupil(pages):
    for text in pages(ensembles=[FITTED], pupils=[PUPIL]):
        for said in ("Together", "ensemble.weighted", "86.00 %", "0.4000", "75.0 %", "91.50 %"):
            assert said in text, said
        for said in ("ensemble+distill", "lenet5", "6,386", "19,158", "93.00 %", "97.25 %"):
            assert said in text, said
        assert "1.50 points above the best of them" in text


def test_page_and_markdown_say_which_layers_were_matched_and_how_near_they_came(pages):
    page, markdown = pages(pupils=[PUPIL, MATCHED])
    for text in (page, markdown):
        assert text.count("distance before") == 1, "one of the two matched none"
        assert "2 layers matched to those of 3 members by hints" in text
        assert "with weight 2.5 in the loss" in text
        for said in ("re_lu", "act_b", "8×8", "0.3712", "0.0125", "vector", "0.2500"):
            assert said in text, said
    assert "pool<b>" not in page


def test_one_layer_and_one_teacher_read_as_one():
    features = MATCHED["features"] | {"method": "attention", "members": 1, "pairs": PAIRS[:1]}
    line = matched(Features.model_validate(features))
    assert line.startswith("Beside answers, one layer matched to its teacher's by attention")


def test_matching_of_nothing_is_refused():
    with pytest.raises(ValidationError):
        Features.model_validate(MATCHED["features"] | {"pairs": []})


def test_a_run_without_any_has_no_such_section(pages, report):
    page, markdown = pages()
    assert 'id="ensembles"' not in page
    assert not re.search(r"^## Together", markdown, re.MULTILINE)
    assert not {"ensembles", "pupils"} & set(json.loads(report.to_json()))


def test_hostile_names_of_presets_are_text(pages):
    page, _ = pages(ensembles=[FITTED | {"name": "ensemble.<script>alert(9)</script>"}])
    assert "<script>alert(9)" not in page


def test_parts_that_make_no_whole_are_refused():
    members = [one | {"weight": 0.5} for one in MEMBERS]
    with pytest.raises(ValidationError, match=r"weights of members sum to 1\.5"):
        Ensemble.model_validate(FITTED | {"members": members})
