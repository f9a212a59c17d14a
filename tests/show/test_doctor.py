"""What reports say of the quantization doctor."""

import copy
import json

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.show import doctor, figures, places
from pipeline.show.doctor import Doctor, told
from pipeline.show.report import render
from tests.show.conftest import HOSTILE
from tests.show.drawn import ODD, saved, words


def operation(number, **more):
    return {
        "number": number,
        "code": "CONV_2D",
        "layer": f"net/conv_{number}",
        "form": "int8",
        "macs": 1000,
        "before_db": 40.0 - number,
        "after_db": 40.0 - number,
        **more,
    }


def spread(number):
    counts = [int(value) for value in np.random.default_rng(number).integers(0, 90, 60)]
    return {"number": number, "lowest": -1.0, "highest": 2.0, "float32": counts, "stored": counts}


TRIED = {"in_float": 0, "float_share": 0.0, "accuracy": 0.975, "drop_pp": 0.25, "bytes": 30_000}
WELL = {
    "name": "int8",
    "accuracy": 0.9775,
    "max_drop_pp": 1.0,
    "max_float_share": 0.75,
    "kept": True,
    "pictures": 64,
    "trials": [TRIED],
    "shipped": 0,
    "float_operations": [],
    "operations": [operation(0), operation(1), operation(2)],
    "spreads": [spread(0), spread(2)],
}
ILL = WELL | {
    "name": "prune+int8",
    "trials": [
        TRIED | {"accuracy": 0.3125, "drop_pp": 66.5},
        TRIED | {"in_float": 1, "float_share": 0.25, "drop_pp": 0.5, "bytes": 41_000},
    ],
    "shipped": 1,
    "float_operations": [3],
    "operations": [
        operation(0, alone_db=44.0),
        operation(
            1,
            form="float32",
            before_db=1.25,
            alone_db=0.75,
            weights_lost=0.96,
            rounding_db=47.0,
            cause="weights",
        ),
        operation(2, before_db=2.0, alone_db=41.0),
    ],
}
LOST = ILL | {
    "name": "slim+int8",
    "kept": False,
    "shipped": 0,
    "float_operations": [],
    "operations": [one | {"form": "int8"} for one in ILL["operations"]],
}


def of(facts, **changes):
    return Doctor.model_validate(copy.deepcopy(facts) | changes)


@pytest.fixture
def pages(make, figures_dir, tmp_path):
    """The report as page, as Markdown and as json, with the figures of each doctor."""

    def rendered(*some):
        shown = doctor.drawn([of(one) for one in some])
        pictures = []
        for number, one in enumerate(shown, 1):
            figures.save(figures.error_by_depth(one), figures_dir / f"error_by_depth-{number}.png")
            figures.save(figures.activations(one), figures_dir / f"activations-{number}.png")
            pictures += [
                places.numbered(s, number, one.name) for s in ("error_by_depth", "activations")
            ]
        report = make(doctors=list(some), figures=[one.model_dump() for one in pictures])
        render(report, figures_dir, tmp_path)
        names = ("report.html", "report.md", "report.json")
        return [(tmp_path / name).read_text(encoding="utf-8") for name in names]

    return rendered


def test_a_file_that_keeps_its_budget_is_said_to_be_as_it_comes():
    assert told(of(WELL)) == [
        "int8 loses 0.25 points to its integers; 1 may be lost. It is as it comes."
    ]
    assert doctor.notes([of(WELL)]) == ()


def test_a_mended_file_says_what_it_lost_what_stays_in_float_and_why():
    first, second = told(of(ILL))
    assert first == (
        "prune+int8 lost 66.50 points to its integers; 1 may be lost. 1 of 3 operations stays "
        "in float32, 25 % of the multiply-accumulates: it loses 0.50 points and weighs 41.0 kB in "
        "place of 30.0 kB."
    )
    assert second == (
        "The worst: CONV_2D of net/conv_1 (a few large weights set the scale: 96 % of the others "
        "become zero)."
    )
    (note,) = doctor.notes([of(ILL)])
    assert note.startswith("prune+int8 is not all integers: 1 operation stays in float32, or it")


def test_a_budget_that_cannot_be_held_names_the_layer_and_the_reason():
    first, second = told(of(LOST))
    assert "That cannot be held." in first
    assert "No more than 75 %" in first
    assert second.startswith("The worst that is left: CONV_2D of net/conv_1 (a few large weights")
    (note,) = doctor.notes([of(LOST)])
    assert note.startswith("slim+int8 loses 66.50 points of validation accuracy")


def test_every_format_says_the_same_of_every_file(pages):
    page, text, data = pages(WELL, ILL, LOST)
    assert json.loads(data)["doctors"] == [
        of(one).model_dump(mode="json") for one in (WELL, ILL, LOST)
    ]
    for one in (WELL, ILL, LOST):
        row = page.partition(f'data-doctor="{one["name"]}"')[2].partition("</tr>")[0]
        after = one["trials"][one["shipped"]]
        assert f'data-key="before_pp" data-value="{one["trials"][0]["drop_pp"]}"' in row
        assert f'data-key="after_pp" data-value="{after["drop_pp"]}"' in row
        assert f'data-key="in_float" data-value="{after["in_float"]}"' in row
    size = "30.0 kB → 41.0 kB"
    assert size in page
    assert f"| prune+int8 | +66.50 pp | +1.00 pp | 1 of 3 | 25 % | +0.50 pp | {size} |" in text
    for line in (line for one in (WELL, ILL, LOST) for line in told(of(one))):
        assert line in page.replace("&#39;", "'")
        assert line in text
    assert text.count("](figures/error_by_depth-") == text.count("](figures/activations-") == 3


def test_files_that_are_well_share_one_pair_of_figures():
    others = [of(WELL, name="prune+int8"), of(WELL), of(WELL, name="slim+int8"), of(ILL, name="x")]
    assert [one.name for one in doctor.drawn(others)] == ["int8", "x"]
    assert [one.name for one in doctor.drawn(others[:1])] == ["prune+int8"]
    assert doctor.drawn([]) == []


def test_a_report_without_int8_files_has_no_doctor(make):
    assert "doctors" not in json.loads(make().to_json())


def test_shipped_is_one_of_the_files_that_were_tried():
    with pytest.raises(ValidationError, match="shipped 2 of 1 files"):
        of(WELL, shipped=2)


def test_the_figure_by_depth_names_the_worst_and_rings_what_stays_in_float():
    figure = figures.error_by_depth(of(ILL))
    assert "conv_1" in words(figure)
    assert "rings mark" in " ".join(words(figure))
    assert "conv_1" not in words(figures.error_by_depth(of(WELL)))
    axes = figure.axes[1]
    assert any(line.get_fillstyle() == "none" for line in axes.get_lines())


@pytest.mark.parametrize("name", [*HOSTILE, *ODD])
def test_odd_names_of_layers_are_drawn_and_inert(name, tmp_path, pages):
    odd = copy.deepcopy(ILL)
    for one in odd["operations"]:
        one["layer"] = name
    assert saved(figures.error_by_depth(of(odd)), tmp_path)
    assert saved(figures.activations(of(odd)), tmp_path)
    page, _, _ = pages(odd)
    assert "<script>alert" not in page
    assert "<img src=x" not in page


@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_any_number_of_histograms_is_drawn(count, tmp_path):
    one = figures.Histogram("CONV_2D #3", -1.0, 1.0, [0, 5, 90, 5, 0], [0, 0, 100, 0, 0])
    assert saved(figures.weights("int8", [one] * count), tmp_path)
