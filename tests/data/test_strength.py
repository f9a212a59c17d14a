import pytest

from pipeline.data.operations import OPERATIONS
from pipeline.data.strength import scaled


@pytest.mark.parametrize(
    ("name", "arguments", "strength", "result"),
    [
        ("rotate", {"factor": 0.1}, 0.5, {"factor": 0.05}),
        ("rotate", {"factor": 0.1}, 3, {"factor": 0.3}),
        ("rotate", {"factor": 0.4}, 10.0, {"factor": 1.0}),
        ("rotate", {"factor": [-0.1, 0.2]}, 2, {"factor": [-0.2, 0.4]}),
        ("zoom", {"height_factor": [-0.8, 0.3]}, 2, {"height_factor": [-0.95, 0.6]}),
        ("translate", {"height_factor": 0.1, "fill_mode": "wrap"}, 0.5,
         {"height_factor": 0.05, "fill_mode": "wrap"}),
        ("saturation", {"factor": [0.3, 0.7]}, 2, {"factor": [0.1, 0.9]}),
        ("saturation", {"factor": 0.7}, 0.5, {"factor": [0.25, 0.6]}),
        ("crop", {"padding": 4}, 0.5, {"padding": 2}),
        ("crop", {"padding": 1}, 0.1, {"padding": 1}),
        ("mixup", {}, 0.5, {"alpha": 0.1}),
        ("cutmix", {"probability": 0.5}, 2, {"probability": 0.5, "alpha": 2.0}),
        ("erase", {}, 0.5, {"scale": [0.01, 0.165]}),
        ("rand_augment", {"operations": 3}, 2, {"operations": 3, "magnitude": 0.6}),
        ("flip", {"mode": "vertical"}, 2, {"mode": "vertical"}),
    ],
)  # fmt: skip
def test_a_strength_multiplies_what_changes_pictures(name, arguments, strength, result):
    assert scaled(name, arguments, strength) == result


@pytest.mark.parametrize("name", OPERATIONS)
def test_strength_one_changes_and_spells_out_nothing(name):
    assert scaled(name, {}, 1.0) == {}
    assert scaled(name, {"factor": 0.123456789}, 1) == {"factor": 0.123456789}


@pytest.mark.parametrize("wrong", [7, -3, "much", None, True, float("nan")])
def test_what_is_wrong_is_not_made_right(wrong):
    assert repr(scaled("rotate", {"factor": wrong}, 0.1)) == repr({"factor": wrong})


def test_what_is_needed_and_missing_stays_missing():
    assert scaled("rotate", {}, 0.5) == {}
    assert scaled("zoom", {"height_factor": 0.2}, 0.5) == {"height_factor": 0.1}
