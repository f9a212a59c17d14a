"""Bounds that were kept, and those that were not."""

import re

import pytest

from pipeline.measure import gates
from pipeline.settings.gates import parse

ROW = {
    "name": "int8",
    "status": "ok",
    "accuracy": 0.97,
    "validation_accuracy": 0.96,
    "drop_pp": 1.0,
    "bytes": 30_000,
    "latency_us": {"p50": 12.5, "p90": 14.0},
}
INTEGER = {"number": 0, "form": "int8"}
FLOAT = {"number": 1, "form": "float32"}
MIXED = {
    "claimed": "int8",
    "form": "mixed",
    "problems": ["said to be int8, and is not"],
    "operations": [INTEGER, FLOAT, {"number": 2, "form": "conversion"}],
}


@pytest.mark.parametrize(
    ("gate", "found", "passed"),
    [
        ({"int8.drop_pp": "<= 1"}, 1.0, True),
        ({"int8.drop_pp": "< 1"}, 1.0, False),
        ({"int8.bytes": "<= 29_999"}, 30_000.0, False),
        ({"int8.bytes": ">29999"}, 30_000.0, True),
        ({"int8.accuracy": ">= 9.7e-1"}, 0.97, True),
        ({"int8.latency_us": "<= 12.4"}, 12.5, False),
        ({"int8.latency_us": "<= 12.5"}, 12.5, True),
    ],
)
def test_a_fact_is_held_against_its_bound(gate, found, passed):
    (asked,) = parse(gate)
    told = gates.kept(*asked, ROW)
    assert (told["found"], told["passed"], told["reason"]) == (found, passed, None)


def test_a_fact_that_is_not_there_fails_with_its_reason():
    (asked,) = parse({"int8.arena_bytes": "<= 1"})
    told = gates.kept(*asked, ROW)
    assert (told["found"], told["passed"]) == (None, False)
    assert told["reason"] == "it was not measured"
    told = gates.kept(*asked, {"name": "int8", "status": "failed", "reason": "out of luck"})
    assert told["reason"] == "the variant is failed"
    assert not gates.kept(*asked, None)["passed"]


def test_of_several_seeds_the_mean_counts():
    seeds = {"n": 3, "mean": 0.98, "sd": 0.01, "drop_pp": {"mean": 0.4, "sd": 0.1}}
    row = ROW | {"seeds": seeds}
    assert gates.value("accuracy", row) == 0.98
    assert gates.value("drop_pp", row) == 0.4
    assert gates.value("validation_accuracy", row) == 0.96
    assert gates.value("bytes", row) == 30_000


def test_a_file_that_is_not_what_it_is_called_fails():
    fine = {"claimed": "int8", "form": "int8", "problems": [], "operations": [INTEGER]}
    wrong = MIXED
    loose = {"claimed": "dynamic", "form": "float32", "problems": [], "operations": [FLOAT]}
    rows = [
        {"name": "int8", "audit": fine},
        {"name": "prune+int8", "audit": wrong},
        {"name": "dynamic", "audit": loose},
        {"name": "qat", "status": "failed"},
    ]
    kept, failed = gates.genuine(rows)
    assert (kept["name"], kept["passed"]) == ("int8.form", True)
    assert (failed["name"], failed["found"], failed["passed"]) == (
        "prune+int8.form",
        "mixed",
        False,
    )
    assert failed["reason"] == "said to be int8, and is not"


@pytest.mark.parametrize(
    ("in_float", "passed"), [([1], True), ([0, 1], False), ([2], False), ([], False)]
)
def test_what_the_doctor_left_in_float_and_nothing_else_may_be_there(in_float, passed):
    (found,) = gates.genuine([{"name": "int8", "audit": MIXED}], {"int8": in_float})
    assert found["passed"] is passed
    assert found["reason"] == (None if passed else "said to be int8, and is not")
    if in_float == [1]:
        assert (found["asked"], found["found"]) == ("is int8 but for 1 operation", "mixed")


def test_the_doctor_excuses_float32_alone():
    odd = MIXED | {"operations": [INTEGER, FLOAT | {"form": "dynamic"}]}
    (found,) = gates.genuine([{"name": "int8", "audit": odd}], {"int8": [1]})
    assert not found["passed"]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"int8": "<= 1"}, "int8: a variant and what of it"),
        ({"int8.byts": "<= 1"}, "did you mean 'bytes'"),
        ({"int8.bytes": "1"}, 'a bound as in "<= 1", not'),
        ({"int8.bytes": "<= many"}, "a bound as in"),
        ({"int8.bytes": "== 1"}, "a bound as in"),
        ({".bytes": "<= 1"}, "a variant and what of it"),
    ],
)
def test_what_is_no_gate_is_refused(said, problem):
    with pytest.raises(ValueError, match=re.escape(problem)):
        parse(said)


def test_a_variant_may_have_a_point_in_its_name():
    (gate,) = parse({"slim.half+int8.bytes": "<= 1"})
    assert (gate.variant, gate.fact) == ("slim.half+int8", "bytes")
