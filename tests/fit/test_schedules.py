import math
import sys
from itertools import pairwise
from subprocess import run

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.choices import Step
from pipeline.fit.optimizers import optimizer
from pipeline.fit.rates import rate_at, rate_class, schedule_of
from pipeline.fit.schedules import Piece, pieces
from pipeline.settings import Train

APIS = pytest.mark.parametrize("api", [keras, tf_keras])
FLAT = {"warmup_epochs": 0.0, "learning_rate": 0.1}


def rates(settings, steps_per_epoch, api, count):
    schedule = schedule_of(optimizer(settings, steps_per_epoch, api))
    assert isinstance(schedule, api.optimizers.schedules.LearningRateSchedule)
    return [float(schedule(step)) for step in range(count)]


@APIS
def test_the_rate_rises_to_its_height_and_falls_along_a_cosine_to_zero(api):
    settings = Train(epochs=3, warmup_epochs=1.0, learning_rate=0.1)
    expected = [
        *(0, 0.025, 0.05, 0.075),
        *(0.1 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(9)),
    ]
    assert expected[4] == 0.1
    assert expected[8] == pytest.approx(0.05)
    assert expected[12] == 0
    assert rates(settings, 4, api, 13) == pytest.approx(expected, abs=1e-8)


@APIS
@pytest.mark.parametrize("warmup", [0, 1, 7])
def test_a_cosine_has_the_very_rates_of_keras_own(warmup, api):
    settings = Train(epochs=10, warmup_epochs=float(warmup), learning_rate=0.037)
    theirs = api.optimizers.schedules.CosineDecay(
        *((0.0, 13 * (10 - warmup)) if warmup else (0.037, 130)),
        warmup_target=0.037 if warmup else None,
        warmup_steps=13 * warmup,
    )
    assert rates(settings, 13, api, 131) == [float(theirs(step)) for step in range(131)]


@APIS
def test_a_constant_rate_stays_after_its_warm_up(api):
    settings = Train(epochs=3, warmup_epochs=0.5, learning_rate=0.1, schedule="constant")
    assert rates(settings, 4, api, 12) == pytest.approx([0, 0.05, *[0.1] * 10], abs=1e-8)
    settings = Train(epochs=3, **FLAT, schedule="constant")
    assert rates(settings, 4, api, 12) == pytest.approx([0.1] * 12)


@APIS
def test_a_line_falls_to_zero(api):
    settings = Train(epochs=3, warmup_epochs=1.0, learning_rate=0.1, schedule="linear")
    expected = [0, 0.05, 0.1, 0.075, 0.05, 0.025, 0]
    assert rates(settings, 2, api, 7) == pytest.approx(expected, abs=1e-8)


@APIS
def test_steps_fall_by_a_factor_after_the_epochs_named(api):
    settings = Train(epochs=5, **FLAT, schedule={"step": {"at": [2, 3.5], "factor": 0.2}})
    expected = [*[0.1] * 4, *[0.02] * 3, *[0.004] * 3]
    assert rates(settings, 2, api, 10) == pytest.approx(expected)


@APIS
def test_one_cycle_climbs_to_its_peak_and_ends_near_nothing(api):
    cycle = {"one_cycle": {"peak": 0.25, "start": 0.1, "end": 0.01}}
    settings = Train(epochs=4, warmup_epochs=3.0, learning_rate=1.0, schedule=cycle)
    found = rates(settings, 4, api, 17)
    assert (found[0], found[4], found[16]) == pytest.approx((0.1, 1.0, 0.01))
    assert found[2] == pytest.approx((0.1 + 1.0) / 2)
    assert found[10] == pytest.approx((1.0 + 0.01) / 2)
    assert np.argmax(found) == 4
    assert (np.diff(found)[:4] > 0).all()
    assert (np.diff(found)[4:] < 0).all()


@APIS
@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear", "one_cycle", "plateau"])
def test_a_run_of_one_step_has_its_full_rate(schedule, api):
    settings = Train(epochs=1, warmup_epochs=0.9, learning_rate=0.1, schedule=schedule)
    assert rates(settings, 1, api, 1) == [pytest.approx(0.1)]


@pytest.mark.parametrize(
    "schedule", ["constant", "cosine", "linear", {"step": {"at": [1.5, 2]}}, "one_cycle", "plateau"]
)
@pytest.mark.parametrize("warmup", [0.0, 0.4, 1.5])
def test_pieces_follow_each_other_from_the_first_step_to_the_last(schedule, warmup):
    found = pieces(Train(epochs=3, warmup_epochs=warmup, schedule=schedule), 7)
    assert found[0].from_step == 0
    assert found[-1].to_step == 21
    assert all(one.to_step == after.from_step for one, after in pairwise(found))
    assert all(piece.from_step < piece.to_step for piece in found)
    assert max(max(piece.from_factor, piece.to_factor) for piece in found) == 1


def test_a_fall_at_the_end_of_warm_up_is_one_without_a_plateau_before_it():
    settings = Train(epochs=4, warmup_epochs=1.0, schedule=Step(at=(1.0,), factor=0.5))
    assert pieces(settings, 10) == (Piece(0, 10, 0.0, 1.0), Piece(10, 40, 0.5, 0.5))


@APIS
def test_the_factor_of_a_schedule_scales_every_rate(api):
    schedule = rate_class(api)(0.2, [Piece(0, 4, 1.0, 0.0)])
    schedule.factor.assign(0.5)
    assert [float(schedule(step)) for step in range(5)] == pytest.approx(
        [0.1, 0.075, 0.05, 0.025, 0]
    )


@APIS
def test_a_schedule_is_made_again_from_what_is_saved_of_it(api):
    schedule = rate_class(api)(0.2, pieces(Train(epochs=3), 5))
    saved = api.optimizers.schedules.serialize(schedule)
    again = api.optimizers.schedules.deserialize(saved)
    assert type(again) is type(schedule)
    assert [float(again(s)) for s in range(15)] == [float(schedule(s)) for s in range(15)]


@APIS
def test_the_rate_of_the_last_step_is_the_one_it_was_taken_at(api):
    made = optimizer(
        Train(epochs=2, warmup_epochs=0.0, schedule="linear", learning_rate=1.0), 2, api
    )
    weight = tf.Variable([1.0])
    made.build([weight])
    for expected in (1.0, 0.75, 0.5):
        made.apply_gradients([(tf.ones(1), weight)])
        assert rate_at(made) == pytest.approx(expected)


def test_pieces_are_made_without_tensorflow():
    code = "import pipeline.fit.schedules, sys; print({'tensorflow', 'keras'} & set(sys.modules))"
    done = run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
