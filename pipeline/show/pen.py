"""Boxes, lines and frames of a diagram, drawn on a sheet measured in inches."""

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from pipeline.show.boxes import Box
from pipeline.show.canvas import BLUE, GREY, INK, MUTED, ORANGE, PAPER, RULE
from pipeline.show.layout import FRAME, GAP, JOIN, SKIP, height, lanes, series_height
from pipeline.show.names import cut, drawable
from pipeline.show.weave import Fork, Item, Repeat, Series

_EDGE = {"convolution": BLUE, "depthwise": "#5fa3dd", "dense": ORANGE}
_SHADE = "#c9dff3"
_PER_POINT = 0.0079  # inches a character takes for each point of its size
_SIZES = (7.5, 6.8, 6.0, 5.4)
_ROOMY = 4.0  # inches of a box that may say more


class Pen:
    """Draws items; `macs` of the network make the shares, the `largest` box is shaded full."""

    def __init__(self, sheet: Axes, macs: int, largest: int) -> None:
        self.sheet, self.macs, self.largest = sheet, max(macs, 1), max(largest, 1)

    def series(self, items: Series, left: float, top: float, width: float) -> float:
        """Draw items one below the other, joined by arrows; where the last one ends."""
        for number, item in enumerate(items):
            if number:
                self._arrow(left + width / 2, top, top + GAP)
                top += GAP
            self._item(item, left, top, width)
            top += height(item)
        return top

    def carry_on(self, x: float, bottom: float, gutter: float, top: float) -> None:
        """Lead a line from the end of a column to the beginning of the next."""
        right = gutter + (gutter - x)
        xs = [x, x, gutter, gutter, right, right]
        ys = [bottom, bottom + 0.09, bottom + 0.09, top - 0.1, top - 0.1, top - 0.02]
        self.sheet.plot(xs, ys, color=GREY, linewidth=0.9, solid_joinstyle="round")
        self._head(right, top)

    def _item(self, item: Item, left: float, top: float, width: float) -> None:
        match item:
            case Box():
                self._box(item, left, top, width)
            case Repeat():
                self._frame(item, left, top, width)
            case Fork():
                self._fork(item, left, top, width)

    def _box(self, box: Box, left: float, top: float, width: float) -> None:
        if box.kind == "join":
            return self._join(box, left + width / 2, top, width)
        tall = height(box)
        share = box.macs / self.macs
        self._rectangle(left, top, width, tall, PAPER)
        if share:
            self._rectangle(left, top, width * box.macs / self.largest, tall, _SHADE)
        self._rectangle(left, top, 0.045, tall, _EDGE.get(box.kind, GREY))
        self.sheet.add_patch(
            Rectangle((left, top), width, tall, fill=False, edgecolor=GREY, linewidth=0.7)
        )
        edge, margin = (0.1, 0.07) if width > 1 else (0.07, 0.03)
        self._write(box, share, left + edge, top + tall / 2, width - edge - margin)
        return None

    def _write(self, box: Box, share: float, left: float, middle: float, room: float) -> None:
        """Say of a box as much as fits: its form, what follows, its share, its output."""
        size = "×".join(map(str, box.output))
        spent = f"{100 * share:.0f} %" if share >= 0.005 else ""
        tail = " · ".join(filter(None, (spent, size)))
        if room > _ROOMY and box.params:
            tail = f"{box.params:,} params · {tail}"
        shrunk = [(box.full, right, points) for right in (tail, spent) for points in _SIZES[:3]]
        for text, right, points in (*shrunk, (box.label, tail, _SIZES[0]), (box.label, size, 7.0)):
            if _inches(f"{text}   {right}", points) <= room:
                self._text(left, middle, text, points)
                self._text(left + room, middle, right, points - 0.4, ha="right", color=MUTED)
                return
        choices = [(text, points) for text in (box.label, box.brief) for points in _SIZES]
        fitting = [pair for pair in choices if _inches(*pair) <= room]
        text, points = fitting[0] if fitting else (box.brief, _SIZES[-1])
        self._text(left, middle, cut(text, max(2, int(room / _inches("x", points)))), points)

    def _join(self, box: Box, middle: float, top: float, width: float) -> None:
        """A pill no wider than its words."""
        size = "×".join(map(str, box.output))
        words = [box.full, box.label]
        texts = [f"{words[0]}   {size}", *words]
        text = next((one for one in texts if _inches(one, 6.8) < width - 0.3), box.label)
        long = min(width, max(0.3, _inches(text, 6.8) + 0.2))
        self.sheet.add_patch(
            FancyBboxPatch(
                (middle - long / 2 + 0.08, top + 0.08), long - 0.16, JOIN - 0.16,
                boxstyle="round,pad=0.08", facecolor=RULE, edgecolor=GREY, linewidth=0.7,
            )
        )  # fmt: skip
        self._text(middle, top + JOIN / 2, text, 6.8, ha="center")

    def _frame(self, repeat: Repeat, left: float, top: float, width: float) -> None:
        tall = height(repeat)
        self.sheet.add_patch(
            FancyBboxPatch(
                (left + 0.06, top + 0.06), width - 0.12, tall - 0.12,
                boxstyle="round,pad=0.06", facecolor="#f4f6f8", edgecolor=GREY, linewidth=0.7,
                linestyle=(0, (3, 2)), zorder=0.5,
            )
        )  # fmt: skip
        tag = 0.34
        self.series(repeat.items, left + FRAME, top + FRAME, width - 2 * FRAME - tag)
        self._text(
            left + width - FRAME, top + tall / 2, f"×{repeat.times}", 10, ha="right", weight="bold"
        )

    def _fork(self, fork: Fork, left: float, top: float, width: float) -> None:
        """Branches side by side, lines past them at the right, and the join below."""
        room = width - SKIP * fork.skips
        weights = [max(map(lanes, branch)) for branch in fork.branches]
        gap = 0.08
        each = (room - gap * (len(weights) - 1)) / sum(weights)
        inside = max(map(series_height, fork.branches))
        bottom, middle = top + GAP + inside, left + width / 2
        if fork.join is None:
            bottom += GAP
        ends, x = [], left
        for branch, weight in zip(fork.branches, weights, strict=True):
            end = self.series(branch, x, top + GAP, each * weight)
            centre = x + each * weight / 2
            ends.append(centre)
            self._arrow(centre, top, top + GAP)
            self._line([centre, centre], [end, bottom + GAP / 2 if fork.join else bottom])
            x += each * weight + gap
        for skip in range(fork.skips):
            ends.append(left + room + SKIP * (skip + 0.6))
            self._line([ends[-1]] * 2, [top, bottom + GAP / 2 if fork.join else bottom])
        self._line([min(*ends, middle), max(*ends, middle)], [top, top])
        if fork.join is not None:
            self._line([min(*ends, middle), max(*ends, middle)], [bottom + GAP / 2] * 2)
            self._arrow(middle, bottom + GAP / 2, bottom + GAP)
            self._item(fork.join, left, bottom + GAP, width)

    def _rectangle(self, left: float, top: float, width: float, tall: float, color: str) -> None:
        self.sheet.add_patch(Rectangle((left, top), width, tall, color=color, linewidth=0))

    def _arrow(self, x: float, top: float, bottom: float) -> None:
        self._line([x, x], [top, bottom - 0.02])
        self._head(x, bottom)

    def _head(self, x: float, y: float) -> None:
        self.sheet.fill([x - 0.03, x + 0.03, x], [y - 0.055, y - 0.055, y], color=GREY, linewidth=0)

    def _line(self, xs: list[float], ys: list[float]) -> None:
        self.sheet.plot(xs, ys, color=GREY, linewidth=0.9, zorder=0.9)

    def _text(self, x: float, y: float, text: str, size: float, **style: object) -> None:
        if not text:
            return
        settings = {"color": INK, "ha": "left", "va": "center_baseline"} | style
        self.sheet.text(x, y, drawable(text), size=size, **settings)


def _inches(text: str, size: float) -> float:
    return len(text) * size * _PER_POINT
