"""The list of past runs: nothing cut, nothing needed that an earlier report may not hold."""

from pipeline.show.past import cells, lines


def test_columns_stand_under_their_heads_and_no_id_is_cut(facts):
    long = facts | {"name": "n" * 100, "id": "20261103T101500-ab12ef"}
    head, first, second = lines([facts, long])
    assert long["name"] in second
    assert long["id"] in second
    for name in ("id", "ships", "pictures", "created"):
        assert first[head.index(name) - 1] == second[head.index(name) - 1] == " "
    assert first.split()[:8] == [
        *("digits", "20261103-ab12", "int8", "98.61", "%", "36.1", "kB", "12.3"),
    ]


def test_a_run_that_recommends_nothing_and_a_report_of_few_words_have_dashes(facts):
    assert cells(facts | {"recommended": None})[2:6] == ("–",) * 4
    several = facts | {"dataset": facts["dataset"] | {"multi_label": True}}
    assert cells(several)[3] == "98.61 % (exact match)"
    few = {"name": "old", "id": "1", "created": "2026"}
    assert cells(few) == ("old", "1", "–", "–", "–", "–", "–", "2026")


def test_there_are_no_lines_of_no_runs():
    assert lines([]) == []
