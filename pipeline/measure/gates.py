"""Whether what was measured keeps its bounds, and whether files are what they are called."""

import operator
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pipeline.measure.audit import INTEGERS
from pipeline.measure.forms import COMPUTES_NOTHING

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


def genuine(
    rows: Iterable[Row], in_float: Mapping[str, Collection[int]] | None = None
) -> list[dict[str, Any]]:
    """A gate for each file that is called by a form of integers: it is to compute in that.

    Where operations were put back `in_float`, by the variant and their places in its file, these
    and no others are to compute in float32.
    """
    return [
        _genuine(row, set((in_float or {}).get(row["name"], ())))
        for row in rows
        if row.get("audit") and row["audit"]["claimed"] in INTEGERS
    ]


def _genuine(row: Row, in_float: set[int]) -> dict[str, Any]:
    inside = row["audit"]
    others = {
        one["number"]: one["form"]
        for one in inside["operations"]
        if one["form"] not in {inside["claimed"], *COMPUTES_NOTHING}
    }
    as_meant = bool(in_float) and others == dict.fromkeys(in_float, "float32")
    count = f"{len(in_float)} operation{'s' if len(in_float) > 1 else ''}"
    meant = f" but for {count}" if in_float else ""
    passed = as_meant or not inside["problems"]
    return {
        "name": f"{row['name']}.form",
        "asked": f"is {inside['claimed']}{meant}",
        "found": inside["form"],
        "passed": passed,
        "reason": None if passed else "; ".join(inside["problems"]),
    }
