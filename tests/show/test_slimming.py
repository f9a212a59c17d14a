"""What reports say of slimming."""

import json
import re

import pytest

from pipeline.show import figures, places
from pipeline.show.report import render
from pipeline.show.slimming import Slimming, beside, told
from pipeline.show.variant import Variant
from tests.show.conftest import HOSTILE, variant
from tests.show.drawn import ODD, saved, words

ROUND = {"macs": 640, "params": 70, "shares": {"macs": 0.64}, "settled": 0.6, "tuned": 0.97}
LAYER = {"name": "stem", "kind": "Conv2D", "channels": [32, 24], "macs": [400, 200]}
LAYER |= {"params": [80, 40]}
FOUND = {
    "name": "slim",
    "targets": [{"measure": "macs", "asked": 0.5, "reached": 0.4848}],
    "importance": "taylor",
    "ranking": "global",
    "pictures": 1999,
    "val_accuracy": 0.98,
    "macs": [1000, 480],
    "params": [100, 50],
    "layers": [LAYER, LAYER | {"name": "probabilities", "channels": [10, 10]}],
    "rounds": [ROUND, ROUND | {"macs": 480, "settled": 0.7654, "tuned": 0.9654}],
}


def found(**changes):
    return Slimming.model_validate(FOUND | changes)


def layers(names):
    return [LAYER | {"name": name, "macs": [number + 1, 1]} for number, name in enumerate(names)]


VARIANTS = [
    variant("float32", 400_000, 0.98, 30.0),
    variant("int8", 100_000, 0.98, 20.0),
    variant("slim+int8", 60_000, 0.97, 12.0),
    variant("slim+qat", 60_000, 0.975, 12.0),
]


@pytest.fixture
def pages(make, figures_dir, tmp_path):
    """The report as page and as Markdown, with the figure of each slimming."""

    def rendered(*slimmings, **facts):
        shown = [
            places.slimmed(n, one["name"], several=False) for n, one in enumerate(slimmings, 1)
        ]
        for picture, one in zip(shown, slimmings, strict=True):
            drawn = figures.channels(Slimming.model_validate(one))
            figures.save(drawn, figures_dir / picture.file)
        render(make(slimmings=slimmings, figures=shown, **facts), figures_dir, tmp_path)
        return [(tmp_path / f"report.{kind}").read_text() for kind in ("html", "md")]

    return rendered


def test_what_was_asked_and_what_came_of_it_is_said_with_its_figures():
    first, second = told(found())
    assert first.startswith("Asked for 50 % of the multiply-accumulates, it came to 48.5 % in 2 ro")
    assert "480 of 1.00 k multiply-accumulates and 50 of 100 parameters stay" in first
    assert "accuracy is 96.54 %, 1.46 points below the whole network, and was 76.54 %" in second
    assert "96.54 %, level with the whole network" in told(found(val_accuracy=0.9654))[1]
    assert "96.54 %, 0.54 points above the whole network" in told(found(val_accuracy=0.96))[1]
    fast = {"measure": "latency", "asked": 0.6, "reached": 0.587}
    several = told(found(targets=[*FOUND["targets"], fast]))[0]
    assert several.startswith(
        "Asked for 50 % of the multiply-accumulates and 60 % of the int8 file's latency, it came "
        "to 48.5 % and 58.7 % in 2 rounds: "
    )


def rows(*facts):
    return [Variant.model_validate(one) for one in facts]


def test_a_slimmed_file_stands_beside_the_one_that_went_the_same_way_without():
    int8, qat = beside(found(), rows(*VARIANTS))
    assert (int8.variant.name, int8.whole.name) == ("slim+int8", "int8")
    assert int8.size_ratio == 0.6
    assert int8.time_ratio == pytest.approx(0.6)
    assert int8.drop_pp == pytest.approx(1)
    assert (qat.whole, qat.size_ratio, qat.time_ratio, qat.drop_pp) == (None, None, None, None)
    taught = [variant(f"distill{slim}+int8", 9000, 0.9, 9.0) for slim in ("", "+slim", "+slim.b")]
    (later,) = beside(found(name="distill+slim"), rows(*taught))
    assert (later.variant.name, later.whole.name) == ("distill+slim+int8", "distill+int8")


def test_page_and_markdown_have_figure_files_and_rounds(pages):
    page, markdown = pages(FOUND, variants=VARIANTS, recommended="slim+int8")
    assert 'id="figure-channels-1.png"' in page
    assert "](figures/channels-1.png)" in markdown
    for text in (page, markdown):
        for said in ("Channels taken out", "48.5 %", "slim+qat", "76.54 %", "96.54 %", "+1.00 pp"):
            assert said in text, said
    assert "32 → 24" in page, "the table of all layers"
    assert re.search(r"^\| slim\+int8 \|.*\(0\.60×\)", markdown, re.MULTILINE)


def test_a_run_that_slimmed_nothing_has_no_such_section(pages, report):
    page, markdown = pages()
    assert 'id="slimming"' not in page
    assert "Channels taken out" not in markdown
    assert "slimmings" not in json.loads(report.to_json())


def test_hostile_names_of_layers_are_text(pages):
    page, _ = pages(FOUND | {"layers": layers(HOSTILE)})
    assert "<script>alert(1)" not in page


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": layers(ODD)},
        {"layers": []},
        {"rounds": [ROUND | {"settled": 0.98, "tuned": 0.98}]},
        {"rounds": [ROUND | {"macs": 1000}]},
    ],
    ids=["odd names", "no layer", "nothing lost", "nothing taken"],
)
def test_a_slimming_of_any_kind_is_drawn_the_same_each_time(changes, tmp_path):
    one, two = (saved(figures.channels(found(**changes)), tmp_path) for _ in range(2))
    assert one == two


def test_each_layer_says_what_it_had_and_has_and_of_many_those_that_multiply_most(tmp_path):
    few = words(figures.channels(found()))
    assert {"stem", "32 → 24", "probabilities", "10"} <= set(few)
    figure = figures.channels(found(layers=layers([f"conv{n}" for n in range(50)])))
    saved(figure, tmp_path)
    named = [word for word in words(figure) if word.startswith("conv")]
    assert named == [f"conv{n}" for n in range(10, 50)]
    assert "40 layers that multiply most, of 50" in " ".join(" ".join(words(figure)).split())
