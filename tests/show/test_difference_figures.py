"""The figures of a file beside float32: reliability, change of the confusion, lost pictures."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from pipeline.show import figures
from pipeline.show.canvas import BLUE, ORANGE
from pipeline.show.reliability import Calibrated
from tests.show.drawn import ODD, pictures, saved, words


def bins(*filled):
    """Fifteen bins, of which those given as place, count, confidence, accuracy hold answers."""
    rows = [{"low": n / 15, "high": (n + 1) / 15, "count": 0} for n in range(15)]
    rows = [row | dict.fromkeys(("confidence", "accuracy", "interval")) for row in rows]
    for place, count, sure, right in filled:
        span = (max(0.0, right - 0.1), min(1.0, right + 0.1))
        rows[place] |= {"count": count, "confidence": sure, "accuracy": right, "interval": span}
    return rows


FLOAT32 = Calibrated("float32", 0.0123, bins((14, 90, 0.97, 0.95), (7, 10, 0.52, 0.6)))
INT8 = Calibrated("int8", 0.0456, bins((14, 95, 0.98, 0.93), (0, 5, 0.0, 0.0)))


def test_reliability_shows_both_models_with_their_error_and_their_bins(tmp_path):
    figure = figures.reliability([FLOAT32, INT8])
    said = words(figure)
    assert {"float32", "ECE 1.23 %", "int8", "ECE 4.56 %", "95.0 %"} <= {*said, *scales(figure)}
    _, *panels = figure.axes
    assert len(panels) == 4
    heights = [[round(bar.get_height(), 3) for bar in axes.patches] for axes in panels]
    assert heights == [[0.6, 0.95], [0.1, 0.9], [0.0, 0.93], [0.05, 0.95]]
    gaps = [line for line in panels[0].get_lines() if line.get_color() == ORANGE]
    assert [tuple(line.get_ydata()) for line in gaps] == [(0.52, 0.6), (0.97, 0.95)]
    saved(figure, tmp_path)


def scales(figure):
    return [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]


def test_reliability_of_one_model_and_of_several_labels(tmp_path):
    figure = figures.reliability([FLOAT32], several=True)
    assert len(figure.axes) == 3
    assert figure.axes[2].get_xlabel() == "probability"
    assert any("the share that is there" in text.replace("\n", " ") for text in words(figure))
    long = FLOAT32._replace(name="slim.half+prune.blocks+cluster+$int8$")
    assert saved(figures.reliability([FLOAT32, long]), tmp_path).startswith(b"\x89PNG")


def test_a_change_for_the_better_is_blue_and_for_the_worse_orange():
    change = np.array([[2, -2, 0], [1, -3, 2], [0, 0, 0]])
    figure = figures.confusion_change(change, ["a", "b", "c"])
    (cells,) = pictures(figure)
    blue, red = cells[..., 2], cells[..., 0]
    assert (blue[0, 0] > red[0, 0]) & (blue[0, 1] > red[0, 1]), "a hit more, a mix-up less"
    assert (red[1, 0] > blue[1, 0]) & (red[1, 2] > blue[1, 2]), "mix-ups more"
    assert to_hex(cells[1, 1]) == ORANGE, "the most"
    assert to_hex(cells[2, 2]) == "#ffffff"
    assert [text for text in words(figure) if text[:1] in "+−"] == ["+2", "−2", "+1", "−3", "+2"]
    (better,) = pictures(figures.confusion_change(-change, ["a", "b", "c"]))
    assert to_hex(better[1, 1]) == BLUE


def test_of_many_classes_those_are_shown_that_changed(tmp_path):
    names = [f"class {number}" for number in range(100)]
    change = np.zeros((100, 100), int)
    change[7, 7], change[7, 42] = -1, 1
    figure = figures.confusion_change(change, names)
    assert pictures(figure)[0].shape == (2, 2, 4)
    assert {"class 7", "class 42", "−1", "+1"} <= set(words(figure))
    assert any("2 of 100 classes, nothing changed in the others" in one for one in plain(figure))
    change[np.arange(100), np.arange(100)] = -np.arange(1, 101)
    figure = figures.confusion_change(change, names)
    assert pictures(figure)[0].shape == (24, 24, 4)
    assert any("24 of 100 classes, where most changed" in one for one in plain(figure))
    assert {"class 99", "−100"} <= set(words(figure))
    saved(figure, tmp_path)


def plain(figure):
    return [text.replace("\n", " ") for text in words(figure)]


def spoiled(digits):
    """Probabilities that differ from those of the digits on some pictures, and where they do."""
    reference = digits.probabilities
    right = np.flatnonzero(reference.argmax(axis=1) == digits.labels)
    wrong = np.flatnonzero(reference.argmax(axis=1) != digits.labels)
    own = reference.copy()
    for place, row in enumerate(right[:3]):
        own[row] = 0.01
        own[row, (digits.labels[row] + 1) % 10] = 0.6 + 0.1 * place
    own[wrong[0]] = np.eye(10)[digits.labels[wrong[0]]]
    return own, right[:3]


def test_lost_pictures_come_with_both_answers_the_surest_mistake_first(digits):
    images, labels, reference, classes = digits
    own, lost = spoiled(digits)
    figure = figures.changed_pictures(images, labels, (reference, own), classes, "qat")
    shown = pictures(figure)
    assert len(shown) == 3
    np.testing.assert_array_equal(shown[0], np.repeat(images[lost[2]], 3, axis=2))
    said = words(figure)
    row = lost[2]
    assert f"{labels[row]}, {100 * reference[row].max():.0f} % →" in said
    assert f"{(labels[row] + 1) % 10}, 80 %" in said
    told = " ".join(plain(figure))
    assert "All 3 test pictures read right by float32 and not by qat" in told
    assert "The other way round: 1." in told


def test_of_many_lost_pictures_some_are_shown_and_all_are_counted(digits):
    images, labels, reference, classes = digits
    own = np.roll(reference, 1, axis=1)
    lost = (reference.argmax(1) == labels) & (own.argmax(1) != labels)
    figure = figures.changed_pictures(images, labels, (reference, own), classes, count=5)
    assert len(pictures(figure)) == 5
    assert any(f"5 of {lost.sum()} test pictures" in text for text in plain(figure))


def test_where_no_picture_is_lost_none_is_drawn(digits):
    images, labels, reference, classes = digits
    perfect = np.eye(10)[labels]
    assert figures.changed_pictures(images, labels, (reference, reference), classes) is None
    assert figures.changed_pictures(images, labels, (reference, perfect), classes) is None


def test_of_several_labels_the_class_that_went_wrong_is_named():
    images = np.zeros((3, 8, 8, 1), np.uint8)
    labels = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 0]], np.uint8)
    reference = np.array([[0.9, 0.8, 0.1], [0.1, 0.1, 0.4], [0.1, 0.2, 0.1]])
    own = np.array([[0.45, 0.1, 0.1], [0.1, 0.1, 0.7], [0.1, 0.9, 0.1]])
    said = words(figures.changed_pictures(images, labels, (reference, own), ["cat", "dog", "eel"]))
    first, second = said.index("missed dog +1"), said.index("spurious eel")
    assert first < second, "the surest first"
    assert (said[first + 1], said[second + 1]) == ("80 % → 10 %", "40 % → 70 %")
    assert "The other way round: 1." in " ".join(said).replace("\n", " ")
    own[1, 2] = 0.5  # a yes, and no surer than that: an int8 file says so often
    said = words(figures.changed_pictures(images, labels, (reference, own), ["cat", "dog", "eel"]))
    assert said[said.index("spurious eel") + 1] == "40 % → 50 %"


@pytest.mark.parametrize("classes", [ODD, ["x" * 70 + str(n) for n in range(10)]])
def test_odd_names_are_drawn_without_a_warning(digits, classes, tmp_path):
    images, labels, reference, _ = digits
    own, _ = spoiled(digits)
    saved(figures.changed_pictures(images, labels, (reference, own), classes, ODD[1]), tmp_path)
    saved(figures.confusion_change(np.diag(range(10)), classes, "\n".join(ODD)), tmp_path)


def test_two_classes_are_enough(tmp_path):
    images, labels = np.zeros((2, 4, 6, 3), np.uint8), np.array([0, 1])
    reference, own = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.4, 0.6], [0.2, 0.8]])
    names = ["left", "right"]
    saved(figures.changed_pictures(images, labels, (reference, own), names), tmp_path)
    figure = figures.confusion_change(np.array([[-1, 1], [0, 0]]), names)
    assert {"left", "right", "−1", "+1"} <= set(words(figure))
    saved(figure, tmp_path)
