"""Accuracy by run: a dot for each seed or fold, variant by variant."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipeline.show import numbers
from pipeline.show.canvas import (
    BLUE,
    GREY,
    HEAD,
    INK,
    MARGIN,
    MUTED,
    ORANGE,
    SMALL_SIZE,
    WIDTH,
    drawn,
    page,
    panel,
)
from pipeline.show.names import class_labels
from pipeline.show.replicas import OverSeeds, Replica
from pipeline.show.runs import over
from pipeline.show.variant import Variant

_LANE, _GAP, _FOOT, _RADIUS = 0.34, 0.14, 0.5, 0.05
_RIGHT = 1.0  # for mean and spread in figures
_NARROWEST = 0.01  # of accuracy: less would make a picture or two look like a gulf


@drawn
def accuracy_by_run(
    variants: Sequence[Variant], replicas: Sequence[Replica], measure: str = "accuracy"
) -> Figure:
    """Each replica's accuracy as a dot, with mean and standard deviation; a variant a row.

    On the test split; over folds also, below, on the validation pictures of each. The dot of the
    first replica, whose files are published, is filled. `measure` is what accuracy is called.
    """
    folds = replicas[0].fold is not None
    lanes = [("accuracy", BLUE), ("validation_accuracy", ORANGE)][: 2 if folds else 1]
    names = [variant.name for variant in variants]
    kind = "fold" if folds else "seed"
    subtitle = (
        f"A dot is a {kind}, filled where its files are the published ones. The bar is the mean, "
        "the line one standard deviation either way."
    )
    if folds:
        subtitle += " Blue: test. Orange: validation."
    pitch = len(lanes) * _LANE + _GAP
    height = len(names) * pitch
    figure, sheet = page(f"{measure.capitalize()} by {kind}", subtitle, height + _FOOT + 0.1)
    labels = class_labels(names, limit=24)
    left = MARGIN + 0.12 + _widest(sheet, labels)
    axes = panel(figure, left, HEAD, WIDTH - left - _RIGHT, height)
    _scales(axes, [value for key, _ in lanes for value in _extent(variants, replicas, key)], height)
    axes.set_xlabel(measure, size=SMALL_SIZE)
    for row, label in enumerate(labels):
        top = row * pitch + _GAP / 2
        middle = HEAD + top + (pitch - _GAP) / 2
        sheet.text(left - 0.12, middle, label, ha="right", va="center", size=SMALL_SIZE)
        for lane, (key, color) in enumerate(lanes):
            y = HEAD + top + (lane + 0.5) * _LANE
            dots = [(getattr(one.variants[row], key), one.number) for one in replicas]
            _lane(axes, sheet, over(variants[row], key), dots, color, y)
    return figure


def _widest(sheet: Axes, labels: Sequence[str]) -> float:
    """Inches of the longest label."""
    texts = [sheet.text(0, 0, label, size=SMALL_SIZE) for label in labels]
    renderer = sheet.figure.canvas.get_renderer()
    width = max(float(text.get_window_extent(renderer).width) for text in texts)
    for text in texts:
        text.remove()
    return width / float(sheet.figure.dpi)


def _extent(variants: Sequence[Variant], replicas: Sequence[Replica], key: str) -> list[float]:
    """All that has to find room on the axis: accuracies, and where deviations end."""
    rows = (row for one in replicas for row in one.variants)
    found = [value for row in rows if (value := getattr(row, key)) is not None]
    for both in filter(None, (over(variant, key) for variant in variants)):
        found += [both.mean - (both.sd or 0), both.mean + (both.sd or 0)]
    return found


def _scales(axes: Axes, values: Sequence[float], height: float) -> None:
    low, high = min(values, default=0.0), max(values, default=1.0)
    slack = max(0.08 * (high - low), (_NARROWEST - (high - low)) / 2, 0.001)
    axes.set_xlim(low - slack, high + slack)
    axes.set_ylim(height, 0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{100 * value:.4g} %" if value <= 1 + 1e-9 else "")
    )
    axes.set_yticks([])
    axes.grid(axis="x")
    axes.tick_params(axis="x", length=0)
    axes.spines["left"].set_visible(False)


def _lane(
    axes: Axes,
    sheet: Axes,
    both: OverSeeds | None,
    dots: Sequence[tuple[float | None, int]],
    color: str,
    y: float,
) -> None:
    """One variant on one split: dots at the height `y` of the page, and what they come to."""
    right = WIDTH - _RIGHT + 0.12
    if both is None:
        sheet.text(right, y, numbers.MISSING, va="center", size=SMALL_SIZE, color=MUTED)
        return
    mean, sd = both.mean, both.sd
    shown = sorted((value, number) for value, number in dots if value is not None)
    ends = [_inches(axes, mean - (sd or 0)), _inches(axes, mean + (sd or 0))]
    sheet.plot(ends, [y, y], color=GREY, linewidth=1.2, zorder=2)
    sheet.plot([_inches(axes, mean)] * 2, [y - 0.13, y + 0.13], color=INK, linewidth=1.6, zorder=3)
    said = numbers.percent(mean).removesuffix(" %")
    text = said if sd is None else f"{said} {numbers.give_or_take(100 * sd)}"
    sheet.text(right, y, text, va="center", size=SMALL_SIZE, color=color)
    places = [_inches(axes, value) for value, _ in shown]
    for (_, number), x, lift in zip(shown, places, _lifts(places), strict=True):
        dot = Circle((x, y + lift), _RADIUS, edgecolor=color, linewidth=1.1)
        dot.set_zorder(5 if number == 1 else 4)
        dot.set_facecolor(color if number == 1 else "white")
        sheet.add_patch(dot)


def _lifts(places: Sequence[float]) -> list[float]:
    """How far each dot, from left to right, goes up or down so that none hides another."""
    groups: list[list[float]] = []
    for x in places:
        if groups and x - groups[-1][0] < 2 * _RADIUS:
            groups[-1].append(x)
        else:
            groups.append([x])
    lifts = []
    for group in groups:
        step = min(1.6 * _RADIUS, (_LANE - 2 * _RADIUS) / max(len(group) - 1, 1))
        lifts += [(place - (len(group) - 1) / 2) * step for place in range(len(group))]
    return lifts


def _inches(axes: Axes, value: float) -> float:
    """Where an accuracy lies on the page, from its left edge."""
    found = axes.figure.dpi_scale_trans.inverted().transform(axes.transData.transform((value, 0)))
    return float(found[0])
