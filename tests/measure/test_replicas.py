"""What several runs say together."""

import numpy as np
import pytest

from pipeline.measure.replicas import over
from pipeline.measure.statistics import mean_sd


def row(accuracy, drop, status="ok"):
    if status != "ok":
        return {"name": "int8", "status": status, "reason": "out of luck"}
    measured = {"accuracy": accuracy, "validation_accuracy": accuracy + 0.01, "drop_pp": drop}
    return {"name": "int8", "status": "ok", "reason": None, **measured}


def test_the_deviation_is_that_of_a_sample():
    values = [0.98, 0.97, 0.991, 0.985]
    mean, sd = mean_sd(values)
    assert mean == pytest.approx(np.mean(values))
    assert sd == pytest.approx(np.std(values, ddof=1))


def test_a_single_run_has_no_deviation():
    assert mean_sd([0.9]) == (0.9, None)
    found = over([row(0.9, 0.2)])
    assert (found["n"], found["mean"], found["sd"]) == (1, 0.9, None)
    assert found["drop_pp"] == {"mean": 0.2, "sd": None}


def test_drops_are_taken_within_a_run_so_what_moves_both_does_not_spread_them():
    found = over([row(0.90, 0.5), row(0.95, 0.5), row(0.99, 0.5)])
    assert found["sd"] == pytest.approx(np.std([0.90, 0.95, 0.99], ddof=1))
    assert found["drop_pp"] == {"mean": 0.5, "sd": 0.0}
    assert found["validation_accuracy"]["mean"] == pytest.approx(found["mean"] + 0.01)


def test_runs_that_failed_do_not_count():
    found = over([row(0.9, 0.1), row(None, None, "failed"), row(0.8, 0.3)])
    assert (found["n"], found["mean"]) == (2, pytest.approx(0.85))
    assert over([row(None, None, "failed"), row(None, None, "refused")]) is None
