"""The diagram of a network: top to bottom, branches side by side, what repeats drawn once."""

from matplotlib.figure import Figure

from pipeline.show import numbers
from pipeline.show.boxes import Box, fold
from pipeline.show.canvas import HEAD, MARGIN, WIDTH, drawn, page
from pipeline.show.layout import GAP, height, lanes
from pipeline.show.network import Network
from pipeline.show.pen import Pen
from pipeline.show.weave import Fork, Item, Repeat, Series, weave

TALLEST, MOST_COLUMNS = 7.5, 4  # inches, before another column is begun
GUTTER = 0.34


@drawn
def network_diagram(network: Network) -> Figure:
    """Draw the layers of `network`, folded into boxes, each with its share of the cost."""
    items = weave(*fold(network.layers))
    total = sum(height(item) + GAP for item in items)
    count = min(MOST_COLUMNS, -(-total // TALLEST), len(items))
    columns = _columns(items, int(count))
    wide = max(map(lanes, items)) > 3
    width = (3.7 if wide else 2.85) if count > 1 else WIDTH - 2 * MARGIN
    across = len(columns) * width + (len(columns) - 1) * GUTTER + 2 * MARGIN
    tall = max(sum(height(item) + GAP for item in column) for column in columns)
    figure, sheet = page(network.name, _subtitle(network, items), tall + 0.1, max(WIDTH, across))
    pen = Pen(sheet, network.macs, largest(items))
    for number, column in enumerate(columns):
        left = MARGIN + number * (width + GUTTER)
        bottom = pen.series(column, left, HEAD, width)
        if number + 1 < len(columns):
            pen.carry_on(left + width / 2, bottom, left + width + GUTTER / 2, HEAD)
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


def _subtitle(network: Network, items: Series) -> str:
    parts = [
        f"{numbers.count(network.params)} parameters, {numbers.amount(network.macs)} "
        "multiply-accumulates (MACs) a picture."
    ]
    if network.macs:
        share = numbers.percent(largest(items) / network.macs, 0)
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
