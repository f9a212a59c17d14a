"""What the templates of html and Markdown both speak of."""

from typing import Any

from pipeline.show import (
    aware,
    controls,
    differences,
    doctor,
    ensembles,
    files,
    intake,
    kernels,
    layers,
    numbers,
    pruning,
    runs,
    slimming,
    words,
)
from pipeline.show.findings import findings
from pipeline.show.names import visible
from pipeline.show.rows import (
    ANSWER,
    DETAILS,
    PAIRS,
    beside,
    classes_by_weakness,
    in_full,
    measured,
    over_threads,
    table,
)
from pipeline.show.schema import Report


def context(report: Report) -> dict[str, Any]:
    """The names a template may use that do not depend on its language."""
    rows = table(report)
    return {
        "report": report,
        "rows": rows,
        "answer": measured(ANSWER, rows, report),
        "details": measured(DETAILS, rows, report),
        "beside": beside,
        "how_sure": PAIRS,
        "threads": over_threads(report),
        "in_full": in_full,
        "runs": runs,
        "together": ensembles,
        "slimming": slimming,
        "pruning": pruning,
        "awares": aware,
        "controls": controls,
        "doctor": doctor,
        "verdicts": controls.verdicts(
            [(variant.name, variant.controls) for variant in report.variants],
            report.replicas,
            words.measure(report),
        ),
        "differences": differences,
        "classes": classes_by_weakness(report),
        "audit": report.dataset.audit,
        "intake": intake,
        "kernels": kernels,
        "layers": layers,
        "files": files,
        "findings": findings,
        "numbers": numbers,
        "visible": visible,
        "words": words,
    }
