"""model_card.md: what is told with a file that is handed on, in the form model hubs read."""

from collections.abc import Iterator
from typing import Any

from pipeline.show import numbers, words
from pipeline.show.context import context
from pipeline.show.markdown import Written, environment, escape, fenced
from pipeline.show.names import cut, visible
from pipeline.show.places import recipe
from pipeline.show.rows import ANSWER, DETAILS, measured, table
from pipeline.show.schema import Report
from pipeline.show.snippet import snippet
from pipeline.show.variant import Variant

# The columns of its two tables, by the keys of rows.
COLUMNS = {column.key: column for column in (*ANSWER, *DETAILS)}
COST = (
    "bytes",
    "accuracy",
    "seeds_mean",
    "drop_pp",
    "seeds_drop_pp_mean",
    "agreement",
    "mcnemar_p",
)
TIME = (
    "latency_us_p50",
    "latency_us_p90",
    "latency_us_p99",
    "latency_us_cold_start",
    "latency_ratio",
)
TASK = "image-classification"
CLASSES = 30  # that are named
LONGEST = 40  # characters of a name
_FRAME = "---\n{{ card_data }}\n---\n\n{{ body }}"  # the hub's own classes fill the head


def to_card(report: Report) -> str:
    """The text of `model_card.md`: a head in YAML for machines, Markdown for people.

    Nothing is asked of the hub: a card is checked there when it is pushed.
    """
    # It brings an HTTP client along, which nothing else here needs.
    from huggingface_hub import ModelCard

    card = ModelCard.from_template(_data(report), template_str=_FRAME, body=_body(report))
    return f"{str(card).rstrip()}\n"


def _data(report: Report) -> Any:
    """The head: what the file is, and its accuracy on the test pictures, a share 0..1."""
    from huggingface_hub import EvalResult, ModelCardData

    name, license_ = visible(report.dataset.name), words.settings(report, "report").get("license")
    told = "exact match" if report.dataset.multi_label else "accuracy"
    results = [
        EvalResult(
            task_type=TASK,
            dataset_type=_source(report),
            dataset_name=name,
            dataset_split="test",
            metric_type="accuracy",
            metric_name=f"{told} of {visible(row.name)}",
            metric_value=row.accuracy,
        )
        for row in _told(report)
    ]
    tags = [
        "tflite",
        "keras",
        visible(report.model.name),
        *(visible(v.name) for v in _told(report)),
    ]
    return ModelCardData(
        license=license_ if isinstance(license_, str) else None,
        library_name="litert",
        pipeline_tag=TASK,
        tags=tags,
        metrics=["accuracy"] if results else None,
        model_name=visible(report.name) if results else None,
        eval_results=results or None,
    )


def _told(report: Report) -> Iterator[Variant]:
    """The rows whose accuracy is in the head: what is recommended, and int8."""
    for row in report.variants:
        if row.status == "ok" and row.name in {report.recommended, "int8"}:
            yield row


def _source(report: Report) -> str:
    """What kind of data set it is, by its row in the table of sources: `folder`, `tfds:mnist`."""
    said = words.settings(report, "ingest").get("dataset")
    return visible(said) if isinstance(said, str) else "custom"


def _body(report: Report) -> str:
    rows = table(report)
    file, command = words.again(report.name)
    shown = report.best or report.reference
    code = snippet(report, shown) if shown else None
    pages = environment()
    pages.finalize = _inert
    return pages.get_template("model_card.md").render(
        context(report),
        shown=shown,
        classes_told=class_names(report.dataset.classes),
        code=fenced(code, "python") if code else None,
        cost=measured(tuple(COLUMNS[key] for key in COST), rows, report),
        time=measured(tuple(COLUMNS[key] for key in TIME), rows, report),
        recipe_file=file,
        command=fenced(command, "sh"),
        recipe=fenced(recipe(report), "yaml"),
        unkept=[gate for gate in report.gates if not gate.passed],
        training=training(report),
        limits=limits(report),
    )


def _inert(value: object) -> object:
    """A value as a template prints it: on one line, in its order, obeyed by nothing."""
    return value if isinstance(value, Written) else escape(visible(str(value)))


def class_names(classes: tuple[str, ...]) -> str:
    """The classes in their order, those of a long list as far as a reader follows."""
    named = [cut(visible(name), LONGEST) for name in classes[:CLASSES]]
    more = len(classes) - len(named)
    rest = f" and {numbers.count(more)} more, all of them in report.json" if more else ""
    return ", ".join(named) + rest


def training(report: Report) -> list[tuple[str, str]]:
    """How the network was fitted, as names and texts: pictures, epochs, settings."""
    data, said = report.dataset, words.settings(report, "train")
    found = [
        ("training pictures", numbers.count(data.train)),
        (
            "validation pictures",
            f"{numbers.count(data.validation)}, which every choice was made on",
        ),
        ("test pictures", f"{numbers.count(data.test)}, which nothing was chosen by"),
    ]
    if report.training:
        best = report.training.best_epoch
        found.append(("epochs", f"{report.training.epochs}; the weights of epoch {best} were kept"))
    told = ("optimizer", "learning_rate", "schedule", "batch", "loss", "label_smoothing")
    found += [words.named(name, said[name]) for name in told if name in said]
    if report.augmentation:
        found.append(
            ("augmentation", ", ".join(name for one in report.augmentation for name in one))
        )
    found += [("seed", str(report.config["seed"]))] if "seed" in report.config else []
    return found


def limits(report: Report) -> list[str]:
    """What the figures do not say, and what the file does with pictures it was not made for."""
    several = report.dataset.multi_label
    lines = [
        "It was measured on pictures from the same source as those it learned from. Other cameras, "
        "light or framing may be read worse; measure on pictures of the place it is to work in.",
        "Each class is answered by itself, for any picture: one of none of these classes may still "
        "be given a high probability."
        if several
        else "It knows these classes alone: a picture of anything else is given one of them, often "
        "with a high probability.",
    ]
    scores = report.evaluation.per_class if report.evaluation else ()
    if scores:
        worst = min(scores, key=lambda score: score.f1)
        lines.append(
            f"The weakest class is {cut(visible(worst.name), LONGEST)}: before any shrinking, "
            f"F1 {numbers.percent(worst.f1, 1)}, recall {numbers.percent(worst.recall, 1)}, on "
            f"{numbers.count(worst.support)} test pictures."
        )
    return lines
