"""How much room the parts of a diagram take, in inches and in lanes side by side."""

from pipeline.show.boxes import Box
from pipeline.show.weave import Fork, Item, Repeat, Series

BOX, JOIN, GAP = 0.28, 0.21, 0.15
FRAME = 0.1  # from a frame to what is in it
SKIP = 0.17  # width of a line that runs past


def height(item: Item) -> float:
    """Inches from the top of an item to its bottom."""
    match item:
        case Box():
            return JOIN if item.kind == "join" else BOX
        case Repeat(items, _):
            return series_height(items) + 2 * FRAME
        case Fork(branches, _, join):
            inside = max(map(series_height, branches), default=BOX)
            return inside + 2 * GAP + (height(join) if join else 0.0)


def series_height(items: Series) -> float:
    """Inches of items one below the other, with an arrow between each two."""
    return sum(map(height, items)) + GAP * (len(items) - 1)


def lanes(item: Item) -> float:
    """How many boxes stand side by side where an item is widest; a line counts a fifth."""
    match item:
        case Box():
            return 1.0
        case Repeat(items, _):
            return max(map(lanes, items))
        case Fork(branches, skips, _):
            return sum(max(map(lanes, branch)) for branch in branches) + 0.2 * skips
