"""A run over seeds or folds, as terminal, page, Markdown, csv and figure tell of it."""

import csv
import json
import re

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.show import album, figures, runs, words
from pipeline.show.report import render
from pipeline.show.schema import Report
from pipeline.show.terminal import plain_table
from tests.show.conftest import again
from tests.show.drawn import saved
from tests.show.drawn import words as written_on

ACCURACIES = np.array([356, 352, 357]) / 360
MEAN, SD = ACCURACIES.mean(), ACCURACIES.std(ddof=1)
FLOAT32 = f"{100 * MEAN:.2f} % ± {100 * SD:.2f} (n=3)"


@pytest.fixture
def files(seeds, figures_dir, tmp_path):
    render(seeds, figures_dir, tmp_path)
    return {kind: (tmp_path / f"report.{kind}").read_text() for kind in ("html", "md", "csv")}


def test_the_terminal_gives_mean_and_spread_in_eighty_columns(seeds):
    text = plain_table(seeds, width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert FLOAT32 in text
    assert "(n=2)" in text
    assert "over seeds" in text
    assert "the files are seed 4's" in text
    assert "qat failed: out of luck" in text


def test_folds_are_called_folds(folds):
    text = plain_table(folds)
    assert "over folds" in text
    assert "fold 1's" in text
    assert "seeds" not in text


def test_every_run_has_its_line_and_a_failed_one_says_why(seeds):
    lines = runs.lines(seeds, "accuracy")
    assert [line.name for line in lines] == ["seed 4", "seed 5", "seed 6"]
    assert [line.cells[0].value for line in lines] == ACCURACIES.tolist()
    assert lines[1].cells[1] == runs.Cell(None, "failed", "", "no | luck")
    assert lines[2].cells[1].drop == "+0.83 pp"


def test_columns_end_in_mean_and_spread_of_the_runs_that_succeeded(seeds):
    mean, spread = runs.summary(seeds, "accuracy")
    assert mean.cells[0].value == pytest.approx(MEAN)
    assert spread.cells[0].value == pytest.approx(SD)
    drops = 100 * np.array([1, 3]) / 360
    assert mean.cells[1].value == pytest.approx(np.mean([355, 354]) / 360)
    assert mean.cells[1].drop == f"+{drops.mean():.2f} pp"
    assert spread.cells[1].drop == f"± {drops.std(ddof=1):.2f}"
    assert mean.cells[3] == runs.Cell(None, "–")


def test_page_and_markdown_hold_mean_and_spread_and_every_run(files):
    for text in (files["html"], files["md"]):
        flat = re.sub(r"\s*<[^>]+>\s*", " ", text).replace("\\", "")
        assert FLOAT32 in flat
        for name in ("seed 4", "seed 5", "seed 6"):
            assert name in flat
        assert "no | luck" in text.replace("\\|", "|")
    assert files["html"].count("published</span>") == 2  # a table of test, one of validation


def test_the_spreadsheet_has_columns_for_every_run(files, report, figures_dir, tmp_path):
    rows = list(csv.DictReader(files["csv"].splitlines()))
    assert [float(rows[0][f"accuracy_seed_{seed}"]) for seed in (4, 5, 6)] == ACCURACIES.tolist()
    assert rows[1]["accuracy_seed_5"] == ""
    assert float(rows[0]["seeds_sd"]) == pytest.approx(SD)
    assert float(rows[1]["seeds_drop_pp_mean"]) == pytest.approx(100 * 2 / 360)


def test_a_single_run_is_told_as_ever(report, figures_dir, tmp_path):
    render(report, figures_dir, tmp_path)
    assert "replicas" not in json.loads((tmp_path / "report.json").read_text())
    header = (tmp_path / "report.csv").read_text().splitlines()[0]
    assert header.count("seeds_") == 3, "n, mean and sd stood there always"
    assert 'id="replicas"' not in (tmp_path / "report.html").read_text()
    drawn = {plate.picture.file for plate in album.plates(report, {})}
    assert "accuracy_by_run.png" not in drawn


def test_json_holds_every_run_and_reads_back(seeds):
    text = seeds.to_json()
    written = json.loads(text)
    assert Report.model_validate_json(text) == seeds
    assert {key: written["variants"][0]["seeds"][key] for key in ("n", "mean", "sd")} == {
        "n": 3,
        "mean": pytest.approx(MEAN),
        "sd": pytest.approx(SD),
    }
    assert [one["seed"] for one in written["replicas"]] == [4, 5, 6]


def test_runs_of_other_variants_are_refused(facts):
    facts = again(facts)
    facts["replicas"][1]["variants"].pop()
    with pytest.raises(ValidationError, match="replica 2 has other variants"):
        Report.model_validate(facts)


@pytest.mark.parametrize("change", [{"status": "ok"}, {"reason": None}, {"accuracy": 1.2}], ids=str)
def test_a_result_that_cannot_be_true_is_refused(facts, change):
    facts = again(facts)
    facts["replicas"][1]["variants"][1] |= change
    with pytest.raises(ValidationError):
        Report.model_validate(facts)


def test_words_say_what_is_published_and_how_folds_mislead(seeds, folds):
    said = " ".join(words.how_often(seeds))
    assert "ran 3 times on one split, with seeds 4 to 6" in said
    assert "is of seed 4" in said
    assert "4 of the 12 results are missing" in said
    said = " ".join(words.how_often(folds))
    assert "into 3 folds" in said
    assert "is of fold 1" in said
    assert "flatters" in said
    assert not [line for line in words.how_sure(seeds) if "one training run" in line]


def dots(figure):
    return [patch for axes in figure.axes for patch in axes.patches if hasattr(patch, "radius")]


def test_the_figure_has_a_dot_for_every_result(seeds, folds, tmp_path):
    figure = figures.accuracy_by_run(seeds.variants, seeds.replicas)
    assert len(dots(figure)) == 3 + 2 + 3
    filled = [dot for dot in dots(figure) if dot.get_facecolor()[:3] != (1, 1, 1)]
    assert len(filled) == 3, "those of the published files"
    assert f"{100 * MEAN:.2f} ± {100 * SD:.2f}" in written_on(figure)
    assert len(dots(figures.accuracy_by_run(folds.variants, folds.replicas))) == 2 * 8
    assert saved(figure, tmp_path) == saved(
        figures.accuracy_by_run(seeds.variants, seeds.replicas), tmp_path
    )


def test_no_dot_hides_another(seeds):
    """All three seeds of prune+int8 came to the same accuracy."""
    figure = figures.accuracy_by_run(seeds.variants, seeds.replicas)
    centres = {tuple(np.round(dot.center, 4)) for dot in dots(figure)}
    assert len(centres) == len(dots(figure))


def test_the_lines_of_deviations_end_within_the_axis(seeds):
    figure = figures.accuracy_by_run(seeds.variants, seeds.replicas)
    sheet, axes = figure.axes
    left, right = axes.get_position().x0, axes.get_position().x1
    width = figure.get_size_inches()[0]
    for line in sheet.get_lines():
        assert left * width <= min(line.get_xdata())
        assert max(line.get_xdata()) <= right * width
