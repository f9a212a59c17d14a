"""Data spread: the sizes pictures came in, beside how bright they are."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    Locator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from pipeline.show import numbers
from pipeline.show.audit import Brightness, Sizes
from pipeline.show.canvas import (
    BLUE,
    GREY,
    HEAD,
    INK,
    MARGIN,
    MUTED,
    SMALL_SIZE,
    WIDTH,
    drawn,
    page,
    panel,
)

_HEIGHT, _FOOT, _LABELS = 2.1, 0.55, 0.5
_LARGEST, _SMALLEST = 15.0, 2.5  # radii in points
_STEPS = ((1, 2, 5), (1, 3), (1,))  # ticks of a decade, the closest first


@drawn
def data_spread(sizes: Sizes, brightness: Brightness) -> Figure:
    """Width against height before resizing, and a histogram of each picture's mean gray level.

    Where every picture came in one size that is said, and the histogram takes the page.
    """
    one = sizes.most[0] if sizes.distinct == 1 and sizes.most else None
    if one:
        subtitle = f"Every picture came as {one.width} × {one.height} pixels."
    else:
        subtitle = f"Pictures came in {sizes.distinct:,} sizes"
        if len(sizes.most) < sizes.distinct:
            subtitle += f", of which the {len(sizes.most)} most frequent are drawn"
        subtitle += ": the area of a disc is how many, and square ones lie on the line."
    subtitle += f" Dotted: mean brightness, {brightness.mean:.0f} of 255."
    figure, sheet = page("Sizes and brightness", subtitle, _HEIGHT + _FOOT + 0.25)
    full = WIDTH - MARGIN - 0.15
    width = full - _LABELS if one else full / 2 - _LABELS
    top = HEAD + 0.2
    if not one:
        _heading(sheet, MARGIN, top, "sizes in pixels")
        _draw_sizes(panel(figure, MARGIN + _LABELS, top, width, _HEIGHT), sizes)
    left = MARGIN if one else MARGIN + full / 2 + 0.1
    _heading(sheet, left, top, "brightness")
    axes = panel(figure, left + _LABELS, top, width - (0 if one else 0.1), _HEIGHT)
    _draw_brightness(axes, brightness)
    return figure


def _heading(sheet: Axes, left: float, top: float, text: str) -> None:
    sheet.text(left, top - 0.1, text, weight="bold", size=SMALL_SIZE, va="bottom")


def _draw_sizes(axes: Axes, sizes: Sizes) -> None:
    """Discs on equal logarithmic scales, so that equal proportions lie on parallel lines."""
    ends = [side for size in sizes.most for side in (size.width, size.height)]
    middle = math.sqrt(min(ends) * max(ends))
    reach = max(math.sqrt(max(ends) / min(ends)) * 1.35, 1.6)
    low, high = middle / reach, middle * reach
    locator = _ticks(low, high)
    for axis, scale, limit in (
        (axes.xaxis, axes.set_xscale, axes.set_xlim),
        (axes.yaxis, axes.set_yscale, axes.set_ylim),
    ):
        scale("log")
        limit(low, high)
        axis.set_major_locator(locator)
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    axes.grid()
    axes.tick_params(length=0)
    axes.plot([low, high], [low, high], color=GREY, linewidth=1, zorder=1)
    most = max(size.count for size in sizes.most)
    axes.scatter(
        [size.width for size in sizes.most],
        [size.height for size in sizes.most],
        s=[4 * max(_LARGEST**2 * size.count / most, _SMALLEST**2) for size in sizes.most],
        facecolor=BLUE,
        edgecolor="white",
        linewidth=0.6,
        alpha=0.75,
    )
    axes.set_xlabel("width", size=SMALL_SIZE)
    axes.set_ylabel("height", size=SMALL_SIZE)


def _ticks(low: float, high: float) -> Locator:
    """Round numbers of a logarithmic axis: neither fewer than three nor so many that they touch."""
    for steps in _STEPS:
        round_ones = [step * 10**power for power in range(7) for step in steps]
        ticks = [tick for tick in round_ones if low <= tick <= high]
        if len(ticks) <= 6:
            break
    return FixedLocator(ticks) if len(ticks) >= 3 else MaxNLocator(4, integer=True)


def _draw_brightness(axes: Axes, brightness: Brightness) -> None:
    bins = len(brightness.histogram)
    step = 256 / bins
    left = [number * step for number in range(bins)]
    axes.bar(left, brightness.histogram, width=step * 0.92, align="edge", color=BLUE, linewidth=0)
    axes.axvline(brightness.mean, color=INK, linewidth=1, linestyle=":")
    axes.set_xlim(0, 256)
    axes.set_xticks([0, 64, 128, 192, 255])
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.amount(value)))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("mean gray level of a picture", size=SMALL_SIZE)
    axes.set_ylabel("pictures", size=SMALL_SIZE, color=MUTED)
