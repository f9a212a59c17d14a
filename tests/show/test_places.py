"""Where figures stand."""

import pytest

from pipeline.recipe import parse
from pipeline.show import figures, places
from pipeline.show.places import figures_by_place


def test_every_figure_that_can_be_drawn_is_listed_with_its_place():
    of_several_labels = {"wrong_sets", "least_sure_sets"}  # in the same places
    drawn = set(figures.__all__) - {"save", "sheet_classes", "Histogram"} - of_several_labels
    assert set(places.FIGURES) - drawn == {"pupil"}, "build has drawn it, as it has the network"
    assert drawn <= set(places.FIGURES)


def test_contact_sheets_are_known_by_the_first_part_of_their_name(make):
    sheets = [places.sheet(number, "<b>") for number in (0, 42, 1234)]
    assert [sheet.file[14:] for sheet in sheets] == ["000.png", "042.png", "1234.png"]
    stray = sheets[0].model_copy(update={"file": "stray.png"})
    others = [places.single(name) for name in ("class_balance", "network", "data_spread")]
    found = figures_by_place(make(figures=[*sheets, stray, *others]))
    assert found["sheets"] == sheets
    assert found["more"] == [stray]
    assert [figure.file for figure in found["intake"]] == ["class_balance.png", "data_spread.png"]


@pytest.mark.parametrize(
    "text", ["1e3", "-1E-3", "2:4", "no", "x\x85y", "x\u2028y", "a\n---\nb", "=1+1", "猫", ""]
)
def test_the_recipe_comes_back_as_it_was_whatever_text_stands_in_it(make, facts, text):
    config = facts["config"] | {"ingest": {"classes": [text, "1"], "path": text}, "rate": 1e-05}
    written = places.recipe(make(config=config))
    assert parse(written, "the recipe") == config
