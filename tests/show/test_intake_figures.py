"""Figures of the pictures going in: balance, sizes and brightness, contact sheets."""

import tracemalloc

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from pipeline.show import figures
from pipeline.show.audit import Audit, ClassAudit
from pipeline.show.canvas import BLUE, GREY, ORANGE
from tests.show.drawn import ODD, pictures, saved, words


def some_classes(number, names=None):
    """Classes of 10, 20, 30 ... training pictures, half as many for test, a fifth to choose by."""
    return tuple(
        ClassAudit(
            name=names[i] if names else f"class {i}",
            train=10 * (i + 1),
            validation=2 * (i + 1),
            test=5 * (i + 1),
            brightness_mean=100,
            brightness_sd=10,
        )
        for i in range(number)
    )


def bars(figure, color):
    """Lengths in inches of the bars of a colour, from the top down."""
    (sheet,) = figure.axes
    found = [bar for bar in sheet.patches if isinstance(bar, Rectangle)]
    found = [bar for bar in found if to_hex(bar.get_facecolor()) == color]
    return np.array([bar.get_width() for bar in sorted(found, key=lambda bar: bar.get_y())])


@pytest.mark.parametrize("number", [2, 10, 30])
def test_every_class_has_its_bars_the_largest_first(number, tmp_path):
    classes = some_classes(number)
    figure = figures.class_balance(classes)
    train, validation, test = (bars(figure, color) for color in (BLUE, GREY, ORANGE))
    wanted = np.arange(number, 0, -1) / number
    np.testing.assert_allclose(train / train[0], wanted)
    np.testing.assert_allclose(test / train, 0.5)
    np.testing.assert_allclose(validation / train, 0.2)
    shown = words(figure)
    assert shown.index(f"class {number - 1}") < shown.index("class 0")
    assert f"{17 * number:,}" in shown
    saved(figure, tmp_path)


@pytest.mark.parametrize("number", [31, 200, 1000])
def test_of_many_classes_the_ends_are_drawn_and_the_rest_is_counted(number, tmp_path):
    figure = figures.class_balance(some_classes(number))
    assert len(bars(figure, BLUE)) == 30
    shown = words(figure)
    assert {f"class {number - 1}", f"class {number - 15}", "class 14", "class 0"} <= set(shown)
    assert "class 15" not in shown
    assert f"{number - 30:,} more classes lie between these" in shown
    assert figure.get_size_inches()[1] < 8
    saved(figure, tmp_path)


def test_names_of_the_balance_stay_on_the_page():
    figure = figures.class_balance(some_classes(2, ["W" * 80, "i"]))
    renderer = figure.canvas.get_renderer()
    (sheet,) = figure.axes
    assert all(text.get_window_extent(renderer).x0 >= 0 for text in sheet.texts)


def test_odd_class_names_are_drawn_without_a_warning(digits, tmp_path):
    saved(figures.class_balance(some_classes(len(ODD), ODD)), tmp_path)
    for number in range(len(ODD)):
        sheet = figures.contact_sheet(digits.images, digits.labels, ODD, number)
        saved(sheet, tmp_path)


def test_sizes_are_discs_whose_area_is_how_many(troubled, tmp_path):
    audit = Audit.model_validate(troubled)
    figure = figures.data_spread(audit.sizes, audit.brightness)
    _, sizes, _ = figure.axes
    (discs,) = sizes.collections
    np.testing.assert_array_equal(discs.get_offsets(), [(640, 480), (480, 640), (4000, 3000)])
    areas = discs.get_sizes()
    assert areas[1] / areas[0] == pytest.approx(5 / 9)
    assert areas[2] > 0.005 * areas[0], "nine pictures must still be seen"
    text = " ".join(words(figure)).replace("\n", " ")
    assert "came in 90 sizes, of which the 3 most frequent are drawn" in text
    saved(figure, tmp_path)


def test_one_size_is_said_and_the_histogram_takes_the_page(clean, tmp_path):
    audit = Audit.model_validate(clean)
    figure = figures.data_spread(audit.sizes, audit.brightness)
    _, histogram = figure.axes
    assert [bar.get_height() for bar in histogram.patches] == clean["brightness"]["histogram"]
    assert histogram.patches[3].get_x() == 3 * 256 / 8
    assert any("Every picture came as 8 × 8 pixels." in text for text in words(figure))
    saved(figure, tmp_path)


@pytest.mark.parametrize(
    "some", [[(28, 28), (30, 28)], [(1, 1), (9999, 2)], [(8, 900)], [(20, 20), (40, 60)]]
)
def test_any_sizes_have_axes_that_can_be_read(clean, some, tmp_path):
    most = [{"width": width, "height": height, "count": 3} for width, height in some]
    audit = Audit.model_validate(clean | {"sizes": clean["sizes"] | {"distinct": 99, "most": most}})
    figure = figures.data_spread(audit.sizes, audit.brightness)
    saved(figure, tmp_path)
    axes = figure.axes[1]
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert 2 <= len(ticks) <= 6


def tiles(figure, side, gap=1):
    """The pictures on a contact sheet, in the order in which they are read."""
    (mosaic,) = pictures(figure)
    pitch = side + gap
    return [
        mosaic[top : top + side, left : left + side]
        for top in range(0, mosaic.shape[0], pitch)
        for left in range(0, mosaic.shape[1], pitch)
    ]


def test_a_contact_sheet_is_spread_evenly_through_the_class(digits):
    rows = np.flatnonzero(digits.labels == 3)
    figure = figures.contact_sheet(digits.images, digits.labels, digits.classes, 3, count=5)
    wanted = rows[np.linspace(0, len(rows) - 1, 5).round().astype(int)]
    assert wanted[0] == rows[0]
    assert wanted[-1] == rows[-1]
    for tile, row in zip(tiles(figure, 8), wanted, strict=False):
        np.testing.assert_array_equal(tile, np.repeat(digits.images[row], 3, axis=2))
    assert any(f"5 of {len(rows)} training pictures" in text for text in words(figure))
    assert "3" in words(figure)


def test_a_small_class_is_shown_whole_and_once(digits):
    rows = np.flatnonzero(digits.labels == 8)[:9]
    figure = figures.contact_sheet(digits.images[rows], digits.labels[rows], digits.classes, 8)
    shown = tiles(figure, 8)
    assert len(shown) == 16
    for tile, row in zip(shown, rows, strict=False):
        np.testing.assert_array_equal(tile[..., :1], digits.images[row])
    assert all((tile == 255).all() for tile in shown[9:])
    assert any("All 9 training pictures" in text for text in words(figure))


def test_a_contact_sheet_keeps_colours_and_proportions(tmp_path):
    images = np.zeros((3, 30, 60, 3), np.uint8)
    images[:] = (200, 30, 90)
    (mosaic,) = pictures(figures.contact_sheet(images, np.zeros(3, int), ["a", "b"], 0))
    np.testing.assert_array_equal(mosaic[:30, :60], images[0])
    saved(figures.contact_sheet(images[..., :1], np.zeros(3, int), ["a", "b"], 0), tmp_path)


def test_large_pictures_are_reduced_one_at_a_time(tmp_path):
    shape = (12, 2000, 2000, 3)
    images = np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, shape)
    tracemalloc.start()
    try:
        figure = figures.contact_sheet(images, np.zeros(12, int), ["a", "b"], 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.4 * images.nbytes
    (mosaic,) = pictures(figure)
    assert mosaic.shape[1] < 1500


def test_where_there_are_too_many_classes_the_smallest_get_a_sheet():
    assert figures.sheet_classes([5, 9, 0, 7]) == [0, 1, 3]
    assert figures.sheet_classes([5, 9, 1, 7, 5], limit=3) == [0, 2, 4]
    assert len(figures.sheet_classes([10] * 200)) == 30


def test_equal_audits_give_equal_bytes(digits, troubled, tmp_path):
    audit = Audit.model_validate(troubled)
    for draw in (
        lambda: figures.class_balance(audit.classes),
        lambda: figures.data_spread(audit.sizes, audit.brightness),
        lambda: figures.contact_sheet(digits.images, digits.labels, digits.classes, 0),
    ):
        assert saved(draw(), tmp_path) == saved(draw(), tmp_path)
