"""Variants as rows of a table: flat keys, and the columns people get to see."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pipeline.show import numbers
from pipeline.show.records import Record
from pipeline.show.schema import ClassScore, Report
from pipeline.show.variant import Latency, Ops, Seeds, Variant

Row = dict[str, Any]

_NESTED: Mapping[str, type[Record]] = {"latency_us": Latency, "ops": Ops, "seeds": Seeds}


def flat(variant: Variant) -> Row:
    """One variant with every nested key drawn up, as `latency_us_p50`; always the same keys.

    The interval becomes `accuracy_ci95_lo` and `accuracy_ci95_hi`.
    """
    row: Row = {}
    for key in Variant.model_fields:
        value = getattr(variant, key)
        if key == "accuracy_ci95":
            row[f"{key}_lo"], row[f"{key}_hi"] = value or (None, None)
        elif key in _NESTED:
            parts = _NESTED[key].model_fields
            row.update({f"{key}_{part}": getattr(value, part, None) for part in parts})
        else:
            row[key] = value
    return row


def bytes_ratio(report: Report, variant: Variant) -> float | None:
    """The size of a variant's file as a multiple of float32's."""
    reference = report.reference
    if reference is None or not reference.bytes or variant.bytes is None:
        return None
    return variant.bytes / reference.bytes


def table(report: Report) -> list[Row]:
    """What page, Markdown and terminal show: `flat`, `bytes_ratio`, the pair `accuracy_ci95`,

    and whether the row is `recommended`.
    """
    return [
        {
            **flat(variant),
            "bytes_ratio": bytes_ratio(report, variant),
            "accuracy_ci95": variant.accuracy_ci95,
            "recommended": variant.name == report.recommended,
        }
        for variant in report.variants
    ]


class Column(NamedTuple):
    """Which key of a row stands under which heading, how it is written, what it means."""

    key: str
    heading: str
    show: Callable[[Any], str]
    hint: str


ANSWER = (
    Column("bytes", "size", numbers.size, "bytes of the .tflite file"),
    Column("accuracy", "accuracy", numbers.percent, "share of test pictures read right"),
    Column("drop_pp", "drop", numbers.points, "percentage points lost against float32"),
    Column("latency_us_p50", "latency", numbers.latency, "median time of one picture"),
    Column("bytes_ratio", "size ratio", numbers.ratio, "size against float32"),
    Column("latency_ratio", "time ratio", numbers.ratio, "latency against float32"),
)

DETAILS = (
    Column("gzip_bytes", "gzip", numbers.size, "the file compressed, as an app store sends it"),
    Column("validation_accuracy", "validation", numbers.percent, "accuracy on validation pictures"),
    Column("agreement", "agreement", numbers.percent, "test pictures read as float32 reads them"),
    Column("mcnemar_p", "McNemar p", numbers.chance, "chance of such a difference by luck alone"),
    Column("latency_us_p90", "p90", numbers.latency, "nine runs of ten were faster"),
    Column("latency_us_p99", "p99", numbers.latency, "99 runs of 100 were faster"),
    Column("arena_bytes", "arena", numbers.size, "working memory planned from the file"),
    Column("params", "params", numbers.amount, "weights in the file"),
    Column("nonzero_params", "nonzero", numbers.amount, "weights that are not zero"),
    Column("seeds_mean", "mean", numbers.percent, "accuracy averaged over seeds"),
    Column("seeds_sd", "spread", numbers.spread, "standard deviation over seeds"),
    Column("macs", "MACs", numbers.amount, "multiplications a picture costs"),
    Column("ops_int8", "int8 ops", numbers.count, "operators that compute in 8 bit"),
    Column("ops_float32", "float ops", numbers.count, "operators that compute in float"),
    Column("ops_other", "other ops", numbers.count, "operators of neither kind"),
)


def classes_by_weakness(report: Report) -> list[tuple[int, ClassScore]]:
    """Each class with its number, the lowest F1 first."""
    scores = report.evaluation.per_class if report.evaluation else ()
    return sorted(enumerate(scores), key=lambda pair: pair[1].f1)


def measured(columns: tuple[Column, ...], rows: list[Row]) -> list[Column]:
    """The columns that hold something in at least one row."""
    return [column for column in columns if any(row[column.key] is not None for row in rows)]
