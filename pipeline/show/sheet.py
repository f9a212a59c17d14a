"""report.csv: a row a variant, with nothing in it that a spreadsheet would run."""

import pandas as pd

from pipeline.show.differences import by_class
from pipeline.show.rows import by_run, flat, over_runs
from pipeline.show.schema import Report

# What makes a spreadsheet take a cell for a formula, also in the wide forms of East Asian input.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def to_csv(report: Report) -> str:
    """The rows of `report` as text; numbers unrounded, what was not measured left empty.

    At the end there are columns for what a variant changes of each class, and of a run over seeds
    or folds for those.
    """
    rows = [
        {**flat(variant), "recommended": variant.name == report.recommended}
        | (over_runs(variant) | by_run(report, variant) if report.replicas else {})
        | changes
        for variant, changes in zip(report.variants, by_class(report), strict=True)
    ]
    columns = list(rows[0]) if rows else ["name"]
    frame = pd.DataFrame(
        [[_inert(row[column]) for column in columns] for row in rows],
        columns=columns,
        # Without this pandas would turn a column of whole numbers with one gap into floats.
        dtype=object,
    )
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _inert(cell: object) -> object:
    """`cell`, or, where its text would start a formula, that text behind an apostrophe."""
    if isinstance(cell, str) and (cell.startswith(_FORMULA) or cell.lstrip().startswith(_FORMULA)):
        return f"'{cell}"
    return cell
