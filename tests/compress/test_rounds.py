import pytest

from pipeline.compress.rounds import LOWER, RISING, Attempt, spend
from pipeline.errors import ConfigError


class Tuned:
    """Stands for a network whose accuracy falls with its zeros by a rule; notes what was asked."""

    def __init__(self, accuracy):
        self.accuracy, self.asked = accuracy, []

    def __call__(self, start, layers, before):
        self.asked.append((start, before.get("conv")))
        share = layers["conv"]
        return Attempt(f"at {share}", share, self.accuracy(share))


def allot(wished):
    return {"conv": wished, "head": 0.0}


def test_rounds_go_on_from_each_other_and_the_last_within_the_budget_is_kept():
    tune = Tuned(lambda share: 0.98 if share <= 0.85 else 0.97)
    kept, rounds = spend(0.3, 0.981, allot, tune)
    assert kept == "at 0.85"
    assert [one.wished for one in rounds] == [0.5, 0.67, 0.78, 0.85, 0.9]
    assert [one.within for one in rounds] == [True] * 4 + [False]
    assert rounds[-1].drop_pp == pytest.approx(1.1)
    assert tune.asked == [
        (None, None),
        ("at 0.5", 0.5),
        ("at 0.67", 0.67),
        ("at 0.78", 0.78),
        ("at 0.85", 0.85),
    ]


def test_a_drop_of_exactly_the_budget_is_within_it():
    _, rounds = spend(0.3, 0.98, allot, Tuned(lambda share: 0.977))
    assert [one.within for one in rounds] == [True] * len(RISING)


def test_where_the_first_costs_too_much_lower_ones_start_anew():
    tune = Tuned(lambda share: 0.98 if share < 0.3 else 0.9)
    kept, rounds = spend(0.3, 0.98, allot, tune)
    assert kept == "at 0.2"
    assert [one.wished for one in rounds] == [RISING[0], *LOWER[:2]]
    assert [start for start, _ in tune.asked] == [None] * 3
    assert [before for _, before in tune.asked] == [None] * 3


def test_where_nothing_is_within_the_budget_the_error_has_the_figures():
    message = r"max_drop_pp=0.5: 10.0 % zeros, validation 90.00 % \(-8.00 points\)"
    with pytest.raises(ConfigError, match=message):
        spend(0.5, 0.98, allot, Tuned(lambda share: 0.9))
