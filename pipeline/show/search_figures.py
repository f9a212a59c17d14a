"""A search drawn: where each candidate stands, and which settings led there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipeline.show import numbers
from pipeline.show.canvas import (
    BLUE,
    GREY,
    HEAD,
    INK,
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

Value = float | str
_LEFT, _GAP, _HEIGHT, _FOOT = 0.72, 0.3, 2.7, 0.55
_SIDE, _TOP, _TALL = 0.5, 0.72, 3.0
_HALO = [withStroke(linewidth=2.5, foreground="white")]
_SHADES = LinearSegmentedColormap.from_list("house", [RULE, GREY, BLUE])


@dataclass(frozen=True)
class Candidate:
    """A trial: what was tried, and what its int8 file came to; `score` 0..1 if it was trained.

    `unbeaten` is one that no other beats in accuracy, bytes and latency together.
    """

    number: int
    values: Mapping[str, Value]
    bytes: int
    latency_us: float
    score: float | None = None
    unbeaten: bool = False
    best: bool = False


@dataclass(frozen=True)
class Scale:
    """An axis for a setting: from `low` to `high`, or `choices` from the bottom up."""

    name: str
    kind: Literal["linear", "log", "choice"]
    low: float = 0.0
    high: float = 1.0
    choices: tuple[str, ...] = ()

    def place(self, value: Value) -> float:
        """Where a value lies, 0 at the bottom and 1 at the top."""
        if self.kind == "choice":
            return self.choices.index(str(value)) / max(len(self.choices) - 1, 1)
        low, high, here = self.low, self.high, float(value)
        if self.kind == "log":
            low, high, here = math.log(low), math.log(high), math.log(here)
        return (here - low) / (high - low) if high > low else 0.5


@drawn
def search_front(
    candidates: Sequence[Candidate], measure: str, limits: Mapping[str, float | None]
) -> Figure:
    """Accuracy on validation over bytes, and over latency, of each candidate's int8 file.

    Blue: those that no other beats; grey: the others that were trained; orange at the foot: those
    refused. `measure` says whose accuracy it is; `limits` by `bytes` and `latency_us`.
    """
    trained = [one for one in candidates if one.score is not None]
    refused = [one for one in candidates if one.score is None]
    subtitle = (
        "Blue: no other is as accurate, as small and as fast at once; its number is the trial's, "
        "the best has a ring. Grey: other trials."
    )
    if refused:
        subtitle += " Orange, at the foot: over a limit, and not trained."
    figure, _ = page("What was found", subtitle, _HEIGHT + _FOOT)
    width = (WIDTH - _LEFT - _GAP - 0.35) / 2
    for place, (key, label, told) in enumerate(
        (
            ("bytes", "size of the int8 file", numbers.round_size),
            ("latency_us", "its latency", numbers.latency),
        )
    ):
        axes = panel(figure, _LEFT + place * (width + _GAP), HEAD, width, _HEIGHT)
        _points(axes, trained, refused, key, limits.get(key))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _, told=told: told(value)))
        axes.set_xlabel(label, size=SMALL_SIZE)
        if place:
            axes.set_yticklabels([])
        else:
            axes.set_ylabel(measure, size=SMALL_SIZE)
    return figure


def _points(
    axes: Axes,
    trained: Sequence[Candidate],
    refused: Sequence[Candidate],
    key: str,
    limit: float | None,
) -> None:
    scores = [one.score or 0.0 for one in trained] or [0.0, 1.0]
    slack = max(0.12 * (max(scores) - min(scores)), 0.004)
    foot = min(scores) - 2 * slack
    axes.set_ylim(foot - slack / 2, max(scores) + 1.4 * slack)
    sizes = [float(getattr(one, key)) for one in (*trained, *refused)] or [1.0]
    room = 0.08 * (max(sizes) - min(sizes)) or 0.1 * max(sizes)
    axes.set_xlim(max(0.0, min(sizes) - room), max(sizes) + room)
    for one in trained:
        x, y = getattr(one, key), one.score or 0.0
        color, order = (BLUE, 4) if one.unbeaten else (GREY, 3)
        axes.plot(x, y, "o", markersize=5.5, color=color, mec="white", mew=0.8, zorder=order)
        if one.best:
            axes.plot(x, y, "o", markersize=10, mfc="none", mec=BLUE, mew=1.2, zorder=5)
        if one.unbeaten:
            axes.annotate(
                str(one.number),
                (x, y),
                (0, 6.5),
                textcoords="offset points",
                ha="center",
                size=SMALL_SIZE - 1,
                color=INK,
                path_effects=_HALO,
                zorder=6,
            )
    axes.plot(
        [getattr(one, key) for one in refused],
        [foot] * len(refused),
        "|",
        markersize=7,
        color=ORANGE,
        zorder=3,
    )
    if limit is not None:
        axes.axvline(limit, color=ORANGE, linewidth=1.0, linestyle=(0, (4, 2)), zorder=2)
    share_axis(axes, 6)
    axes.xaxis.set_major_locator(MaxNLocator(3))


@drawn
def search_settings(
    candidates: Sequence[Candidate], scales: Sequence[Scale], measure: str
) -> Figure:
    """A line a trial, across the settings that were looked through to what came of them.

    The bluer, the more accurate; the best is orange. The last axes are bytes, latency, accuracy.
    """
    trained = sorted(
        (one for one in candidates if one.score is not None),
        key=lambda one: (one.score or 0.0, one.best),
    )
    subtitle = (
        "A line a trial, through each setting to what came of it: the bluer, the more accurate; "
        "the best is orange. Where lines of one colour meet, that setting matters."
    )
    figure, sheet = page("What led there", subtitle, _TOP + _TALL + 0.35)
    every = [*scales, *_outcomes(trained, measure)]
    step = (WIDTH - 2 * _SIDE) / max(len(every) - 1, 1)
    columns = [_SIDE + place * step for place in range(len(every))]
    bottom = HEAD + _TOP + _TALL
    for scale, x in zip(every, columns, strict=True):
        _axis(sheet, scale, x, bottom)
    for rank, one in enumerate(trained):
        outcome: dict[str, Value] = {"bytes": one.bytes, "latency": one.latency_us}
        said = {**one.values, **outcome, measure: one.score or 0.0}
        heights = [bottom - _TALL * scale.place(said[scale.name]) for scale in every]
        color = ORANGE if one.best else _SHADES((rank + 1) / len(trained))
        width = 2.0 if one.best else 1.1
        sheet.plot(columns, heights, color=color, linewidth=width, zorder=2 + rank / len(trained))
    return figure


def _outcomes(trained: Sequence[Candidate], measure: str) -> list[Scale]:
    columns: dict[str, list[float]] = {
        "bytes": [one.bytes for one in trained],
        "latency": [one.latency_us for one in trained],
        measure: [one.score or 0.0 for one in trained],
    }
    return [
        Scale(name, "linear", min(found, default=0.0), max(found, default=1.0))
        for name, found in columns.items()
    ]


def _axis(sheet: Axes, scale: Scale, x: float, bottom: float) -> None:
    """A vertical line with its name above, and its ends or choices beside it."""
    sheet.plot([x, x], [bottom, bottom - _TALL], color=GREY, linewidth=1.0, zorder=1)
    (name,) = class_labels([scale.name.rpartition(".")[2].replace("_", " ")], limit=18)
    sheet.text(
        x - 0.05, bottom - _TALL - 0.19, name, size=SMALL_SIZE, color=INK, rotation=24, va="bottom"
    )
    look = {"size": SMALL_SIZE - 1, "color": MUTED, "va": "center", "zorder": 5}
    if scale.kind == "choice":
        for label, choice in zip(class_labels(scale.choices, limit=14), scale.choices, strict=True):
            y = bottom - _TALL * scale.place(choice)
            sheet.text(x + 0.06, y, label, path_effects=_HALO, **look)
        return
    sheet.text(x, bottom + 0.1, _short(scale, scale.low), ha="center", **look)
    sheet.text(x, bottom - _TALL - 0.1, _short(scale, scale.high), ha="center", **look)


def _short(scale: Scale, value: Value) -> str:
    number = float(value)
    if scale.name == "bytes":
        return numbers.size(number)
    if scale.name == "latency":
        return numbers.latency(number)
    if "accuracy" in scale.name and 0 <= number <= 1:
        return numbers.percent(number, 1)
    return f"{number:.3g}"
