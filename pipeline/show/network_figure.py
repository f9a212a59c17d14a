"""The diagram of a network: top to bottom, branches side by side, what repeats drawn once."""

from matplotlib.figure import Figure

from pipeline.show import numbers
from pipeline.show.boxes import Box, fold
from pipeline.show.canvas import HEAD, MARGIN, WIDTH, drawn, page
from pipeline.show.layout import GAP, height, lanes
from pipeline.show.names import cut, drawable
from pipeline.show.network import Network
from pipeline.show.pen import Pen
from pipeline.show.weave import Fork, Item, Repeat, Series, weave

TALLEST = 7.5  # inches, before another column is begun
COLUMNS = {False: (2.85, 4), True: (3.7, 3)}  # with few boxes abreast or many: width, most of them
GUTTER = 0.34


@drawn
def network(facts: Network) -> Figure:
    """Draw the layers of a network, folded into boxes, each with its share of the cost."""
    items = weave(*fold(facts.layers))
    total = sum(height(item) + GAP for item in items)
    width, most = COLUMNS[max(map(lanes, items)) > 3]
    columns = _columns(items, min(most, -int(-total // TALLEST), len(items)))
    if len(columns) == 1:
        width = WIDTH - 2 * MARGIN
    top = HEAD + (0.08 if len(columns) > 1 else 0)
    across = len(columns) * width + (len(columns) - 1) * GUTTER + 2 * MARGIN
    tall = max(sum(height(item) + GAP for item in column) for column in columns)
    tall += top - HEAD + 0.1
    title = drawable(cut(facts.name, 50))
    figure, sheet = page(title, _subtitle(facts, items), tall, max(WIDTH, across))
    pen = Pen(sheet, facts.macs, largest(items))
    for number, column in enumerate(columns):
        left = MARGIN + number * (width + GUTTER)
        bottom = pen.series(column, left, top, width)
        if number + 1 < len(columns):
            pen.carry_on(left + width / 2, bottom, left + width + GUTTER / 2, top)
    return figure


def largest(items: Series) -> int:
    """MACs of the box that has most."""
    most = 0
    for item in items:
        match item:
            case Box():
                most = max(most, item.macs)
            case Repeat(inside, _):
                most = max(most, largest(inside))
            case Fork(branches, _, _):
                most = max(most, *map(largest, branches))
    return most


def _subtitle(facts: Network, items: Series) -> str:
    parts = [
        f"{numbers.count(facts.params)} parameters, {numbers.amount(facts.macs)} "
        "multiply-accumulates (MACs) a picture."
    ]
    if facts.macs:
        share = numbers.percent(largest(items) / facts.macs, 0)
        parts.append(f"Shaded: a box's share of them; full is {share}.")
    if any(isinstance(item, Repeat) for item in items):
        parts.append("A dashed frame repeats; its shares are those of all.")
    return " ".join(parts)


def _columns(items: Series, count: int) -> list[Series]:
    """Break a series into at most `count` columns, the tallest as low as can be."""
    limit = sum(height(item) + GAP for item in items) / count
    while len(columns := _filled(items, limit)) > count:
        limit += 0.05
    return columns


def _filled(items: Series, limit: float) -> list[Series]:
    columns: list[list[Item]] = [[]]
    done = 0.0
    for item in items:
        tall = height(item) + GAP
        if columns[-1] and done + tall > limit:
            columns.append([])
            done = 0.0
        columns[-1].append(item)
        done += tall
    return [tuple(column) for column in columns]
