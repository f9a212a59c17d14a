"""Choice: which file to ship, by what validation and the clock say."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

EQUALLY_CHEAP = 1.05  # costs this close are not told apart: latency is not known any better

Row = Mapping[str, Any]


def recommend(
    rows: Sequence[Row], reference: str, max_drop_pp: float, measure: str = "accuracy"
) -> tuple[str, str]:
    """Choose a variant among the rows that have a file; return its name and the reason in words.

    Cheap is what has the least geometric mean of size and latency, both as shares of the
    reference's. Of those that lose at most `max_drop_pp` points of *validation* accuracy, the
    cheapest wins; among equally cheap ones the more accurate, then the one that was changed less
    (a tie on a small validation split may hide a loss), then one that computes in integers alone,
    as accelerators and microcontrollers ask for, then the one that packs smaller. The test split
    has no say: it is there to tell what the chosen one is worth. `measure` is what accuracy is
    called in the reason.
    """
    base = next(row for row in rows if row["name"] == reference)
    drops = {  # rounded: in floats 0.95 - 0.94 is more than 0.01
        r["name"]: round(100 * (base["validation_accuracy"] - r["validation_accuracy"]), 9)
        for r in rows
    }
    costs = {r["name"]: sqrt(r["bytes"] / base["bytes"] * r["latency_ratio"]) for r in rows}
    within = [row for row in rows if drops[row["name"]] <= max_drop_pp]
    least = min(costs[row["name"]] for row in within)
    cheap = [row for row in within if costs[row["name"]] <= EQUALLY_CHEAP * least]
    best = max(cheap, key=_preference)
    name = str(best["name"])
    if name == reference:
        limit = f"within {max_drop_pp:g} points of it on validation"
        if len(within) == 1:
            return name, f"no other file is {limit}"
        return name, f"no file {limit} is clearly cheaper"
    drop = drops[name]
    change = (
        f"loses {drop:.2f} points"
        if drop > 0
        else f"gains {-drop:.2f} points"
        if drop
        else "loses nothing"
    )
    reason = (
        f"{change} of validation {measure} (at most {max_drop_pp:g} allowed) at "
        f"{best['bytes'] / base['bytes']:.2f}x the bytes and {best['latency_ratio']:.2f}x the "
        f"latency of {reference}, the lowest cost of the {len(within)} files within that limit"
    )
    others = [str(row["name"]) for row in cheap if row is not best]
    if others:
        reason += f"; {', '.join(others)} cost about the same"
    return name, reason


def contenders(rows: Sequence[Row], reference: str) -> list[str]:
    """Every variant that `recommend` would choose at some limit on what may be lost, in order."""
    base = next(row for row in rows if row["name"] == reference)
    drops = [100 * (base["validation_accuracy"] - row["validation_accuracy"]) for row in rows]
    limits = {0.0, *(round(drop, 9) for drop in drops if drop > 0)}
    chosen = {recommend(rows, reference, limit)[0] for limit in limits}
    return [str(row["name"]) for row in rows if row["name"] in chosen]


def _preference(row: Row) -> tuple[float, int, bool, int]:
    transforms = str(row["name"]).count("+")
    integers_only = row["ops"]["float32"] == row["ops"]["other"] == 0
    return row["validation_accuracy"], -transforms, integers_only, -row["gzip_bytes"]
