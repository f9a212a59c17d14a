"""The table that stands in the terminal when a run ends."""

from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.show.replicas import label
from pipeline.show.rows import ANSWER, Column, Row, in_full, measured, table
from pipeline.show.schema import Report

_MARK = "→ "


def variants_table(report: Report) -> Table:
    """One row a variant: size, accuracy with its interval, drop, latency p50 and its ratio.

    Of a run over seeds or folds, mean and spread of accuracy over those and the mean drop stand in
    their place. The recommended one is marked by an arrow, not by colour alone. The reason of a
    row without numbers stands under the table, where a narrow window cannot cut it.
    """
    rows = table(report)
    others = {"bytes_ratio"} | ({"accuracy", "drop_pp"} if report.replicas else set())
    columns = [column for column in measured(ANSWER, rows, report) if column.key not in others]
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("variant", overflow="fold", min_width=8)
    for column in columns:
        grid.add_column(column.heading, justify="right", no_wrap=True)
    for row in rows:
        ok = row["status"] == "ok"
        name = Text((_MARK if row["recommended"] else "  ") + row["name"])
        cells = [Text(_cell(column, row)) for column in columns]
        style = "bold" if row["recommended"] else "" if ok else "dim"
        grid.add_row(name, *cells, style=style)
    reasons = [f"  {row['name']} {row['status']}: {row['reason']}" for row in rows if row["reason"]]
    if report.replicas:
        first = label(report.replicas[0])
        reasons = [f"  Mean ± deviation over {report.over}; the files are {first}'s.", *reasons]
    if reasons:
        grid.caption = Text("\n".join(reasons))
        grid.caption_justify = "left"
    return grid


def _cell(column: Column, row: Row) -> str:
    if column.key in {"accuracy", "seeds_mean"}:
        return in_full(column, row) if row["status"] == "ok" else str(row["status"])
    return column.show(row[column.key])


def plain_table(report: Report, width: int = 80) -> str:
    """`variants_table` as text without colour, for a log or a pipe."""
    stream = StringIO()
    console = Console(file=stream, width=width, no_color=True, force_terminal=False)
    console.print(variants_table(report))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"
