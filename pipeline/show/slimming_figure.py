"""Slimming drawn: channels of each layer before and after, and accuracy against what is left."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from pipeline.show import numbers
from pipeline.show.canvas import (
    BLUE,
    HEAD,
    INK,
    MARGIN,
    MUTED,
    ORANGE,
    RULE,
    SMALL_SIZE,
    WIDTH,
    drawn,
    page,
    panel,
    share_axis,
)
from pipeline.show.names import class_labels
from pipeline.show.slimming import SlimmedLayer, Slimming

MOST = 40  # layers with a bar; more would be a figure no one reads
_PITCH, _BAR, _NAMES, _COUNTS = 0.19, 0.12, 1.6, 0.85
_LEFT, _HEIGHT, _FOOT = 0.72, 1.9, 0.55


@drawn
def channels(found: Slimming, measure: str = "accuracy") -> Figure:
    """A bar a layer: blue the channels that stay, grey those that went; and a curve below.

    The curve is accuracy on validation over the share of multiply-accumulates, from the whole
    network by way of each round: before tuning, and after. Where there are more than `MOST` layers,
    those with the most multiply-accumulates are shown. `measure` is what accuracy is called.
    """
    ranked = sorted(found.layers, key=lambda layer: layer.macs[0], reverse=True)[:MOST]
    shown = [layer for layer in found.layers if layer in ranked]
    subtitle = (
        "Blue: channels that stay. Grey: those that went. Below, on validation pictures: blue "
        "after tuning, orange before."
    )
    if len(found.layers) > len(shown):
        subtitle += f" Shown are the {MOST} layers that multiply most, of {len(found.layers)}."
    bars = len(shown) * _PITCH + 0.1
    figure, sheet = page("Channels taken out", subtitle, bars + 0.45 + _HEIGHT + _FOOT)
    _bars(sheet, shown)
    top = HEAD + bars + 0.45
    sheet.text(MARGIN, top - 0.13, measure, weight="bold", size=SMALL_SIZE, va="bottom")
    axes = panel(figure, _LEFT, top, WIDTH - _LEFT - 0.3, _HEIGHT)
    _curve(axes, found)
    return figure


def _bars(sheet: Axes, layers: Sequence[SlimmedLayer]) -> None:
    left = MARGIN + _NAMES
    room = WIDTH - left - _COUNTS - MARGIN
    widest = max((layer.channels[0] for layer in layers), default=1)
    labels = class_labels([layer.name for layer in layers], limit=22)
    for row, (layer, label) in enumerate(zip(layers, labels, strict=True)):
        y = HEAD + 0.08 + row * _PITCH
        before, after = (room * count / widest for count in layer.channels)
        sheet.text(left - 0.08, y, label, ha="right", va="center", size=SMALL_SIZE)
        corner = y - _BAR / 2
        sheet.add_patch(Rectangle((left, corner), before, _BAR, color=RULE, linewidth=0))
        sheet.add_patch(Rectangle((left, corner), after, _BAR, color=BLUE, linewidth=0))
        same = layer.channels[0] == layer.channels[1]
        said = str(layer.channels[0]) if same else f"{layer.channels[0]} → {layer.channels[1]}"
        ink = MUTED if same else INK
        end = left + before + 0.08
        sheet.text(end, y, said, va="center", size=SMALL_SIZE, color=ink)


def _curve(axes: Axes, found: Slimming) -> None:
    left = [one.macs / found.macs[0] for one in found.rounds]
    tuned = [found.val_accuracy, *(one.tuned for one in found.rounds)]
    settled = [one.settled for one in found.rounds]
    look = {"markersize": 4.2, "clip_on": False}
    axes.plot([1.0, *left], tuned, color=BLUE, marker="o", linewidth=1.7, **look)
    axes.plot(left, settled, color=ORANGE, marker="s", linewidth=1.2, linestyle=(0, (4, 2)), **look)
    values = [*tuned, *settled]
    slack = max(0.06 * (max(values) - min(values)), 0.004)
    axes.set_ylim(min(values) - slack, max(values) + slack)
    axes.set_xlim(1.04, min(left) - 0.04)
    share_axis(axes, 5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.percent(value, 0)))
    axes.set_xlabel("multiply-accumulates that are left", size=SMALL_SIZE)
