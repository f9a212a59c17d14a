"""What reports say of pruning, layer by layer."""

import json
import re

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.show import figures, places
from pipeline.show.pruning import Rounds, Sensitivity, outcome, told
from pipeline.show.report import render
from tests.show.conftest import HOSTILE
from tests.show.drawn import ODD, saved, words

LEVELS = (0.5, 0.7, 0.9)
FOUND = {
    "names": ["prune", "prune.hard"],
    "pictures": 1999,
    "pattern": "unstructured",
    "accuracy": 0.98,
    "levels": LEVELS,
    "layers": [
        {"name": "stem", "weights": 144, "accuracy": [0.97, 0.9, 0.4567]},
        {"name": "wide", "weights": 4608, "accuracy": [0.98, 0.98, 0.979]},
    ],
}
ONE = {"wished": 0.5, "layers": {"stem": 0.333, "wide": 0.51}, "sparsity": 0.505}
SPENT = {
    "name": "prune.auto",
    "max_drop_pp": 0.25,
    "val_accuracy": 0.98,
    "rounds": [
        ONE | {"val_accuracy": 0.979, "drop_pp": 0.1, "within": True},
        ONE | {"sparsity": 0.67, "val_accuracy": 0.975, "drop_pp": 0.5, "within": False},
    ],
}


def found(**changes):
    return Sensitivity.model_validate(FOUND | changes)


def layers(names):
    rng = np.random.default_rng(0)
    return [
        {"name": name, "weights": 9, "accuracy": sorted(rng.uniform(0.9, 0.98, 3), reverse=True)}
        for name in names
    ]


@pytest.fixture
def pages(make, figures_dir, tmp_path):
    """The report as page and as Markdown, with the figure of each scan."""

    def rendered(**facts):
        scans = facts.get("sensitivities", ())
        shown = [places.scan(n, one["names"], several=False) for n, one in enumerate(scans, 1)]
        for picture, one in zip(shown, scans, strict=True):
            figures.save(
                figures.sensitivity(Sensitivity.model_validate(one)), figures_dir / picture.file
            )
        render(make(**facts, figures=shown), figures_dir, tmp_path)
        return [(tmp_path / f"report.{kind}").read_text() for kind in ("html", "md")]

    return rendered


def test_a_scan_says_what_was_done_and_which_layers_stand_out():
    first, second = told(found())
    assert "accuracy on 1,999 validation pictures is taken: 98.00 % as trained" in first
    assert second == ("stem minds zeros most: 90 % of them cost 52.3 points; wide least: 0.1.")
    assert "in the pattern 4x1" in told(found(pattern="4x1"))[0]
    assert len(told(found(layers=[]))) == 1


def test_what_rounds_came_to_is_said_with_its_figures():
    spent = Rounds.model_validate(SPENT)
    assert outcome(spent) == (
        "To spend: 0.25 points of 98.00 % on validation. Round 1 was kept: 50.5 % zeros at 97.90 %."
    )


def test_page_and_markdown_have_scan_figure_and_rounds(pages):
    page, markdown = pages(sensitivities=[FOUND], rounds=[SPENT])
    assert 'id="figure-sensitivity-1.png"' in page
    assert "](figures/sensitivity-1.png)" in markdown
    for text in (page, markdown):
        for said in (
            "Zeros, layer by layer",
            "prune.hard",
            "52.3 points",
            "Rounds of",
            "prune.auto",
        ):
            assert said in text, said
        for said in ("50.5 %", "97.90 %", "+0.50 pp", "stem 33 %, wide 51 %", "Round 1 was kept"):
            assert said in text, said
    assert "45.7 %" in page, "the table of all layers"
    assert re.search(r"^\| 1 \(kept\) \|", markdown, re.MULTILINE)
    assert re.search(r"^\| 2 \(over\) \|", markdown, re.MULTILINE)


def test_a_run_that_scanned_nothing_has_no_such_section(pages, report):
    page, markdown = pages()
    assert 'id="pruning"' not in page
    assert "Zeros, layer by layer" not in markdown
    assert not {"sensitivities", "rounds"} & set(json.loads(report.to_json()))


def test_hostile_names_of_layers_are_text(pages):
    page, _ = pages(sensitivities=[FOUND | {"layers": layers(HOSTILE), "names": list(HOSTILE)}])
    assert "<script>alert(1)" not in page


@pytest.mark.parametrize("end", [0.979, 0.3])
def test_each_line_is_named_at_its_end_and_names_do_not_cover_each_other(end, tmp_path):
    names = [f"block_{number}/conv" for number in range(10)]
    curves = layers(names)
    for one in curves[:9]:  # which end together at the top, or at the bottom
        one["accuracy"] = [0.98, 0.98, end]
    figure = figures.sensitivity(found(layers=curves))
    saved(figure, tmp_path)
    assert set(names) <= set(words(figure))
    places_y = sorted(
        text.get_position()[1] for text in figure.axes[0].texts if text.get_text() in names
    )
    assert np.diff(places_y).min() > 0.15
    assert places_y[0] > 0.86
    assert places_y[-1] < figure.get_size_inches()[1] - 0.4


def test_of_many_layers_those_that_mind_most_are_named(tmp_path):
    many = layers([f"conv{number}" for number in range(40)])
    many[17]["accuracy"] = [0.5, 0.4, 0.3]
    figure = figures.sensitivity(found(layers=many))
    saved(figure, tmp_path)
    named = [word for word in words(figure) if word.startswith("conv")]
    assert len(named) == 10
    assert named[0] == "conv17"
    assert "Grey: 30 layers" in " ".join(" ".join(words(figure)).split())


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": layers(ODD)},
        {"layers": []},
        {"levels": [0.5], "pattern": "2:4",
         "layers": [{"name": "a", "weights": 9, "accuracy": [0.98]}]},
        {"accuracy": 1.0, "layers": [{"name": "a", "weights": 9, "accuracy": [1.0, 1.0, 1.0]}]},
        {"accuracy": 0.0, "layers": [{"name": "a", "weights": 9, "accuracy": [0.0, 0.0, 0.0]}]},
    ],
    ids=["odd names", "no layer", "one level", "nothing lost", "nothing to lose"],
)  # fmt: skip
def test_a_scan_of_any_kind_is_drawn_the_same_each_time(changes, tmp_path):
    one, two = (saved(figures.sensitivity(found(**changes)), tmp_path) for _ in range(2))
    assert one == two


def test_a_curve_without_a_figure_for_each_level_is_refused():
    with pytest.raises(ValidationError, match="sensitivity of stem: not a figure for each level"):
        found(levels=[0.5])
