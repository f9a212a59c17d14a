"""The figures of a search: where each candidate stands, and which settings led there."""

import pytest

from pipeline.show.canvas import BLUE, GREY, HEAD, ORANGE
from pipeline.show.search_figures import Candidate, Scale, search_front, search_settings
from tests.show.drawn import ODD, saved, words

SCALES = [
    Scale("build.width", "linear", 8, 64),
    Scale("train.learning_rate", "log", 1e-4, 1e-2),
    Scale("augment.policy", "choice", choices=("light", "strong", '[{"flip": null}]')),
]


def candidate(number, width, rate, policy, score, **more):
    values = {"build.width": width, "train.learning_rate": rate, "augment.policy": policy}
    return Candidate(number, values, 1000 * width, width / 2, score, **more)


FOUND = [
    candidate(1, 8, 1e-4, "light", 0.80, unbeaten=True),
    candidate(2, 24, 1e-3, "strong", 0.95, unbeaten=True, best=True),
    candidate(3, 24, 1e-2, "light", 0.95),
    candidate(4, 64, 1e-3, "light", None),
]


def points(axes):
    """Where discs stand, by their colour; those of nothing are absent."""
    found = {}
    for line in axes.lines:
        if line.get_marker() in {"o", "|"} and len(line.get_xdata()):
            found.setdefault(line.get_color(), []).extend(line.get_xdata())
    return found


def test_a_scale_places_what_it_is_for():
    width, rate, policy = SCALES
    assert (width.place(8), width.place(36), width.place(64)) == (0, 0.5, 1)
    assert rate.place(1e-3) == pytest.approx(0.5)
    assert (policy.place("light"), policy.place("strong")) == (0, 0.5)
    assert Scale("x", "linear", 3, 3).place(3) == 0.5


def test_the_front_is_blue_and_what_was_refused_stands_at_the_foot():
    figure = search_front(FOUND, "accuracy on validation", {"bytes": 60_000, "latency_us": None})
    _, sizes, times = figure.axes
    assert points(sizes)[GREY] == [24_000]
    assert points(sizes)[ORANGE] == [64_000]
    assert set(points(sizes)[BLUE]) == {8_000, 24_000}
    assert points(times)[ORANGE] == [32]
    limits = [
        line for axes in (sizes, times) for line in axes.lines if line.get_linestyle() == "--"
    ]
    assert [set(line.get_xdata()) for line in limits] == [{60_000}]
    assert [text.get_text() for text in sizes.texts] == ["1", "2"]
    foot = next(line for line in sizes.lines if line.get_marker() == "|")
    assert max(foot.get_ydata()) < 0.80


def test_the_best_is_drawn_over_all_others_through_its_settings():
    figure = search_settings(FOUND, SCALES, "accuracy")
    (sheet,) = figure.axes
    trials = [line for line in sheet.lines if len(line.get_xdata()) == len(SCALES) + 3]
    assert len(trials) == 3, "one that was not trained has no line"
    best = max(trials, key=lambda line: line.get_zorder())
    assert best.get_color() == ORANGE
    top, tall = HEAD + 0.72, 3.0
    heights = [1 - (y - top) / tall for y in best.get_ydata()]
    assert heights == pytest.approx([16 / 56, 0.5, 0.5, 1.0, 1.0, 1.0])
    assert {"width", "learning rate", "policy", "strong", "0.0001", "24.0 kB", "95.0 %"} <= set(
        words(figure)
    )


def test_any_text_may_be_a_choice_and_nothing_may_be_trained(tmp_path):
    odd = [Scale("augment.policy", "choice", choices=tuple(ODD))]
    one = Candidate(1, {"augment.policy": ODD[0]}, 10, 1.0, 0.5, True, True)
    assert saved(search_settings([one], odd, "accuracy"), tmp_path)
    refused = [Candidate(1, {"augment.policy": ODD[1]}, 10, 1.0)]
    assert saved(search_settings(refused, odd, "accuracy"), tmp_path)
    assert saved(search_front(refused, "accuracy", {}), tmp_path)
