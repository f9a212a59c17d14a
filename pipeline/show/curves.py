"""Training curves: how loss and accuracy moved, epoch by epoch."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from pipeline.show.canvas import (
    BLUE,
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

History = Mapping[str, Sequence[float]]

_LEFT, _RIGHT, _GAP = 0.72, 0.25, 0.42
_HEIGHTS = {"loss": 1.75, "accuracy": 1.75, "learning_rate": 0.7}
_WIDE_RANGE = 50


@drawn
def training_curves(
    history: History, best_epoch: int | None = None, several: bool = False
) -> Figure:
    """Loss, accuracy and learning rate over epochs, training against validation.

    `history` maps `loss`, `val_loss`, `accuracy`, `val_accuracy`, `learning_rate` (those it has)
    to one value an epoch; `frozen`, 1 or 0, where a backbone was let learn on the way, which a thin
    line shows. `best_epoch` counts from 1; left out, it is where `val_loss` is lowest. Of `several`
    labels a picture, accuracy is called what it is, exact match.
    """
    history = {name: [float(value) for value in values] for name, values in history.items()}
    names = [name for name in _HEIGHTS if history.get(name) or history.get(f"val_{name}")]
    epochs = max((len(values) for values in history.values()), default=0)
    best = best_epoch or _lowest(history.get("val_loss", ()))
    height = sum(_HEIGHTS[name] + _GAP for name in names) + 0.46
    subtitle = "Blue: validation pictures. Orange, dashed: training pictures."
    if best:
        subtitle += f" The dotted line is the epoch that was kept, {best} of {epochs}."
    thawed = list(history.get("frozen", ())).count(1.0)
    if thawed:
        subtitle += f" Up to the thin line, after epoch {thawed}, only the output layer learned."
    figure, sheet = page("How training went", subtitle, height)
    top = HEAD + 0.3
    for name in names:
        axes = panel(figure, _LEFT, top, WIDTH - _LEFT - _RIGHT, _HEIGHTS[name])
        heading = "exact match" if several and name == "accuracy" else name.replace("_", " ")
        sheet.text(MARGIN, top - 0.1, heading, weight="bold", size=SMALL_SIZE, va="bottom")
        _curve(axes, name, history)
        _epoch_axis(axes, epochs, best, last=name == names[-1])
        if thawed:
            axes.axvline(thawed + 0.5, color=MUTED, linewidth=0.8)
        top += _HEIGHTS[name] + _GAP
    return figure


def _lowest(values: Sequence[float]) -> int | None:
    return min(range(len(values)), key=values.__getitem__) + 1 if len(values) else None


def _curve(axes: Axes, name: str, history: History) -> None:
    rate = name == "learning_rate"
    series = [
        (history.get(name, ()), MUTED if rate else ORANGE, "-" if rate else (0, (4, 2))),
        (history.get(f"val_{name}", ()), BLUE, "-"),
    ]
    for values, color, style in series:
        # A line through one epoch has no length: points must carry it.
        marker = "o" if len(values) <= 30 else ""
        epochs = range(1, len(values) + 1)
        look = {"color": color, "linestyle": style, "linewidth": 1.7, "markersize": 3.2}
        axes.plot(epochs, values, marker=marker, **look)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    _value_axis(axes, name, [value for values, _, _ in series for value in values])


def _value_axis(axes: Axes, name: str, values: Sequence[float]) -> None:
    locator = MaxNLocator(3 if name == "learning_rate" else 5)
    if name == "accuracy":
        axes.yaxis.set_major_locator(locator)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    elif name == "loss" and min(values) > 0 and max(values) / min(values) > _WIDE_RANGE:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="y", which="minor", length=0)
    else:
        if name == "learning_rate":
            axes.set_ylim(0, 1.15 * max(values) or 1)
        axes.yaxis.set_major_locator(locator)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))


def _epoch_axis(axes: Axes, epochs: int, best: int | None, last: bool) -> None:
    slack = max(0.5, 0.02 * epochs)
    axes.set_xlim(1 - slack, max(epochs, 1) + slack)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.tick_params(axis="x", labelbottom=last)
    if best:
        axes.axvline(best, color=INK, linewidth=1, linestyle=":")
    if last:
        axes.set_xlabel("epoch", size=SMALL_SIZE)
