"""Each figure on real digits, in grey and in colour, and on data that is odd."""

import matplotlib
import numpy as np
import pytest

from pipeline.show import figures
from pipeline.show.schema import Latency, Variant
from tests.marks import slow_but
from tests.show.drawn import ODD, pictures, saved, words


def in_colour(digits):
    return np.concatenate([digits.images, 255 - digits.images, digits.images // 2], axis=-1)


def row(name: str, size: int, accuracy: float, latency: float | None = 10.0) -> Variant:
    timed = Latency(p50=latency, p90=latency, p99=latency, threads=1, runs=9) if latency else None
    return Variant(
        name=name,
        status="ok",
        file="f",
        bytes=size,
        accuracy=accuracy,
        accuracy_ci95=(accuracy - 0.01, min(1.0, accuracy + 0.005)),
        latency_us=timed,
    )


ROWS = [
    row("float32", 115_000, 0.99, 30),
    row("int8", 36_104, 0.985, 12),
    row("prune", 36_101, 0.985),
]


def every_figure(digits):
    images, labels, probabilities, classes = digits
    matrix = np.zeros((10, 10), int)
    np.add.at(matrix, (labels, probabilities.argmax(1)), 1)
    return {
        "wrong": figures.wrong_pictures(images, labels, probabilities, classes),
        "least": figures.least_sure(images, labels, probabilities, classes),
        "bars": figures.probability_bars(images, labels, probabilities, classes),
        "augmentation": figures.augmentation_preview(images[:3], images[:6].reshape(2, 3, 8, 8, 1)),
        "matrix": figures.confusion_matrix(matrix, classes),
        "curves": figures.training_curves({"loss": [2.0, 1.0], "val_loss": [2.1, 1.2]}),
        "scatter": figures.size_accuracy_latency(ROWS, "int8"),
    }


def test_equal_data_gives_equal_bytes_whatever_the_settings_outside(digits, tmp_path):
    first = {name: saved(figure, tmp_path) for name, figure in every_figure(digits).items()}
    with matplotlib.rc_context({"font.size": 30, "figure.facecolor": "red", "axes.grid": True}):
        second = {name: saved(figure, tmp_path) for name, figure in every_figure(digits).items()}
    assert first == second
    assert not any(b"Software" in png or b"matplotlib" in png for png in first.values())


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were(digits):
    before = dict(matplotlib.rcParams)
    every_figure(digits)
    assert dict(matplotlib.rcParams) == before


def test_odd_class_names_are_drawn_without_a_warning(digits, tmp_path):
    images, labels, probabilities, _ = digits
    for draw in (figures.wrong_pictures, figures.least_sure, figures.probability_bars):
        saved(draw(images, labels, probabilities, ODD), tmp_path)
    saved(figures.confusion_matrix(np.eye(10, dtype=int), ODD), tmp_path)
    saved(figures.size_accuracy_latency([row(name or "-", 10, 0.9) for name in ODD]), tmp_path)


def test_wrong_pictures_are_the_misread_ones_the_surest_first(digits):
    images, labels, probabilities, classes = digits
    said, sure = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(said != labels)
    surest = wrong[np.argsort(-sure[wrong], kind="stable")[0]]
    figure = figures.wrong_pictures(images, labels, probabilities, classes, count=5)
    shown = pictures(figure)
    assert len(shown) == min(5, len(wrong))
    np.testing.assert_array_equal(shown[0], np.repeat(images[surest], 3, axis=2))
    caption = f"{labels[surest]} → {said[surest]}, {100 * sure[surest]:.0f} %"
    assert caption in words(figure)


def test_a_model_without_mistakes_is_told_so(digits, tmp_path):
    images, _, probabilities, classes = digits
    figure = figures.wrong_pictures(images, probabilities.argmax(1), probabilities, classes)
    assert any("Not one of 300 pictures was misread." in text for text in words(figure))
    saved(figure, tmp_path)


def test_the_least_sure_are_right_and_start_with_the_lowest(digits):
    images, labels, probabilities, classes = digits
    right = np.flatnonzero(probabilities.argmax(1) == labels)
    lowest = right[np.argmin(probabilities.max(1)[right])]
    figure = figures.least_sure(images, labels, probabilities, classes, count=3)
    np.testing.assert_array_equal(pictures(figure)[0][..., :1], images[lowest])
    assert f"{labels[lowest]}, {100 * probabilities[lowest].max():.0f} %" in words(figure)


def test_the_true_class_is_among_the_bars_even_when_it_came_last():
    shares = np.array([[0.3, 0.25, 0.2, 0.15, 0.07, 0.03]])
    images = np.zeros((1, 4, 4, 1), np.uint8)
    shown = words(figures.probability_bars(images, np.array([5]), shares, list("abcdef")))
    assert {"f ✓", "3 %", "d"} <= set(shown)
    assert "e" not in shown


def test_two_classes_are_enough(tmp_path):
    images = np.zeros((2, 4, 6, 3), np.uint8)
    shares = np.array([[0.6, 0.4], [0.2, 0.8]])
    for draw in (figures.probability_bars, figures.least_sure, figures.wrong_pictures):
        saved(draw(images, np.array([0, 1]), shares, ["left", "right"]), tmp_path)


def test_colour_stays_colour(digits):
    images = in_colour(digits)
    figure = figures.wrong_pictures(
        images, digits.labels, digits.probabilities, digits.classes, count=1
    )
    wrong = np.flatnonzero(digits.probabilities.argmax(1) != digits.labels)
    surest = wrong[np.argmax(digits.probabilities.max(1)[wrong])]
    np.testing.assert_array_equal(pictures(figure)[0], images[surest])


def test_augmented_copies_stand_under_their_originals(digits):
    originals = digits.images[:3]
    copies = np.stack([255 - originals, originals // 2])
    shown = pictures(figures.augmentation_preview(originals, copies))
    expected = [*originals, *(255 - originals), *(originals // 2)]
    assert len(shown) == 9
    for seen, wanted in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(seen[..., :1], wanted)


def test_under_a_mixed_copy_stands_what_it_shows_and_how_much(digits):
    originals = digits.images[:2]
    copies = np.stack([originals, originals])
    shares = np.zeros((2, 2, 10))
    shares[0, 0, [3, 8]] = 0.7, 0.3
    shares[0, 1, 4] = shares[1, 0, 5] = shares[1, 1, 6] = 1
    names = [f"digit {number}" for number in range(10)]
    said = words(figures.augmentation_preview(originals, copies, shares, names))
    assert "digit 3 70 %\ndigit 8 30 %" in said
    assert {"digit 4", "digit 5", "digit 6"} <= set(said)
    shares[0, 0] = np.eye(10)[3]  # where none is mixed, classes are not the matter
    plain = words(figures.augmentation_preview(originals, copies, shares, names))
    assert plain == words(figures.augmentation_preview(originals, copies))


@pytest.mark.parametrize("classes", slow_but([2, 26], [2, 26, 100]))
def test_a_confusion_matrix_holds_any_number_of_classes(classes, tmp_path):
    matrix = np.diag(np.full(classes, 7))
    matrix[0] = 0
    figure = figures.confusion_matrix(matrix, [f"class {i}" for i in range(classes)])
    assert saved(figure, tmp_path).startswith(b"\x89PNG")
    assert words(figure).count("7") == (0 if classes == 100 else classes - 1)


def test_a_hit_is_blue_and_a_miss_is_orange():
    figure = figures.confusion_matrix(np.array([[8, 2], [0, 5]]), ["a", "b"])
    (cells,) = pictures(figure)
    assert cells[0, 0, 2] > cells[0, 0, 0]
    assert cells[0, 1, 0] > cells[0, 1, 2]
    np.testing.assert_array_equal(cells[1, 0], [1, 1, 1, 1])


@pytest.mark.parametrize("epochs", [1, 2, 200])
def test_training_curves_show_the_best_epoch(epochs, tmp_path):
    history = {
        "loss": np.linspace(2, 0.01, epochs),
        "val_loss": [1.0] * (epochs - 1) + [0.5],
        "accuracy": np.linspace(0.1, 1, epochs),
        "learning_rate": [1e-3] * epochs,
    }
    figure = figures.training_curves(history)
    assert any(f"{epochs} of {epochs}" in text.replace("\n", " ") for text in words(figure))
    saved(figure, tmp_path)


def test_one_epoch_is_visible_as_points():
    axes = figures.training_curves({"loss": [1.0], "val_loss": [2.0]}).axes[1]
    curves = [line for line in axes.get_lines() if len(line.get_xdata()) == 1]
    assert [line.get_marker() for line in curves] == ["o", "o"]


def test_failed_variants_are_absent_from_the_scatter():
    failed = Variant(name="qat", status="failed", reason="no luck")
    shown = " ".join(words(figures.size_accuracy_latency([*ROWS, failed], "int8")))
    assert "int8" in shown
    assert "qat" not in shown


def test_labels_of_equal_files_do_not_cover_each_other(tmp_path):
    rows = [row(f"variant.{i}", 36_100 + i, 0.985, 10 + i) for i in range(6)]
    figure = figures.size_accuracy_latency(rows, "variant.3")
    renderer = figure.canvas.get_renderer()
    boxes = [
        text.get_window_extent(renderer)
        for axes in figure.axes
        for text in axes.texts
        if text.get_text().startswith("variant")
    ]
    assert len(boxes) == 6
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("rows", [[], ROWS[:1], [row("untimed", 9, 1.0, None)]])
def test_the_scatter_takes_few_variants_and_untimed_ones(rows, tmp_path):
    saved(figures.size_accuracy_latency(rows), tmp_path)
