"""Two runs side by side: what each variant became, and what was said otherwise."""

import copy

import pytest

from pipeline.show.comparison import Difference, differences, lines, remarks
from pipeline.show.schema import Report
from tests.show.conftest import again


@pytest.fixture
def other(facts):
    """The same run again, with changes: facts, as those of the first."""
    return copy.deepcopy(facts)


def both(facts, other):
    return Report.model_validate(facts), Report.model_validate(other)


def test_each_variant_stands_with_both_rows_and_the_difference(facts, other):
    row = other["variants"][1]
    row |= {
        "accuracy": 359 / 360,
        "bytes": 18_052,
        "latency_us": row["latency_us"] | {"p50": 24.69},
    }
    found = list(lines(*both(facts, other)))
    assert [line.variant for line in found if line.variant] == [
        "float32",
        "int8",
        "prune+int8",
        "qat",
    ]
    first, second, difference = found[3:6]
    assert (first.variant, first.run, first.size, first.latency) == (
        "int8",
        "first",
        "36.1 kB",
        "12.3 µs",
    )
    assert first.accuracy.startswith("98.61 % [")
    assert (second.variant, second.run, second.size) == ("", "second", "18.1 kB")
    assert difference[2:] == ("+1.11 pp", "0.50×", "2.00×", "")
    assert found[-2:] == [
        ("qat", "first", "failed", "–", "–", "–"),
        ("", "second", "failed", "–", "–", "–"),
    ], "of what has no file there is no difference"


def test_a_variant_of_one_run_alone_stands_too(facts, other):
    del other["variants"][2]
    found = {(line.variant, line.run): line for line in lines(*both(facts, other))}
    assert found["prune+int8", "first"].size == "36.1 kB"
    rows = list(lines(*both(other, facts)))
    last = [line.variant for line in rows if line.variant][-1]
    assert last == "prune+int8"
    assert ("prune+int8", "first", "–", "–", "–", "–") in rows


def test_what_was_said_otherwise_is_listed_by_its_whole_name(facts, other):
    other["config"] = {"name": "digits", "train": {"epochs": 3, "new": [1, 2]}, "seed": 1}
    other["versions"] = {"keras": "3.16"}
    other["machine"] |= {"cpu": "another", "load": 3.0}
    other["dataset"] |= {"digest": "d2"}
    assert differences(*both(facts, other)) == [
        Difference("pictures", "d1", "d2"),
        Difference("train.epochs", "2", "3"),
        Difference("benchmark.warmup", "50", "–"),
        Difference("train.new", "–", "[1, 2]"),
        Difference("seed", "–", "1"),
        Difference("version of keras", "3.15.1", "3.16"),
        Difference("machine: cpu", "some x86", "another"),
    ]


def test_settings_of_steps_that_no_variant_has_are_left_out(facts, other):
    for section in ("slim", "prune"):
        other["config"] |= {section: {"epochs": 9}}
    assert [one.what for one in differences(*both(facts, other))] == ["prune.epochs"]


def test_a_long_setting_is_cut(facts, other):
    other["config"] |= {"note": "x" * 100}
    (found,) = differences(*both(facts, other))
    assert found.second == "x" * 59 + "…"


def test_what_does_not_compare_is_said(facts, other):
    for row in other["variants"][:3]:
        row["sha256"] = None
    same = list(remarks(*both(facts, other)))
    assert same == ["accuracies whose intervals overlap may differ by luck alone"]
    other["variants"][1]["latency_us"]["p50"] = 13.0
    assert "latencies are of two timings" in list(remarks(*both(facts, other)))[1]
    other["dataset"] |= {"digest": "d2"}
    other["machine"] |= {"cpu": "another"}
    found = list(remarks(*both(facts, other)))
    assert "different test pictures" in found[0]
    assert "the machines differ" in found[1]
    assert len(found) == 2


def differences_of(found, variant):
    """The line of differences of a variant: the third of its lines."""
    place = next(n for n, line in enumerate(found) if line.variant == variant)
    return found[place + 2]


def test_accuracies_of_other_pictures_have_no_difference(facts, other):
    other["dataset"] |= {"digest": "d2"}
    found = differences_of(list(lines(*both(facts, other))), "int8")
    assert found[2:] == ("–", "1.00×", "1.00×", "")


@pytest.mark.parametrize("other_threads", [True, False])
def test_latencies_of_another_machine_or_of_more_threads_have_no_ratio(facts, other, other_threads):
    if other_threads:
        other["variants"][1]["latency_us"]["threads"] = 2
    else:
        other["machine"] |= {"cores": 64}
    found = differences_of(list(lines(*both(facts, other))), "int8")
    assert found[2:] == ("0.00 pp", "1.00×", "–", "")


def test_other_classes_and_other_measures_are_said(facts, other):
    other["dataset"] |= {"digest": "d2", "classes": ["a", "b"]}
    (classes, *_) = remarks(*both(facts, other))
    assert classes == "the classes differ (10 and 2): accuracies answer different questions"
    other["dataset"] |= {"multi_label": True}
    (measures, *_) = remarks(*both(facts, other))
    assert "one is exact match" in measures


def test_a_repeated_run_beside_a_single_one_is_said(facts, other):
    told = list(remarks(*both(facts, again(other))))
    assert "the first is of 1 trainings, the second of 3: the figures here are of the first" in (
        " ".join(told)
    )


def test_the_same_file_is_known_by_its_bytes_whatever_it_is_called(facts, other):
    other["variants"][1] |= {"name": "prune.hard+int8"}
    other["recommended"] = "prune.hard+int8"
    other["variants"][2]["sha256"] = "0" * 64
    said = list(remarks(*both(facts, other)))[1:]
    assert said == [
        "the same file, byte for byte: float32",
        "the same file, byte for byte: int8 of the first, prune.hard+int8 of the second",
    ]


def test_settings_of_steps_that_one_run_has_not_are_left_out(facts, other):
    for config in (facts["config"], other["config"]):
        config |= {"prune": {"epochs": 9}}
    del other["variants"][2]
    other["config"]["prune"] = {"epochs": 3}
    assert differences(*both(facts, other)) == []


def test_where_nothing_else_differs_the_code_does(facts, other):
    keys = {"ingest": "a", "train": "b", "quantize(int8)": "c", "export": "d"}
    for one, changed in ((facts, {}), (other, {"train": "x", "quantize(int8)": "y"})):
        said = keys | changed
        one["stages"] = [{"name": name, "key": said[name] * 64, "seconds": 1.0} for name in said]
    assert differences(*both(facts, other)) == [
        Difference("code of train", "b" * 12, "x" * 12),
    ]
    other["stages"][1:3] = facts["stages"][1:3]
    other["stages"][3]["key"] = "z"
    assert differences(*both(facts, other)) == [], "equal SavedModels may differ in bytes"
    other["config"]["train"] = {"epochs": 3}
    other["stages"][1]["key"] = "x"
    assert [one.what for one in differences(*both(facts, other))] == ["train.epochs"]
