"""What the numbers mean, in plain sentences; page, Markdown and terminal say the same ones."""

import json
import shlex
from collections.abc import Mapping

from pydantic import JsonValue

from pipeline.show import numbers
from pipeline.show.controls import LUCK
from pipeline.show.names import visible
from pipeline.show.rows import bytes_ratio
from pipeline.show.schema import Report, Variant


def headline(report: Report) -> str:
    """The answer in a line: `Ship int8: 98.61 % [96.8–99.4], 31.0 kB (0.27×), 12.1 µs (0.40×)`."""
    best = report.best
    if best is None:
        return "No variant to ship"
    parts = [
        numbers.with_interval(best.accuracy, best.accuracy_ci95),
        _with_ratio(numbers.size(best.bytes), bytes_ratio(report, best)),
    ]
    if best.latency_us:
        parts.append(_with_ratio(numbers.latency(best.latency_us.p50), best.latency_ratio))
    return f"Ship {best.name}: {', '.join(parts)}"


def _with_ratio(text: str, ratio: float | None) -> str:
    return text if ratio is None else f"{text} ({numbers.ratio(ratio)})"


def measure(report: Report) -> str:
    """What accuracy is called: of several labels a picture it is exact match."""
    return "exact match" if report.dataset.multi_label else "accuracy"


def read_right(report: Report, share: str) -> str:
    """What a share of pictures says, behind the name of a model."""
    if report.dataset.multi_label:
        return f"got every class right on {share} of them"
    return f"read {share} of them right"


def how_sure(report: Report) -> list[str]:
    """What the number of test pictures and of seeds allows to claim."""
    test = numbers.count(report.dataset.test)
    lines = [
        f"Measured on {test} test pictures that neither training nor any choice had looked at."
    ]
    shown = report.best or report.reference
    if shown and shown.accuracy_ci95:
        low, high = (numbers.percent(end, 1) for end in shown.accuracy_ci95)
        lines.append(
            f"{shown.name} {read_right(report, numbers.percent(shown.accuracy))}. On new pictures "
            f"of the same kind, expect between {low} and {high} (95 % interval)."
        )
    if shown and shown.seeds:
        told = numbers.percent(shown.seeds.mean)
        if shown.seeds.sd is not None:
            told += f" {numbers.give_or_take(100 * shown.seeds.sd)}"
        lines.append(
            f"Over {shown.seeds.n} {report.over} it was {told}, mean and standard deviation."
        )
    elif not report.replicas:
        lines.append(
            f"This is one training run. Another seed can move the {measure(report)} by as much as "
            "shrinking did."
        )
    return lines


def how_often(report: Report) -> list[str]:
    """Over which seeds or folds the run went, and how their spread is to be read."""
    number = len(report.replicas)
    first, last = report.replicas[0], report.replicas[-1]
    if first.fold is None:
        span = "to" if number > 2 else "and"
        lines = [
            f"The whole chain ran {number} times on one split, with seeds {first.seed} {span} "
            f"{last.seed}. What is published, and all that is said of one model, is of seed "
            f"{first.seed}."
        ]
    else:
        lines = [
            f"The whole chain ran {number} times: the pictures outside the test split were cut "
            f"into {number} folds, and each was the validation part once. What is published, and "
            "all that is said of one model, is of fold 1.",
            "The best epoch was chosen on the same validation pictures, which flatters that "
            f"{measure(report)} a little.",
        ]
        if number > 2:
            lines.append(
                "Any two folds share training pictures, so their spread tends to be less than "
                "that of sets drawn anew."
            )
    failed = sum(row.status != "ok" for one in report.replicas for row in one.variants)
    if failed:
        lines.append(
            f"{numbers.count(failed)} of the {numbers.count(number * len(report.variants))} "
            "results are missing, since a step failed; n counts those that are there."
        )
    return lines


def comparison(variant: Variant, measure: str = "accuracy") -> str | None:
    """How a variant's answers differ from those of float32, and whether that can be luck."""
    if variant.status != "ok" or variant.name == "float32" or variant.mcnemar_p is None:
        return None
    same = ""
    if variant.agreement is not None:
        share = numbers.percent(variant.agreement)
        same = f"gives the same answer as float32 on {share} of the pictures; "
    if variant.drop_pp == 0:
        return f"{same}it reads as many right."
    chance = numbers.chance(variant.mcnemar_p)
    if variant.mcnemar_p >= LUCK:
        return f"{same}the difference in {measure} may well be luck (McNemar p = {chance})."
    better = (variant.drop_pp or 0) < 0
    sign = "better" if better else "worse"
    told = chance if chance.startswith("<") else f"= {chance}"
    return f"{same}it is {sign}, and hardly by luck (McNemar p {told})."


AMX = {  # what it was to the timing, as `measure` names it
    "off": "This processor has AMX, a matrix unit that no phone has and that small networks are "
    "slower by; it was kept out.",
    "on": "AMX, a matrix unit that no phone has, could not be kept out: what a narrow network "
    "saves does not show in these times.",
}


def how_measured(report: Report) -> list[str]:
    """How latency was taken, as far as the rows tell, and what it cannot tell."""
    timed = [row.latency_us for row in report.variants if row.latency_us]
    lines = []
    if timed:
        threads = _span([latency.threads for latency in timed])
        runs = _span([latency.runs for latency in timed])
        lines.append(
            f"Latency is one picture through the file with LiteRT: the median of {runs} timed "
            f"runs on {threads} thread{'' if threads == '1' else 's'}, all files in turns, in a "
            "process of its own."
        )
        lines += [AMX[amx] for amx in [report.machine.get("amx")] if amx in AMX]
    lines.append(
        "It was taken on the computer below. x86 figures are not a phone's: trust the ratios "
        "more than the microseconds, and measure on the phone before promising any."
    )
    return lines


def _span(values: list[int]) -> str:
    low, high = min(values), max(values)
    return numbers.count(low) if low == high else f"{numbers.count(low)}–{numbers.count(high)}"


def beyond(report: Report) -> str:
    """What else is said of the trained model: top-k accuracy and calibration, where known."""
    found = report.evaluation
    parts = []
    if found and found.top_k:
        share = numbers.percent(found.top_k.accuracy)
        parts.append(f"The class is among the {found.top_k.k} likeliest on {share}.")
    if found and found.calibration_error is not None:
        error = numbers.percent(found.calibration_error)
        parts.append(f"Its expected calibration error (ECE) is {error}.")
    return " ".join(parts)


def several_labels(report: Report) -> list[str]:
    """What is said of a run whose pictures may show several classes; nothing of another."""
    found = report.evaluation
    if not report.dataset.multi_label or found is None:
        return []
    return [
        f"A class counts as seen from a probability of {found.threshold or 0.5:g} on. Exact match "
        "is the share of pictures with every class right, the strictest of these: F1 over all "
        f"answers is {numbers.percent(found.micro_f1)}, in the mean of the classes "
        f"{numbers.percent(found.macro_f1)}; mean average precision, over all thresholds, "
        f"{numbers.percent(found.mean_average_precision)}; {numbers.percent(found.hamming_loss)} "
        "of all single answers are wrong.",
    ]


def attribution(report: Report) -> str | None:
    """Where the maps of what the network looked at come from, or why there are none."""
    found = report.evaluation.attribution if report.evaluation else None
    if found is None:
        return None
    if found.size is None:
        return (
            "No layer of this network makes a feature map of more than one place: there is no "
            "Grad-CAM to draw, and no channels to show."
        )
    if not found.pictures:
        return None
    score = found.score.replace("_", " ") if found.score else "score"
    height, width = found.size
    return (
        f"Grad-CAM is drawn of {numbers.count(found.pictures)} wrong pictures, from "
        f"{', '.join(visible(name) for name in found.layers)}, {height} × {width} places, by the "
        f"gradient of the class's {score}. It says what the answer hung on in that layer, not why."
    )


def trained_on(report: Report) -> str | None:
    """How several labels a picture were learned, and how the epoch was chosen; else nothing."""
    if not report.dataset.multi_label:
        return None
    said = settings(report, "train").get("loss", "cross_entropy")
    name = next(iter(said)) if isinstance(said, dict) else str(said)
    binary = "the binary one, " if name in {"cross_entropy", "focal"} else ""
    return (
        f"Each class is a question by itself: the loss, {name.replace('_', ' ')}, is {binary}"
        "the mean over all classes. The epoch kept has the best exact match on validation, among "
        "equals the lowest loss."
    )


def balanced(report: Report) -> bool:
    """Tell whether training let each class count the same."""
    return settings(report, "train").get("class_weights") == "balanced"


def settings(report: Report, section: str) -> Mapping[str, JsonValue]:
    """One section of the run's settings; empty where there is none."""
    found = report.config.get(section)
    return found if isinstance(found, dict) else {}


def fact(value: JsonValue) -> str:
    """Any JSON value on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def named(name: str, value: JsonValue) -> tuple[str, str]:
    """A fact as label and text: `memory_bytes` reads `memory` and `8.32 GB`."""
    if name.endswith("_bytes") and isinstance(value, int):
        return name.removesuffix("_bytes").replace("_", " "), numbers.size(value)
    label = name.replace("_", " ")
    if value is None:
        return label, numbers.MISSING
    return label, f"{value:.4g}" if isinstance(value, float) else fact(value)


AGAIN = (
    "On the same computer, with the same versions, model.keras and the .tflite files come out byte "
    "for byte, unless channels were taken out towards a latency. Another processor, or another "
    "number of cores, adds up in another order: weights then differ a little."
)


def again(name: str) -> tuple[str, str]:
    """The file to save a run's settings in, by its name, and the command that repeats it."""
    file = f"{name}.yaml"
    return file, f"python run_pipeline.py run {shlex.quote(file)}"


def curves(report: Report) -> str | None:
    """The command that shows the curves of training, from the folder the report is in."""
    if report.training is None or report.training.logs is None:
        return None
    return f"tensorboard --logdir {shlex.quote(f'../{report.training.logs}')}"
