"""The network in words and rows, for the page and the Markdown."""

from collections.abc import Sequence

from pipeline.show import numbers
from pipeline.show.network import Layer, Side
from pipeline.show.schema import Model, Report, Variant

SHORT_TABLE = 12  # rows in the Markdown


def sides(shape: Sequence[int]) -> str:
    """A shape as `28 × 28 × 32`."""
    return " × ".join(map(numbers.count, shape))


def field(pixels: Side | None) -> str:
    """A receptive field as `22 × 22`."""
    return numbers.MISSING if pixels is None else sides(pixels)


def costliest(model: Model) -> list[Layer]:
    """The layers with the most multiply-accumulates, in the order in which they run."""
    by_cost = sorted((layer for layer in model.layers if layer.macs), key=lambda one: -one.macs)
    chosen = {id(layer) for layer in by_cost[:SHORT_TABLE]}
    return [layer for layer in model.layers if id(layer) in chosen]


def share(model: Model, layer: Layer) -> float | None:
    """A layer's share of the multiply-accumulates; nothing where it has none."""
    return layer.macs / model.macs if model.macs and layer.macs else None


def int8_file(report: Report) -> Variant | None:
    """The variant whose file the estimate is of: quantized, and nothing else."""
    rows = (row for row in report.variants if row.name == "int8" and row.status == "ok")
    return next(rows, None)


def explained(report: Report) -> list[str]:
    """What the figures of the network mean, and what they leave out."""
    model = report.model
    lines = []
    if model.receptive_field is not None:
        lines.append(
            f"One position of the last feature map depends on {field(model.receptive_field)} "
            "pixels (its receptive field; those in the padding count too)."
        )
    found = int8_file(report)
    if model.int8_bytes and found and found.bytes:
        miss = 100 * (model.int8_bytes / found.bytes - 1)
        lines.append(
            f"Expected in int8 before training: {numbers.size(model.int8_bytes)}; the file has "
            f"{numbers.size(found.bytes)} (off by {miss:+.1f} %)."
        )
    if model.uncounted:
        names = ", ".join(model.uncounted)
        lines.append(f"The multiply-accumulates of these layers are not counted: {names}.")
    return lines
