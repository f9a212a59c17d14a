"""Whether what was measured keeps its bounds, and whether files are what they are called."""

import operator
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.measure.audit import INTEGERS

SIGNS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
Row = Mapping[str, Any]


def kept(variant: str, fact: str, sign: str, bound: float, row: Row | None) -> dict[str, Any]:
    """Hold a row of the report against a bound; one that has no such number fails.

    Of a run over several seeds or folds, accuracies and drops are means.
    """
    found = value(fact, row or {})
    passed = found is not None and SIGNS[sign](found, bound)
    status = (row or {}).get("status")
    why = f"the variant is {status}" if status in {"failed", "refused"} else "it was not measured"
    return {
        "name": f"{variant}.{fact}",
        "asked": f"{sign} {bound:,.10g}",
        "found": found,
        "passed": passed,
        "reason": why if found is None else None,
    }


def value(fact: str, row: Row) -> float | None:
    """A number of a row, by the name a gate has for it."""
    found: Any = row.get(fact)
    if fact == "latency_us":
        found = found["p50"] if found else None
    seeds = row.get("seeds")
    if seeds and fact == "accuracy":
        found = seeds["mean"]
    elif seeds and fact in {"validation_accuracy", "drop_pp"} and seeds.get(fact):
        found = seeds[fact]["mean"]
    return None if found is None else float(found)


def genuine(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """A gate for each file that is called by a form of integers: it is to compute in that."""
    return [
        {
            "name": f"{row['name']}.form",
            "asked": f"is {row['audit']['claimed']}",
            "found": row["audit"]["form"],
            "passed": not row["audit"]["problems"],
            "reason": "; ".join(row["audit"]["problems"]) or None,
        }
        for row in rows
        if row.get("audit") and row["audit"]["claimed"] in INTEGERS
    ]
