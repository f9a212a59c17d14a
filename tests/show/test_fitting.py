"""Text that is cut to the room it has."""

import numpy as np
import pytest

from pipeline.show import figures
from pipeline.show.fitting import fitted


def test_what_fits_stays_as_it_is():
    assert fitted("Ankle boot, 97 %", 3, 8) == "Ankle boot, 97 %"
    assert fitted(r"\$x_1\$", 3, 8) == r"\$x_1\$"


@pytest.mark.parametrize("end", [", 60 %", " 40 % +2", ": 50 %", " →"])
def test_of_what_does_not_only_the_name_is_cut(end):
    text = fitted(f"{'W' * 12}7{end}", 1.2, 8)
    assert text.endswith(f"7{end}")
    assert "…" in text
    assert len(text) < 13 + len(end)


def test_wide_letters_leave_fewer_of_them():
    wide, narrow = fitted("W" * 40, 1, 8), fitted("i" * 40, 1, 8)
    assert len(wide) < len(narrow)
    assert len(fitted("W" * 40, 1, 16)) < len(wide)


def test_each_line_has_the_room_to_itself_and_dollars_stay_no_formula():
    first, second = fitted(f"ab 60 %\n{'$W' * 20} 40 %".replace("$", r"\$"), 1, 8).split("\n")
    assert first == "ab 60 %"
    assert second.endswith(" 40 %")
    assert second.replace(r"\$", "").count("$") == 0


def test_captions_of_wide_letters_do_not_run_into_each_other():
    names = [f"{'W' * 30}{number}" for number in range(10)]
    images = np.zeros((8, 8, 8, 1), np.uint8)
    shares = np.eye(10)[np.arange(8)]
    pictures = figures.wrong_pictures(images, np.arange(8) + 1, shares, names)
    maps = [np.ones((8, 2, 2))] * 2
    pairs = np.stack([np.arange(8), np.arange(8) + 1], axis=1)
    for figure in (pictures, figures.grad_cam(images, maps, pairs, shares, names)):
        renderer = figure.canvas.get_renderer()
        boxes = [
            text.get_window_extent(renderer)
            for axes in figure.axes
            for text in axes.texts
            if text.get_text().strip()
        ]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)
