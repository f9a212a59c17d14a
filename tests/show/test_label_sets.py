"""Figures and sentences of pictures that may show several classes."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from pipeline.show import figures, places, words
from pipeline.show.audit import Audit
from pipeline.show.bars import _shown
from pipeline.show.canvas import ORANGE
from pipeline.show.findings import findings
from pipeline.show.html import to_html
from pipeline.show.intake import used
from pipeline.show.markdown import to_markdown
from pipeline.show.rows import ANSWER, DETAILS, measured, table
from pipeline.show.terminal import plain_table
from tests.show.drawn import words as texts

CLASSES = ["cat", "dog", "eel"]
IMAGES = np.zeros((4, 8, 8, 1), np.uint8)
LABELS = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]], np.uint8)
SAID = np.array([[0.9, 0.1, 0.8], [0.1, 0.2, 0.45], [0.2, 0.9, 0.7], [0.9, 0.99, 0.1]])


def test_a_wrong_picture_says_what_was_missed_and_what_is_not_there():
    said = texts(figures.wrong_sets(IMAGES, LABELS, SAID, CLASSES))
    places = [said.index(text) for text in ("spurious dog", "missed dog", "spurious eel")]
    assert places == sorted(places), "the surest mistake first"
    assert any(text.startswith("All 2 pictures with a mistake") for text in said)


def test_a_set_read_right_throughout_says_so():
    perfect = LABELS * 0.9 + 0.05
    assert "Of 4 pictures, every class was read right." in texts(
        figures.wrong_sets(IMAGES, LABELS, perfect, CLASSES)
    )
    assert "Not one picture was read right." in texts(
        figures.least_sure_sets(IMAGES, LABELS, 1 - perfect, CLASSES)
    )


def test_least_sure_is_whose_class_came_nearest_to_a_half():
    said = texts(figures.least_sure_sets(IMAGES, LABELS, SAID, CLASSES))
    first, second = said.index("none"), said.index("dog, eel")
    assert said[first + 1] == "eel: 45 %"
    assert said[second + 1] == "eel: 70 %"
    assert first < second


def test_probability_bars_tick_all_that_is_there():
    figure = figures.probability_bars(IMAGES, LABELS, SAID, CLASSES, count=4)
    said = texts(figure)
    orange = [bar for bar in figure.axes[0].patches if to_hex(bar.get_facecolor()) == ORANGE]
    assert len(orange) == 2, "the classes from 50 % on that are not there"
    assert said.count("dog ✓") == 2
    assert said.count("cat ✓") == 2
    assert "Torn between yes and no" in said
    shares = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.01, 0.02])
    assert _shown(shares, {5, 6}) == [0, 1, 2, 6, 5]
    assert _shown(shares, {0}) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [3, 45])
def test_scores_of_classes_come_weakest_first_and_at_most_thirty(count):
    rows = [
        {"class": f"c{n}", "precision": 0.5, "recall": 0.9, "f1": 1 - n / 100, "support": n,
         "average_precision": None if n == 0 else 0.8}
        for n in range(count)
    ]  # fmt: skip
    said = texts(figures.class_scores(rows))
    names = [text for text in said if text.startswith("c") and text[1:].isdigit()]
    assert names == [f"c{n}" for n in reversed(range(count))][:30]


def test_a_mixture_of_several_labels_is_told_class_by_class():
    shares = np.array([[[0.7, 0.3, 0.3], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]])
    said = texts(figures.augmentation_preview(IMAGES[:3], IMAGES[None, :3], shares, CLASSES))
    assert {"cat 70 %\ndog 30 % +1", "none", "cat"} <= set(said)
    flags = LABELS[None, :3].astype(float)
    assert "cat" not in texts(figures.augmentation_preview(IMAGES[:3], IMAGES[None, :3], flags))


def test_a_contact_sheet_shows_the_pictures_of_its_class():
    figure = figures.contact_sheet(IMAGES, LABELS, CLASSES, 1)
    assert "All 2 training pictures of this class." in texts(figure)


def test_figures_speak_of_exact_match_where_accuracy_is():
    assert places.single("accuracy_by_run", several=True).title == "Exact match by run"
    assert places.single("accuracy_by_run").title == "Accuracy by run"


@pytest.fixture
def several(make):
    """A report of a run whose pictures may show several classes."""
    scores = {"precision": 0.5, "recall": 0.9, "f1": 0.6, "support": 9, "average_precision": 0.77}
    made = make()
    evaluation = {
        "split": "test", "accuracy": 0.9, "accuracy_ci95": [0.85, 0.94], "loss": 0.1,
        "threshold": 0.5, "macro_f1": 0.81, "micro_f1": 0.82, "mean_average_precision": 0.83,
        "hamming_loss": 0.02, "per_class": [{"class": n, **scores} for n in made.dataset.classes],
    }  # fmt: skip
    dataset = made.dataset.model_copy(update={"multi_label": True})
    return make(dataset=dataset.model_dump(mode="json", by_alias=True), evaluation=evaluation)


def test_a_report_of_several_labels_says_exact_match(several, make, figures_dir):
    page = to_html(several, figures_dir)
    for text in (page, to_markdown(several), plain_table(several, width=160)):
        assert "exact match" in text
    assert page.count('data-key="average_precision"') == 11
    told = to_markdown(several)
    assert "average precision" in told
    assert "82.00 %" in told
    assert "2.00 %" in told
    assert "got every class right on" in told
    assert "is the binary one" in told
    headings = [one.heading for one in measured(ANSWER, table(several), several)]
    assert "exact match" in headings
    assert "accuracy" not in headings
    hints = " ".join(one.hint for one in measured(DETAILS, table(several), several))
    assert "exact match on validation pictures" in hints
    assert words.measure(make()) == "accuracy"
    assert words.trained_on(make()) is None
    assert "exact match" not in plain_table(make(), width=160)


def test_one_label_a_picture_is_told_without_what_is_of_several(make):
    told = to_markdown(make())
    assert "average precision" not in told
    assert "exact match" not in told.lower()


def test_pictures_are_counted_once_and_their_labels_told(make):
    audit = make().dataset.audit
    several = Audit.model_validate(
        audit.model_dump(mode="json") | {"labels_per_picture": [3, 0, 5, 0, 1]}
    )
    assert used(several) == 9
    assert findings(several)[0] == (
        "A picture may show several classes: of 9 pictures 3 no class, 5 two, 1 4; 1.56 in the "
        "mean."
    )
