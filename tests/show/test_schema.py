"""What a report may hold and what it may not."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.show.schema import Report, json_schema

SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"


def test_the_published_schema_is_current():
    """Write it anew with `json_schema()` where this fails, and say so in the changelog."""
    assert SCHEMA.read_text(encoding="utf-8") == json_schema()


def test_a_report_read_back_is_the_same_report(report):
    text = report.to_json()
    assert Report.model_validate_json(text) == report
    assert Report.model_validate_json(text).to_json() == text


def test_json_carries_the_names_of_the_design(report, facts):
    written = json.loads(report.to_json())
    assert next(iter(written)) == "schema"
    assert written["schema"] == 1
    assert written["created"] == "2026-11-03T10:15:00Z"
    assert written["evaluation"]["per_class"][0]["class"] == "0"
    assert written["variants"][1]["accuracy"] == facts["variants"][1]["accuracy"]
    assert written["variants"][1]["latency_us"] == facts["variants"][1]["latency_us"]


def test_seeds_are_written_only_where_there_were_several(make, facts):
    assert "seeds" not in json.loads(make().to_json())["variants"][0]
    facts["variants"][0]["seeds"] = {"n": 3, "mean": 0.98, "sd": 0.002}
    written = json.loads(Report.model_validate(facts).to_json())["variants"][0]
    wanted = {"n": 3, "mean": 0.98, "sd": 0.002, "validation_accuracy": None, "drop_pp": None}
    assert written["seeds"] == wanted


def test_names_of_every_script_stay_readable_in_json(make, facts):
    text = make(dataset=facts["dataset"] | {"name": "猫"}).to_json()
    assert "猫" in text


def test_the_audit_is_written_as_ingest_left_it(report, troubled):
    written = json.loads(report.to_json())["dataset"]["audit"]
    assert written == troubled | {"labels_per_picture": None}


@pytest.mark.parametrize(
    "change", [{"bad_fraction": 3.0}, {"found": -1}, {"surprise": 1}, {"moved": None}], ids=str
)
def test_an_audit_that_cannot_be_true_is_refused(facts, change):
    facts["dataset"]["audit"] |= change
    with pytest.raises(ValidationError):
        Report.model_validate(facts)


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": 98.6},
        {"accuracy": float("nan")},
        {"drop_pp": float("inf")},
        {"accuracy_ci95": [0.9, 0.8]},
        {"accuracy_ci95": [0.9, 1.1]},
        {"bytes": -1},
        {"bytes": None},
        {"status": "fine"},
        {"status": "failed", "reason": None},
        {"speed": 3},
        {"sha256": "short"},
    ],
    ids=str,
)
def test_a_row_that_cannot_be_true_is_refused(facts, change):
    facts["variants"][0] |= change
    with pytest.raises(ValidationError):
        Report.model_validate(facts)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"recommended": "nobody"},
        {"recommended": "qat"},
        {"created": "2026-11-03T10:15:00"},
        {"created": "2026-11-03T10:15:00+02:00"},
        {"config": {"deep": [{"rate": float("nan")}]}},
        {"figures": [{"file": "../secret.png", "title": "", "alt": ""}]},
        {"surprise": 1},
    ],
    ids=str,
)
def test_a_report_that_cannot_be_true_is_refused(make, change):
    with pytest.raises(ValidationError):
        make(**change)


def test_a_variant_stands_once(make, facts):
    with pytest.raises(ValidationError, match="variant int8 stands more than once"):
        make(variants=[*facts["variants"], facts["variants"][1]])


def test_a_failed_row_needs_no_numbers(report):
    assert report.variants[3].bytes is None


def test_nothing_recommended_is_a_report_too(make):
    assert make(recommended=None).best is None
