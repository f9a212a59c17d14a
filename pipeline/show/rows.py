"""Variants as rows of a table: flat keys, and the columns people get to see."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pipeline.show import numbers
from pipeline.show.changes import TopK
from pipeline.show.replicas import label
from pipeline.show.schema import ClassScore, Report
from pipeline.show.variant import Latency, Ops, Variant

Row = dict[str, Any]

PAIRS = {"accuracy": "accuracy_ci95", "latency_ratio": "latency_ratio_range"}  # how sure each is
_NESTED: Mapping[str, tuple[str, ...]] = {
    "latency_us": tuple(Latency.model_fields),
    "ops": tuple(Ops.model_fields),
    "top_k": tuple(TopK.model_fields),
    "seeds": ("n", "mean", "sd"),
    "audit": ("form", "computing", "xnnpack", "scaled", "per_channel", "zeros"),
}


def flat(variant: Variant) -> Row:
    """One variant with every nested key drawn up, as `latency_us_p50`; always the same keys.

    A pair becomes two, as `accuracy_ci95_lo` and `accuracy_ci95_hi`.
    """
    row: Row = {}
    for key in Variant.model_fields:
        if key in {"kernels", "controls", "classes", "latency_by_threads"}:  # tables of their own
            continue
        value = getattr(variant, key)
        if key in PAIRS.values():
            row[f"{key}_lo"], row[f"{key}_hi"] = value or (None, None)
        elif key in _NESTED:
            row.update({f"{key}_{part}": getattr(value, part, None) for part in _NESTED[key]})
        else:
            row[key] = value
    return row


def over_runs(variant: Variant) -> Row:
    """What else the seeds or folds of a run say of a variant, as `seeds_drop_pp_mean`."""
    return {
        f"seeds_{key}_{part}": getattr(getattr(variant.seeds, key, None), part, None)
        for key in ("validation_accuracy", "drop_pp")
        for part in ("mean", "sd")
    }


def by_run(report: Report, variant: Variant) -> Row:
    """A variant's accuracy in each seed or fold, as `accuracy_seed_0`."""
    return {
        f"{key}_{label(one).replace(' ', '_')}": getattr(row, key)
        for key in ("accuracy", "validation_accuracy")
        for one in report.replicas
        for row in one.variants
        if row.name == variant.name
    }


def bytes_ratio(report: Report, variant: Variant) -> float | None:
    """The size of a variant's file as a multiple of float32's."""
    reference = report.reference
    if reference is None or not reference.bytes or variant.bytes is None:
        return None
    return variant.bytes / reference.bytes


def table(report: Report) -> list[Row]:
    """What page, Markdown and terminal show: `flat`, `over_runs`, `bytes_ratio`,

    the `PAIRS`, and whether the row is `recommended`.
    """
    return [
        {
            **flat(variant),
            **over_runs(variant),
            "bytes_ratio": bytes_ratio(report, variant),
            **{pair: getattr(variant, pair) for pair in PAIRS.values()},
            "recommended": variant.name == report.recommended,
        }
        for variant in report.variants
    ]


class OverThreads(NamedTuple):
    """Median microseconds of each variant that was timed, by numbers of threads."""

    numbers: tuple[int, ...]
    lines: Mapping[str, Mapping[int, float]]


def over_threads(report: Report) -> OverThreads:
    """How each file fares with more threads; nothing where one number was tried."""
    lines = {
        variant.name: {one.threads: one.p50 for one in variant.latency_by_threads}
        for variant in report.variants
        if variant.latency_by_threads
    }
    return OverThreads(tuple(sorted({count for line in lines.values() for count in line})), lines)


class Column(NamedTuple):
    """Which key of a row stands under which heading, how it is written, what it means."""

    key: str
    heading: str
    show: Callable[[Any], str]
    hint: str


ANSWER = (
    Column("bytes", "size", numbers.size, "bytes of the .tflite file"),
    Column("accuracy", "accuracy", numbers.percent, "share of test pictures read right"),
    Column("seeds_mean", "over seeds", numbers.percent, "accuracy: mean and standard deviation"),
    Column("drop_pp", "drop", numbers.points, "percentage points lost against float32"),
    Column("seeds_drop_pp_mean", "mean drop", numbers.points, "each run against its own float32"),
    Column("latency_us_p50", "latency", numbers.latency, "median time of one picture"),
    Column("bytes_ratio", "size ratio", numbers.ratio, "size against float32"),
    Column(
        "latency_ratio", "time ratio", numbers.ratio, "latency against float32, and how it varied"
    ),
)

DETAILS = (
    Column("gzip_bytes", "gzip", numbers.size, "the file compressed, as an app store sends it"),
    Column("validation_accuracy", "validation", numbers.percent, "accuracy on validation pictures"),
    Column("agreement", "agreement", numbers.percent, "test pictures read as float32 reads them"),
    Column("mcnemar_p", "McNemar p", numbers.chance, "chance of such a difference by luck alone"),
    Column("gained", "gained", numbers.count, "test pictures right here and wrong in float32"),
    Column("lost", "lost", numbers.count, "test pictures wrong here and right in float32"),
    Column("top_k_accuracy", "top k", numbers.percent, "the class is among so many likeliest ones"),
    Column("calibration_error", "ECE", numbers.percent, "confidence against accuracy, mean gap"),
    Column("latency_us_p90", "p90", numbers.latency, "nine runs of ten were faster"),
    Column("latency_us_p99", "p99", numbers.latency, "99 runs of 100 were faster"),
    Column("latency_us_cold_start", "cold start", numbers.latency, "from file to first answer"),
    Column("arena_bytes", "arena", numbers.size, "working memory planned from the file"),
    Column("params", "params", numbers.amount, "weights in the file"),
    Column("nonzero_params", "nonzero", numbers.amount, "weights that are not zero"),
    Column("macs", "MACs", numbers.amount, "multiplications a picture costs"),
    Column("ops_int8", "int8 ops", numbers.count, "operators that compute in 8 bit"),
    Column("ops_float32", "float ops", numbers.count, "operators that compute in float"),
    Column("ops_other", "other ops", numbers.count, "operators of neither kind"),
    Column("audit_form", "computes in", numbers.word, "the form of numbers, read from the file"),
)


def classes_by_weakness(report: Report) -> list[tuple[int, ClassScore]]:
    """Each class with its number, the lowest F1 first."""
    scores = report.evaluation.per_class if report.evaluation else ()
    return sorted(enumerate(scores), key=lambda pair: pair[1].f1)


def measured(columns: tuple[Column, ...], rows: list[Row], report: Report) -> list[Column]:
    """The columns that hold something in at least one row, under the names of this report.

    Seeds are called folds where they are, k is the number it is, and accuracy exact match where a
    picture may show several classes.
    """
    found = [column for column in columns if any(row[column.key] is not None for row in rows)]
    k = next((row["top_k_k"] for row in rows if row["top_k_k"]), "k")
    found = [one._replace(heading=one.heading.replace("top k", f"top {k}")) for one in found]
    if report.dataset.multi_label:
        found = [_exact_match(column) for column in found]
    if report.over != "folds":
        return found
    return [one._replace(heading=one.heading.replace("seeds", "folds")) for one in found]


def _exact_match(column: Column) -> Column:
    if column.key == "accuracy":
        return column._replace(heading="exact match", hint="test pictures with every class right")
    return column._replace(hint=column.hint.replace("accuracy", "exact match"))


def beside(column: Column, row: Row) -> str:
    """What stands in smaller type beside a number, the pair that says how sure it is."""
    if column.key == "accuracy" and row["accuracy_ci95"]:
        return numbers.interval(row["accuracy_ci95"])
    if column.key == "latency_ratio" and row["latency_ratio_range"]:
        low, high = row["latency_ratio_range"]
        return f"{low:.2f}–{high:.2f}"
    if column.key == "seeds_mean" and row["seeds_n"]:
        n, sd = row["seeds_n"], row["seeds_sd"]
        return f"(n={n})" if sd is None else f"{numbers.give_or_take(100 * sd)} (n={n})"
    if column.key == "seeds_drop_pp_mean" and row["seeds_drop_pp_sd"] is not None:
        return numbers.give_or_take(row["seeds_drop_pp_sd"])
    return ""


def in_full(column: Column, row: Row) -> str:
    """A cell in one piece, for where there is no smaller type: `98.10 % ± 0.31 (n=3)`."""
    if column.key == "accuracy":
        return numbers.with_interval(row["accuracy"], row["accuracy_ci95"])
    if column.key == "latency_ratio" and row["latency_ratio_range"]:
        return f"{column.show(row[column.key])} [{beside(column, row)}]"
    return f"{column.show(row[column.key])} {beside(column, row)}".rstrip()
