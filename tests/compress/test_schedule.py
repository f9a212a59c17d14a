import pytest

from pipeline.compress.schedule import FEWEST_UPDATES, MOST_UPDATES, Ramp
from pipeline.errors import ConfigError


@pytest.mark.parametrize("steps", [20, 45, 137, 360, 4690, 100_003])
@pytest.mark.parametrize("kind", FEWEST_UPDATES)
@pytest.mark.parametrize(("begin", "end"), [(0.0, 0.6), (0.1, 1.0), (0.25, 0.8)])
def test_the_last_update_lands_on_the_end_step(steps, kind, begin, end):
    ramp = Ramp.over(steps, kind=kind, begin=begin, end=end)
    assert (ramp.end_step - ramp.begin_step) % ramp.frequency == 0
    assert FEWEST_UPDATES[kind] <= ramp.updates <= MOST_UPDATES
    assert max(1, begin * steps) <= ramp.begin_step <= ramp.end_step <= end * steps
    assert ramp.end_step == int(end * steps)


def test_a_long_run_still_has_many_updates():
    assert Ramp.over(4690).updates > MOST_UPDATES // 2


def test_a_run_too_short_says_how_many_steps_there_are_and_are_needed():
    with pytest.raises(ConfigError, match=r"needs at least 14 training steps and this run has 13"):
        Ramp.over(13)
    assert Ramp.over(14).updates == FEWEST_UPDATES["polynomial"]


def test_constant_sparsity_fits_the_shortest_run():
    ramp = Ramp.over(1, kind="constant", end=1.0)
    assert (ramp.begin_step, ramp.end_step) == (1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sparsity": 0.0},
        {"sparsity": 1.0},
        {"sparsity": float("nan")},
        {"initial_sparsity": 0.9},
        {"begin": 0.6, "end": 0.6},
        {"end": 1.1},
        {"kind": "linear"},
    ],
)
def test_a_setting_outside_its_range_is_refused(wrong):
    with pytest.raises(ConfigError):
        Ramp.over(1000, **wrong)


def test_only_epochs_that_end_with_every_zero_count_as_full():
    ramp = Ramp("polynomial", 0.8, 0.0, begin_step=10, end_step=90, frequency=10)
    assert ramp.first_full_epoch(45) == 1  # the second epoch ends at step 90
    assert ramp.first_full_epoch(44) == 2
    assert ramp.first_full_epoch(100) == 0


def test_constant_sparsity_is_full_from_its_beginning():
    ramp = Ramp("constant", 0.8, 0.0, begin_step=10, end_step=90, frequency=10)
    assert ramp.full_step == 10
    assert ramp.first_full_epoch(45) == 0
