"""The table in the terminal."""

from pipeline.show.schema import Report
from pipeline.show.terminal import plain_table


def test_eighty_columns_hold_the_whole_table(report):
    lines = plain_table(report, width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["variant", "size", "accuracy", "drop", "latency", "time", "ratio"]
    wanted = ["→", "int8", "36.1", "kB", "98.61", "%", "[96.9–99.4]", "+0.28", "pp", "12.3", "µs"]
    assert lines[2].split() == [*wanted, "0.41×"]


def test_only_the_recommended_one_is_marked(report):
    assert plain_table(report).count("→") == 1


def test_a_failed_row_keeps_its_place_and_says_why(report):
    text = plain_table(report)
    assert "qat failed: out of luck" in text
    assert text.index("prune+int8") < text.index("qat")


def test_brackets_in_a_name_are_no_markup(facts):
    facts["variants"][3]["name"] = "[red]qat[/nonsense]"
    assert "[red]qat[/nonsense] failed" in plain_table(Report.model_validate(facts))


def test_long_names_fold_and_numbers_stay_whole(facts):
    facts["variants"][2]["name"] = "slim.hard+prune.hard+cluster+qat"
    lines = plain_table(Report.model_validate(facts), width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("99.17 % [97.5–100.0]" in line or "99.17 % [97.5–99.9]" in line for line in lines)
