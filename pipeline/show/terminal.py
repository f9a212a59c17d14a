"""The table that stands in the terminal when a run ends."""

from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.show import numbers
from pipeline.show.rows import ANSWER, measured, table
from pipeline.show.schema import Report

_MARK = "→ "


def variants_table(report: Report) -> Table:
    """One row a variant: size, accuracy with its interval, drop, latency p50 and its ratio.

    The recommended one is marked by an arrow, not by colour alone. The reason of a row without
    numbers stands under the table, where a narrow window cannot cut it.
    """
    rows = table(report)
    columns = [column for column in measured(ANSWER, rows) if column.key != "bytes_ratio"]
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("variant", overflow="fold", min_width=8)
    for column in columns:
        grid.add_column(column.heading, justify="right", no_wrap=True)
    for row in rows:
        ok = row["status"] == "ok"
        name = Text((_MARK if row["recommended"] else "  ") + row["name"])
        cells = [Text(column.show(row[column.key])) for column in columns]
        for place, column in enumerate(columns):
            if column.key == "accuracy":
                bounds = row["accuracy_ci95"]
                cells[place] = Text(numbers.with_interval(row["accuracy"], bounds))
                if not ok:
                    cells[place] = Text(row["status"])
        style = "bold" if row["recommended"] else "" if ok else "dim"
        grid.add_row(name, *cells, style=style)
    reasons = [f"  {row['name']} {row['status']}: {row['reason']}" for row in rows if row["reason"]]
    if reasons:
        grid.caption = Text("\n".join(reasons))
        grid.caption_justify = "left"
    return grid


def plain_table(report: Report, width: int = 80) -> str:
    """`variants_table` as text without colour, for a log or a pipe."""
    stream = StringIO()
    console = Console(file=stream, width=width, no_color=True, force_terminal=False)
    console.print(variants_table(report))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"
