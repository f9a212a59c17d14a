"""Sentences about numbers."""

import pytest

from pipeline.show import words
from pipeline.show.schema import Report


def test_the_headline_is_the_whole_answer(report):
    wanted = "Ship int8: 98.61 % [96.9–99.4], 36.1 kB (0.31×), 12.3 µs (0.41×)"
    assert words.headline(report) == wanted


def test_without_a_recommendation_nothing_is_shipped(make):
    assert words.headline(make(recommended=None)) == "No variant to ship"


@pytest.mark.parametrize(
    ("p", "drop", "said"),
    [
        (0.625, 0.28, "may well be luck (McNemar p = 0.62)"),
        (0.031, 0.28, "worse, and hardly by luck (McNemar p = 0.031)"),
        (1e-9, -0.5, "better, and hardly by luck (McNemar p < 0.001)"),
        (1.0, 0.0, "reads as many right"),
    ],
)
def test_mcnemar_is_said_in_plain_words(facts, p, drop, said):
    facts["variants"][1] |= {"mcnemar_p": p, "drop_pp": drop}
    sentence = words.comparison(Report.model_validate(facts).variants[1])
    assert said in sentence


def test_float32_and_failed_rows_are_not_compared(report):
    assert words.comparison(report.variants[0]) is None
    assert words.comparison(report.variants[3]) is None


def test_one_run_is_called_one_run(report, facts):
    assert any("one training run" in line for line in words.how_sure(report))
    facts["variants"][1]["seeds"] = {"n": 5, "mean": 0.98, "sd": 0.002}
    lines = words.how_sure(Report.model_validate(facts))
    assert any("5 seeds" in line for line in lines)


def test_latency_comes_with_its_protocol_and_its_limits(report):
    text = " ".join(words.how_measured(report))
    assert "200 timed runs on 1 thread, all files in turns" in text
    assert "x86 figures are not a phone's" in text
    assert "AMX" not in text


@pytest.mark.parametrize(
    ("amx", "said"), [("off", "was kept out"), ("on", "could not be kept out"), ("none", None)]
)
def test_a_matrix_unit_that_no_phone_has_is_told_of(facts, amx, said):
    facts["machine"]["amx"] = amx
    told = [line for line in words.how_measured(Report.model_validate(facts)) if "AMX" in line]
    assert len(told) == (said is not None)
    assert all(said in line for line in told)


def test_bytes_among_the_facts_read_as_sizes():
    assert words.named("memory_bytes", 8_000_000_000) == ("memory", "8.00 GB")
    assert words.named("cpu_cores", 2) == ("cpu cores", "2")
    assert words.named("load", 4.306640625) == ("load", "4.307")
    assert words.named("most_threads", None) == ("most threads", "–")


def test_the_command_survives_odd_names(make):
    assert words.again("my run")[1] == "python run_pipeline.py run 'my run.yaml'"
