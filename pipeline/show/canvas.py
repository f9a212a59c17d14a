"""A page measured in inches, the house's colours and type, and a PNG that never varies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from textwrap import fill
from typing import ParamSpec

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipeline.show.names import font_families

Arguments = ParamSpec("Arguments")

# Blue and orange stay apart for every kind of colour vision, and in grey print.
INK, MUTED, RULE, PAPER = "#1c2733", "#5f6d7a", "#dfe5ea", "#ffffff"
BLUE, ORANGE, GREY = "#1f66ad", "#c8500a", "#aab5bf"

# Six inches fill a phone's width with type that can still be read, and do not tower on a laptop.
WIDTH, DPI = 6.0, 200
MARGIN, HEAD = 0.22, 0.86
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 12.0, 9.0, 8.0


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib with our settings, whatever the `matplotlibrc`; the old ones come back."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "font.family": list(font_families()),
                "font.size": TEXT_SIZE,
                "text.color": INK,
                "axes.edgecolor": GREY,
                "axes.linewidth": 0.8,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.labelcolor": MUTED,
                "axes.unicode_minus": False,
                "axes.axisbelow": True,
                "xtick.color": GREY,
                "ytick.color": GREY,
                "xtick.labelcolor": MUTED,
                "ytick.labelcolor": MUTED,
                "xtick.labelsize": SMALL_SIZE,
                "ytick.labelsize": SMALL_SIZE,
                "grid.color": RULE,
                "grid.linewidth": 0.8,
                "figure.facecolor": PAPER,
                "savefig.facecolor": PAPER,
            }
        )
        yield


def drawn(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """The same drawing function, run inside `house_style`."""

    @wraps(draw)
    def styled(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with house_style():
            return draw(*args, **kwargs)

    return styled


def page(title: str, subtitle: str, height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    """A figure of `width` x `HEAD + height` inches with its heading, and axes over all of it.

    Those axes count inches, x to the right and y *down* from the top, so what is drawn on them
    has the size it says. Panels with scales of their own are put under them by `panel`.
    """
    figure = Figure(figsize=(width, HEAD + height), dpi=DPI)
    FigureCanvasAgg(figure)
    sheet = figure.add_axes((0, 0, 1, 1))
    sheet.set_axis_off()
    sheet.set_zorder(2)
    _measure_in_inches(sheet)
    sheet.text(MARGIN, 0.19, title, size=TITLE_SIZE, weight="bold", va="top")
    wrapped = fill(subtitle, int((width - 2 * MARGIN) * 16.5))
    sheet.text(MARGIN, 0.45, wrapped, size=SMALL_SIZE, color=MUTED, va="top", linespacing=1.3)
    return figure, sheet


def _measure_in_inches(sheet: Axes) -> None:
    width, height = sheet.figure.get_size_inches()
    sheet.set(xlim=(0, width), ylim=(height, 0), aspect="auto")


def panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes with their own scales, placed on the page in inches from its top left corner."""
    page_width, page_height = figure.get_size_inches()
    bottom = page_height - top - height
    return figure.add_axes(
        (left / page_width, bottom / page_height, width / page_width, height / page_height)
    )


def share_axis(axes: Axes, ticks: int) -> None:
    """Shares 0..1 upwards, as percent: light rules in place of a line, nothing said beyond."""
    axes.yaxis.set_major_locator(MaxNLocator(ticks))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{100 * value:.4g} %" if 0 <= value <= 1 + 1e-9 else "")
    )
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as a PNG: equal figures give equal bytes, without date or version inside."""
    with house_style():
        figure.savefig(
            path,
            format="png",
            dpi=DPI,
            metadata={"Software": None},
            pil_kwargs={"optimize": True},
        )
