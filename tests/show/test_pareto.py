"""Who is on the Pareto front, and how its line runs."""

from pipeline.show import figures
from pipeline.show.pareto import boxes, legend, pareto_front, steps
from pipeline.show.placing import Disc
from tests.show.drawn import saved, words
from tests.show.test_figures import row


def on_the_front(*points):
    rows = [row(str(place), size, share) for place, (size, share) in enumerate(points)]
    return pareto_front(rows)


def test_who_is_larger_and_no_better_is_off_the_front():
    assert on_the_front((300, 0.9), (200, 0.9), (100, 0.8), (150, 0.7)) == [2, 1]


def test_equals_are_on_it_together_and_one_better_in_either_is_enough():
    assert on_the_front((100, 0.9), (100, 0.9)) == [0, 1]
    assert on_the_front((100, 0.9), (100, 0.91)) == [1]
    assert on_the_front((99, 0.9), (100, 0.9)) == [0]
    assert on_the_front((99, 0.9), (100, 0.91)) == [0, 1]


def test_the_line_goes_right_and_then_up():
    discs = [Disc(1, 5, 0.1), Disc(2, 4, 0.1), Disc(4, 1, 0.1)]
    xs, ys = steps(discs, 6)
    assert list(zip(xs, ys, strict=True)) == [
        *((1, 5), (2, 5), (2, 4), (4, 4), (4, 1), (6, 1)),
    ]
    stretches = boxes(xs, ys)
    assert len(stretches) == 5
    assert all(box.left <= box.right and box.top < box.bottom for box in stretches)


def test_the_legend_names_who_is_on_it_but_not_too_many():
    rows = [row(f"v{number}", 100 + number, 0.5 + number / 100) for number in range(5)]
    front = [rows[place] for place in pareto_front(rows)]
    assert legend(front, "exact match") == (
        "Pareto front, unbeaten in size and exact match together: v0, v1, v2 and 2 more"
    )


def test_the_scatter_draws_the_front_through_its_discs(tmp_path):
    rows = [row("big", 400, 0.9), row("small", 100, 0.8), row("worse", 300, 0.7)]
    figure = figures.size_accuracy_latency(rows, "small")
    said = " ".join(words(figure)).replace("\n", " ")
    assert "unbeaten in size and accuracy together: small, big" in said
    sheet = next(axes for axes in figure.axes if axes.patches)
    (line,) = [one for one in sheet.lines if len(one.get_xdata()) == 4]
    centres = {tuple(disc.center) for disc in sheet.patches}
    through = set(zip(line.get_xdata(), line.get_ydata(), strict=True))
    assert len(centres & through) == 2, "of three"
    saved(figure, tmp_path)
