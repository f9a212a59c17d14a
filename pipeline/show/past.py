"""Past runs in a list: a line each, of what `report.json` says, also one of an earlier version."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.show import numbers

HEAD = ("name", "id", "ships", "accuracy", "size", "latency", "pictures", "created")
NUMBERS = {"accuracy", "size", "latency"}  # columns that end where the others begin
DIGEST = 8  # characters that tell one set of pictures from another


def lines(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """A heading and a line a run, in columns that are as wide as they have to be.

    An id is to be copied: nothing is cut where a window is narrow. No lines of no runs.
    """
    if not reports:
        return []
    rows = [HEAD, *map(cells, reports)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if name in NUMBERS else cell.ljust(width)
            for name, cell, width in zip(HEAD, row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def cells(report: Mapping[str, Any]) -> tuple[str, ...]:
    """What stands of a run under `HEAD`; two saw the same `pictures` where those are the same.

    What a report does not hold is a dash.
    """
    dataset = report.get("dataset") or {}
    exact = " (exact match)" if dataset.get("multi_label") else ""
    rows = {row.get("name"): row for row in report.get("variants") or ()}
    best = rows.get(report.get("recommended")) or {}
    latency = best.get("latency_us") or {}
    return (
        str(report["name"]),
        str(report["id"]),
        numbers.word(best.get("name")),
        numbers.percent(best.get("accuracy")) + (exact if best else ""),
        numbers.size(best.get("bytes")),
        numbers.latency(latency.get("p50")),
        str(dataset.get("digest") or numbers.MISSING)[:DIGEST],
        str(report["created"]),
    )
