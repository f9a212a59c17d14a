"""Size against accuracy, with latency as area: where each variant stands."""

import math
from collections.abc import Sequence
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from pipeline.show import numbers, pareto
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
from pipeline.show.names import class_labels
from pipeline.show.placing import Box, Disc, place_labels, side_by_side
from pipeline.show.schema import Variant

_LEFT, _RIGHT, _HEIGHT, _FOOT = 0.72, 0.22, 3.5, 0.92
_LARGEST, _SMALLEST = 0.21, 0.045
_NO_LATENCY = 0.07
_LEGEND = 84  # characters of a line of it


@drawn
def size_accuracy_latency(
    variants: Sequence[Variant], recommended: str | None = None, measure: str = "accuracy"
) -> Figure:
    """Bytes (log) against accuracy with its 95 % interval; a disc's area is its latency.

    Variants that are not ok are absent. The recommended one is filled blue and in bold. A dashed
    line of steps is the Pareto front. `measure` is what accuracy is called.
    """
    rows = [row for row in variants if row.status == "ok" and row.bytes]
    rows.sort(key=lambda row: row.name != recommended)
    subtitle = (
        "Up is more accurate, left is smaller; the area of a disc is its latency (p50), "
        "the bars are 95 % intervals. Files of one size stand side by side."
    )
    figure, sheet = page(f"Size, {measure}, latency", subtitle, _HEIGHT + _FOOT)
    if not rows:
        sheet.text(_LEFT, HEAD + 0.4, "No variant was measured.", size=10, color=MUTED)
        return figure
    axes = panel(figure, _LEFT, HEAD, WIDTH - _LEFT - _RIGHT, _HEIGHT)
    _scales(axes, rows)
    axes.set_ylabel(f"{measure} on the test pictures", size=SMALL_SIZE)
    discs = _draw(axes, sheet, rows, recommended)
    lines = [_interval(axes, row, disc) for row, disc in zip(rows, discs, strict=True)]
    lines += _draw_front(sheet, rows, discs, measure)
    _write_labels(sheet, rows, discs, lines, recommended)
    return figure


def _draw_front(
    sheet: Axes, rows: Sequence[Variant], discs: Sequence[Disc], measure: str
) -> list[Box]:
    """Draw the Pareto front and say what it is; return the boxes of its steps."""
    front = pareto.pareto_front(rows)
    xs, ys = pareto.steps([discs[place] for place in front], WIDTH - _RIGHT)
    look = {"color": INK, "linewidth": 0.9, "linestyle": (0, (4, 2.5)), "zorder": 2.5}
    sheet.plot(xs, ys, **look)
    y = HEAD + _HEIGHT + 0.65
    sheet.plot([MARGIN, MARGIN + 0.32], [y, y], **look)
    text = fill(pareto.legend([rows[place] for place in front], measure), _LEGEND)
    style = {"size": SMALL_SIZE, "color": MUTED, "linespacing": 1.3}
    sheet.text(MARGIN + 0.4, y - 0.07, text, va="top", **style)
    return pareto.boxes(xs, ys)


def _scales(axes: Axes, rows: Sequence[Variant]) -> None:
    sizes = [row.bytes or 1 for row in rows]
    middle = math.sqrt(min(sizes) * max(sizes))
    # Files of nearly one size would fill the axis with their noise: show at least a factor of 3.
    reach = max(math.sqrt(max(sizes) / min(sizes)) * 1.3, math.sqrt(3))
    axes.set_xscale("log")
    axes.set_xlim(middle / reach, middle * reach)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.round_size(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    ends = [end for row in rows for end in (row.accuracy_ci95 or ())]
    slack = max(0.12 * (max(ends) - min(ends)), 0.004)
    axes.set_ylim(min(ends) - slack, max(ends) + slack)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{100 * value:.4g} %" if value <= 1 + 1e-9 else "")
    )
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("size of the file", size=SMALL_SIZE)


def _draw(axes: Axes, sheet: Axes, rows: Sequence[Variant], recommended: str | None) -> list[Disc]:
    """Draw intervals and discs on the page, the large ones first; return where they lie."""
    slowest = max((row.latency_us.p50 for row in rows if row.latency_us), default=0)
    columns = side_by_side([_inches(axes, row.bytes or 1, 1)[0] for row in rows])
    discs = []
    for row, x in zip(rows, columns, strict=True):
        radius = _NO_LATENCY
        if row.latency_us and slowest:
            radius = max(_LARGEST * math.sqrt(row.latency_us.p50 / slowest), _SMALLEST)
        discs.append(Disc(x, _inches(axes, row.bytes or 1, row.accuracy or 0)[1], radius))
    for row, disc in sorted(zip(rows, discs, strict=True), key=lambda pair: -pair[1].radius):
        best = row.name == recommended
        color, order = (BLUE, 4) if best else (GREY, 3)
        line = _interval(axes, row, disc)
        sheet.plot([disc.x, disc.x], [line.top, line.bottom], color=color, linewidth=1.4)
        mark = Circle((disc.x, disc.y), disc.radius, facecolor=color, zorder=order)
        mark.set(edgecolor="white", linewidth=1.2)
        sheet.add_patch(mark)
    return discs


def _interval(axes: Axes, row: Variant, disc: Disc) -> Box:
    """The line of a variant's interval on the page; without one it ends where it starts."""
    low, high = row.accuracy_ci95 or (row.accuracy or 0, row.accuracy or 0)
    top, bottom = (_inches(axes, row.bytes or 1, end)[1] for end in (high, low))
    return Box(disc.x - 0.01, top, disc.x + 0.01, bottom)


def _inches(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """Where a point of a panel lies on the page."""
    across, up = axes.figure.dpi_scale_trans.inverted().transform(axes.transData.transform((x, y)))
    return float(across), float(axes.figure.get_size_inches()[1] - up)


def _write_labels(
    sheet: Axes,
    rows: Sequence[Variant],
    discs: Sequence[Disc],
    lines: Sequence[Box],
    recommended: str | None,
) -> None:
    """Write name, size and latency beside each disc, across none of the `lines` where it can."""
    renderer = sheet.figure.canvas.get_renderer()
    texts, sizes = [], []
    names = class_labels([row.name for row in rows], limit=24)
    for row, name in zip(rows, names, strict=True):
        best = row.name == recommended
        facts = [numbers.size(row.bytes)]
        if row.latency_us:
            facts.append(numbers.latency(row.latency_us.p50))
        text = f"{name}\n{' · '.join(facts)}"
        label = sheet.text(
            0,
            0,
            text,
            size=7.8,
            color=BLUE if best else INK,
            weight="bold" if best else "normal",
            ha="left",
            va="top",
            linespacing=1.25,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
            zorder=6,
        )
        extent = label.get_window_extent(renderer)
        texts.append(label)
        sizes.append((extent.width / sheet.figure.dpi, extent.height / sheet.figure.dpi))
    field = Box(_LEFT, HEAD, WIDTH - 0.05, HEAD + _HEIGHT)
    for label, box, disc in zip(
        texts, place_labels(discs, sizes, field, lines), discs, strict=True
    ):
        label.set_position((box.left, box.top))
        _leader(sheet, disc, box)


def _leader(sheet: Axes, disc: Disc, box: Box) -> None:
    """A thin line from a disc to a label that could not stay beside it."""
    x = min(max(disc.x, box.left), box.right)
    y = min(max(disc.y, box.top), box.bottom)
    distance = math.hypot(x - disc.x, y - disc.y)
    if distance > disc.radius + 0.12:
        edge = disc.radius / distance
        start = (disc.x + (x - disc.x) * edge, disc.y + (y - disc.y) * edge)
        sheet.plot([start[0], x], [start[1], y], color=MUTED, linewidth=0.6)
