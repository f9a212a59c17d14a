"""What reports say of a control."""

import json

import pytest

from pipeline.show.controls import Control, verdicts
from pipeline.show.replicas import Replica
from pipeline.show.report import render
from pipeline.show.slimming import Slimming, beside, unasked
from pipeline.show.variant import Variant
from tests.show.conftest import variant
from tests.show.test_slimming import FOUND

OWN, OTHER = "slim+int8", "slim+scratch+int8"


def told(gain, p, replicas=()):
    control = Control(name=OTHER, gain_pp=gain, mcnemar_p=p)
    (verdict,) = verdicts([("int8", ()), (OWN, [control])], replicas)
    assert (verdict.name, verdict.control, verdict.gain_pp) == (OWN, OTHER, gain)
    return verdict.told


def test_who_did_better_is_said_and_whether_it_may_be_luck():
    assert told(0.41, 0.0004) == (
        "slim+int8 is 0.41 points of test accuracy above slim+scratch+int8, hardly by luck "
        "(McNemar p < 0.001): what it kept was worth it."
    )
    worse = told(-0.41, 0.012)
    assert "0.41 points of test accuracy below slim+scratch+int8" in worse
    assert worse.endswith("training the same network from fresh weights is the better way here.")
    for gain in (0.1, -0.1):
        assert "may well be luck (McNemar p = 0.30): these pictures do not show" in told(gain, 0.3)
    assert "has the same test accuracy as slim+scratch+int8: these pictures" in told(0.0, 1.0)


def replica(number, own, other):
    rows = [{"name": OWN, "status": "ok", "accuracy": own}]
    rows += [
        {"name": OTHER, "status": "ok", "accuracy": other}
        if other
        else {"name": OTHER, "status": "failed", "reason": "the loss became NaN"}
    ]
    return Replica.model_validate({"number": number, "seed": number, "variants": rows})


def test_over_several_runs_the_difference_has_a_mean_and_a_spread():
    runs = [replica(1, 0.95, 0.94), replica(2, 0.95, 0.948), replica(3, 0.9, None)]
    assert told(1.0, 0.001, runs).endswith(" Over 2 runs the difference is +0.60 ± 0.57 points.")
    assert "runs" not in told(1.0, 0.001, runs[1:])


@pytest.fixture
def pages(make, figures_dir, tmp_path):
    def rendered(**facts):
        report = make(**facts)
        render(report, figures_dir, tmp_path)
        return report, *((tmp_path / f"report.{kind}").read_text() for kind in ("html", "md"))

    return rendered


def test_page_markdown_and_json_have_the_verdict(pages):
    control = {"name": OTHER, "gain_pp": -0.41, "mcnemar_p": 0.012}
    files = [variant("float32", 400_000, 0.98, 30.0), variant(OTHER, 60_000, 0.974, 12.0)]
    files += [variant(OWN, 60_000, 0.97, 12.0, controls=[control])]
    report, page, markdown = pages(variants=files, recommended=OWN)
    for text in (page, markdown):
        for said in ("Was it worth it?", "is the better way here", "-0.41 pp", "0.012"):
            assert said in text, said
    rows = {row["name"]: row for row in json.loads(report.to_json())["variants"]}
    assert rows[OWN]["controls"] == [control]
    assert "controls" not in rows[OTHER]


def test_a_run_without_controls_has_no_such_section(pages):
    _, page, markdown = pages()
    assert "Was it worth it?" not in page + markdown


def test_a_slimming_without_a_control_says_how_to_ask():
    found = Slimming.model_validate(FOUND)
    int8, narrow, control = (
        Variant.model_validate(variant(name, 9000, 0.9, 9.0)) for name in ("int8", OWN, OTHER)
    )
    (pair,) = pairs = beside(found, [int8, narrow, control])
    assert (pair.variant.name, pair.whole.name) == (OWN, "int8")
    assert "slim+scratch+int8 among the variants would tell" in unasked(pairs)
    held = narrow.model_copy(
        update={"controls": (Control(name=OTHER, gain_pp=0.1, mcnemar_p=1.0),)}
    )
    assert unasked(beside(found, [int8, held, control])) is None
    assert unasked([]) is None
