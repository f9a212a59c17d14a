"""What the front door prints on standard output: tables and lists, with rich."""

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.errors import ConfigError, IntegrityError, harmless
from pipeline.lazy import LazyTable, nearest
from pipeline.publish import damaged, runs
from pipeline.reference import layers_page, settings_page
from pipeline.runner import Outcome

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.draft import Draft
    from pipeline.measure.audit import Audit
    from pipeline.measure.phone import Measured
    from pipeline.search.phase import Found
    from pipeline.show.schema import Report

console = Console(highlight=False, soft_wrap=True, emoji=False)
STYLES = {"cached": "dim", "run": "yellow", "waits": "cyan"}
LISTED = 40  # classes shown


def show_outcome(outcome: Outcome) -> None:
    """Print the variants' table and where the report is; without a report, the folders made."""
    if outcome.report is None:
        for step, entry in outcome.entries.items():
            console.print(f"{step:<28} {entry.folder}", markup=False)
        return
    from pipeline.show.schema import Report
    from pipeline.show.terminal import variants_table

    report = Report.model_validate(outcome.report)
    console.print(variants_table(report), soft_wrap=False)
    if report.config.get("gates"):
        kept = sum(gate.passed for gate in report.gates)
        console.print(f"{kept} of {len(report.gates)} gates kept", markup=False)
    console.print(f"{outcome.folder}/report.html", markup=False)


def unkept(outcome: Outcome) -> list[str]:
    """The gates that failed, a line each."""
    if outcome.report is None:
        return []
    from pipeline.show.files import Gate, bound

    found = [Gate.model_validate(gate) for gate in outcome.report["gates"]]
    return [bound(gate) for gate in found if not gate.passed]


def show_search(found: "Found") -> None:
    """Print the trials that no other beats, smallest first, and the recipe of the best."""
    from pipeline.show.numbers import latency, percent, size

    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for column in ("trial", "accuracy", "bytes", "latency"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("settings", overflow="fold", min_width=20)
    for trial in found.front:
        table.add_row(
            f"{trial.trial}{'*' if trial == found.best else ''}",
            percent(trial.score(found.objective)),
            size(trial.bytes or 0),
            latency(trial.latency_us or 0),
            Text(trial.said),
        )
    counts = Counter(trial.status for trial in found.trials)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    console.print(f"{told}; those that no other beats, * the most accurate:", markup=False)
    console.print(table, soft_wrap=False)
    console.print(
        f"next:\n  python run_pipeline.py run {shlex.quote(str(found.recipe))}", markup=False
    )


def show_explanation(rows: Iterable[tuple[str, str, str]]) -> None:
    """Print a line a step: what will happen, and why."""
    for step, what, why in rows:
        line = f"{step:<28} {what:<7} {why}"
        console.print(harmless(line), style=STYLES[what], markup=False)


def show(what: str, config: Callable[[], Any], artifacts: Path) -> None:
    """Print one of the lists `show` knows, but that of the models."""
    from pipeline.data import DATASETS

    if what == "datasets":
        _print_classes(DATASETS)
    elif what == "augmentations":
        _print_augmentations()
    elif what == "config":
        console.print(
            yaml.safe_dump(_whole(config()), sort_keys=False, allow_unicode=True),
            markup=False,
            end="",
        )
    elif what == "settings":
        console.print(settings_page(), end="", markup=False)
    elif what == "layers":
        console.print(layers_page(), end="", markup=False)
    elif what == "runs":
        _print_runs(artifacts)
    else:
        known = ("models", "datasets", "augmentations", "layers", "settings", "config", "runs")
        raise ConfigError(f"show {what!r}: {nearest(what, known)}")


def _whole(config: "Config") -> dict[str, Any]:
    """Every setting of a recipe; of a search, and a store of MLflow, only where there is one."""
    whole = config.recipe()
    if config.mlflow:
        whole["mlflow"] = str(config.mlflow)
    if config.search.space:
        whole["search"] = config.search.model_dump(mode="json", exclude=set(config.search.given))
    return whole


def show_draft(draft: "Draft") -> None:
    """Print what a recipe was written from: classes, what is odd, and how to run it."""
    from pipeline.oddities import clean, oddities

    seen = draft.look
    columns = {"pictures": seen.totals} | (seen.by_split if len(seen.by_split) > 1 else {})
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("class", overflow="fold", min_width=10)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    order = sorted(range(len(seen.classes)), key=lambda number: (-seen.totals[number], number))
    for number in order[:LISTED]:
        figures = [f"{counts[number]:,}" for counts in columns.values()]
        table.add_row(Text(clean(seen.classes[number])), *figures)
    console.print(f"read as {draft.dataset}: {draft.reason}", markup=False)
    console.print(table, soft_wrap=False)
    if len(order) > LISTED:
        console.print(f"and {len(order) - LISTED} smaller classes", markup=False)
    for oddity in oddities(seen):
        console.print(f"- {oddity}", style="yellow", markup=False)
    console.print(f"{draft.file} is written; next:\n  {draft.command}", markup=False)


def show_measurements(rows: Sequence[dict[str, Any]]) -> None:
    """Print what `benchmark` found of each file."""
    console.print(_measurements(rows, ("p50", "p90", "p99")))


def show_phone(found: "Measured") -> None:
    """Print what `benchmark --adb` found of each file, and on which phone."""
    console.print(_measurements(found.rows, ("mean", "lowest", "highest", "first")))
    threads = f"{found.threads} thread{'s' if found.threads > 1 else ''}"
    console.print(
        harmless(f"on {found.model}, Android {found.android}, {found.processor}, {threads}; ")
        + "each round has a mean: median, lowest, highest",
        markup=False,
    )


def _measurements(rows: Sequence[dict[str, Any]], latencies: Sequence[str]) -> Table:
    """A row a file; `latencies` are keys of its `latency_us`."""
    from pipeline.show.numbers import latency, size

    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("file", overflow="fold", min_width=10)
    for column in ("bytes", "gzip", "MMAC", "int8/float/other", *latencies, "ratio"):
        table.add_column(column.replace("/", "/\n"), justify="right", no_wrap=True)
    for row in rows:
        ops, times = row["ops"], row["latency_us"]
        table.add_row(
            Text(harmless(row["file"])),
            size(row["bytes"]),
            size(row["gzip_bytes"]),
            f"{row['macs'] / 1e6:.3g}",
            f"{ops['int8']}/{ops['float32']}/{ops['other']}",
            *(latency(times[key]) for key in latencies),
            f"{row['latency_ratio']:.2f}x",
        )
    return table


def show_comparison(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Print two reports side by side, and what makes the runs different."""
    from pipeline.show.comparison import differences, lines, remarks
    from pipeline.show.words import measure

    reports = [_report(facts) for facts in (first, second)]
    for place, report in zip(("first", "second"), reports, strict=True):
        console.print(f"{place:<7} {report.name} {report.id}", markup=False)
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("variant", overflow="fold", min_width=8)
    table.add_column("run", style="dim")
    for column in (measure(reports[0]), "size", "latency", "of float32"):
        table.add_column(column, justify="right", no_wrap=True)
    for line in lines(*reports):
        table.add_row(*map(Text, line), style="" if line.run else "bold")
    console.print(table, soft_wrap=False)
    for remark in remarks(*reports):
        console.print(f"  {remark}", style="dim", markup=False)
    found = differences(*reports)
    if not found:
        console.print("same settings, pictures, versions, code and machine", markup=False)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for column in ("differs", "first", "second"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(*(Text(harmless(cell)) for cell in one))
    console.print(table, soft_wrap=False)


def _report(facts: dict[str, Any]) -> "Report":
    """A report as types.

    Raises:
        IntegrityError: it is none, or one of another version.
    """
    from pydantic import ValidationError

    from pipeline.show.schema import Report

    try:
        return Report.model_validate(facts)
    except ValidationError as error:
        what = error.errors()[0]
        where = ".".join(map(str, what["loc"]))
        raise IntegrityError(f"no report of this version: {where}: {what['msg']}") from error


def show_audit(found: "Audit", problems: Sequence[str]) -> None:
    """Print what `audit` found in a file: what it is, its operations, and what is wrong with it."""

    console.print(f"{found.path}: {found.form}", style="bold", markup=False)
    for line in _told(found):
        console.print(f"  {line}", markup=False)
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for column in ("#", "operation", "computes", "in", "out", "weights", "scales", "XNNPACK"):
        table.add_column(column, justify="right" if column in {"#", "scales"} else "left")
    for one in found.operations:
        taken = {True: "yes", False: "no", None: "–"}[one.xnnpack]
        table.add_row(
            str(one.number),
            Text(harmless(one.code)),
            one.form,
            ", ".join(dict.fromkeys(one.given)),
            ", ".join(dict.fromkeys(one.gives)),
            one.weights or "–",
            str(one.scales) if one.scales else "–",
            taken if one.form != "constants" else "–",
        )
    console.print(table, soft_wrap=False)
    for line in problems:
        console.print(f"✗ {harmless(line)}", style="red", markup=False)
    console.print()


def _told(found: "Audit") -> Iterator[str]:
    """The facts of a file, a line each."""
    from pipeline.show.numbers import percent, size

    facts = found.facts
    yield f"{size(facts.bytes)}, {size(facts.gzip_bytes)} by gzip; sha256 {facts.sha256}"
    yield f"{facts.params:,} weights, {percent(found.zeros)} of them zeros; {facts.macs:,} MACs"
    many, all_ = found.per_channel
    if all_:
        yield f"{many} of {all_} quantized constants have a scale for each channel"
    for what, ports in (("takes", facts.inputs), ("gives", facts.outputs)):
        for port in ports:
            shape = "×".join(map(str, port.shape))
            scale = f", {port.scale:.6g} × (n - {port.zero_point})" if port.scale else ""
            yield harmless(f"{what} {port.name}: {port.dtype} {shape}{scale}")
    for signature in facts.signatures:
        operands = f"({', '.join(signature.inputs)}) -> {', '.join(signature.outputs)}"
        yield harmless(f"signature {signature.name}{operands}")
    if found.delegated:
        taken, computing = found.delegated
        yield f"XNNPACK takes {taken} of {computing} computing operations on this machine"
    beside = ", ".join(f"{name} ({size(count)})" for name, count in found.metadata.items())
    yield harmless(f"metadata: {beside or 'none'}")
    if found.description:
        yield harmless(f"description: {found.description}")
    if found.subgraphs > 1:
        yield f"{found.subgraphs} subgraphs, of which this is the first"


def _print_classes(table: LazyTable) -> None:
    for name in table:
        summary = (table[name].__doc__ or "").partition("\n")[0]
        console.print(f"{name:<12} {summary}", markup=False)


def _print_augmentations() -> None:
    from pipeline.data import POLICIES
    from pipeline.data.operations import OPERATIONS

    for name, row in OPERATIONS.items():
        console.print(f"{name:<14} {row.meaning}", markup=False)
        marked = (
            f"{argument}{'*' if argument in row.reach else ''}={_as_yaml(default)}"
            for argument, default in row.arguments.items()
        )
        console.print(f"{'':<14} {', '.join(marked)}", style="dim", markup=False)
    console.print("* is what augment.strength scales; augment.policy knows these by name:")
    for name, policy in POLICIES.items():
        console.print(f"{name:<14} {_as_yaml(list(policy))}", markup=False)


def _as_yaml(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).split(
        "\n"
    )[0]


def _print_runs(artifacts: Path) -> None:
    """Print past runs, oldest first, each with the variant it recommends."""
    from pipeline.show.past import lines

    for line in lines(runs(artifacts)) or [f"no runs in {artifacts} yet"]:
        console.print(harmless(line), markup=False)
    for problem in damaged(artifacts):
        console.print(f"✗ {harmless(problem)}", style="red", markup=False)
