"""Evaluate: the trained network on the test split, in figures and pictures."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, f1_score, precision_recall_fscore_support
from sklearn.metrics import confusion_matrix as count_confusions

from pipeline.data.batches import plain_batches
from pipeline.data.dataset import facts, test_split
from pipeline.data.several import several
from pipeline.data.sources import Images, Labels
from pipeline.fit import attribution
from pipeline.fit.feature_maps import feature_maps
from pipeline.fit.files import load_model
from pipeline.fit.history import best_epoch, read_history
from pipeline.measure.calibration import calibration_error, reliability
from pipeline.measure.statistics import THRESHOLD, TOP, answers, right, top_k, wilson
from pipeline.settings import Evaluate, Inputs, Metrics
from pipeline.show import choosing, figures
from pipeline.show.feature_maps import Row


class Answered(NamedTuple):
    """The test split and what the network said of it."""

    images: Images
    labels: Labels
    probabilities: np.ndarray
    classes: list[str]


def run(settings: Evaluate, inputs: Inputs, out: Path) -> Metrics:
    """Write `evaluation.json`, `probabilities.npy` and `figures/*.png`.

    Of a network without feature maps, or without mistakes, two of the figures are missing.
    """
    images, labels = test_split(inputs["ingest"])
    classes = facts(inputs["ingest"])["classes"]
    model = load_model(inputs["train"] / "model.keras")
    probabilities = model.predict(plain_batches((images, labels), settings.batch), verbose=0)
    np.save(out / "probabilities.npy", probabilities)
    scores = score(probabilities, labels, classes)
    history = read_history(inputs["train"])
    sets = several(labels)
    wrong = figures.wrong_sets if sets else figures.wrong_pictures
    least_sure = figures.least_sure_sets if sets else figures.least_sure
    drawn = {
        "training_curves": figures.training_curves(history, best_epoch(history), sets),
        **(
            {"class_scores": figures.class_scores(scores["per_class"])}
            if sets
            else {"confusion_matrix": _confusion_matrix(probabilities, labels, classes)}
        ),
    }
    for name, draw, count in (
        ("wrong_pictures", wrong, settings.pictures),
        ("least_sure", least_sure, settings.pictures),
        ("probability_bars", figures.probability_bars, settings.bars),
    ):
        drawn[name] = draw(images, labels, probabilities, classes, count)
    test = Answered(images, labels, probabilities, classes)
    scores["attribution"], explained = _explained(model, test, settings.grad_cam)
    drawn |= explained | _seen(model, test, settings.feature_maps)
    (out / "evaluation.json").write_text(json.dumps(scores, indent=1))
    (out / "figures").mkdir()
    for name, figure in drawn.items():
        figures.save(figure, out / "figures" / f"{name}.png")
    return {"accuracy": scores["accuracy"], "correct": scores["correct"], "of": len(labels)}


def _explained(
    model: keras.Model, test: Answered, count: int
) -> tuple[dict[str, Any] | None, dict[str, Figure]]:
    """Where the network looked on `count` wrong pictures: the facts and, if there is one, a figure.

    Nothing is said where none is asked for.
    """
    if not count:
        return None, {}
    found = attribution.source(model, test.images)
    if found is None:
        return {"layers": [], "pictures": 0}, {}
    chosen = choosing.surest_wrong(test.labels, test.probabilities)[:count]
    said: dict[str, Any] = {"layers": found.layers, "size": found.size, "score": found.score}
    said |= {"pictures": len(chosen)}
    if not len(chosen):
        return said, {}
    images, shares = test.images[chosen], test.probabilities[chosen]
    pairs = choosing.mistakes(test.labels[chosen], shares)
    maps = [attribution.grad_cam(model, images, np.maximum(side, 0)) for side in pairs.T]
    sets = several(test.labels)
    figure = figures.grad_cam(images, maps, pairs, shares, test.classes, sets)
    return said, {"grad_cam": figure}


def _seen(model: keras.Model, test: Answered, count: int) -> dict[str, Figure]:
    """What layers make of the surest pictures, read right and read wrong in turn."""
    right, wrong = (
        choose(test.labels, test.probabilities)
        for choose in (choosing.surest_right, choosing.surest_wrong)
    )
    chosen = choosing.in_turn(right, wrong, count)
    layers = feature_maps(model, test.images[chosen]) if chosen else []
    if not layers:
        return {}
    rows = [Row(layer.name, layer.shape, layer.maps) for layer in layers]
    labels, shares = test.labels[chosen], test.probabilities[chosen]
    return {
        "feature_maps": figures.feature_maps(
            test.images[chosen], rows, labels, shares, test.classes
        )
    }


def _confusion_matrix(probabilities: np.ndarray, labels: Labels, classes: list[str]) -> Figure:
    counts = count_confusions(labels, answers(probabilities), labels=range(len(classes)))
    return figures.confusion_matrix(counts, classes)


def score(probabilities: np.ndarray, labels: Labels, classes: list[str]) -> dict[str, Any]:
    """Accuracy with its 95 % Wilson interval, cross-entropy, and precision, recall and F1 a class.

    Beside them the expected calibration error and, of more than `TOP` classes, the share of
    pictures whose class is among the `TOP` likeliest.

    A class never predicted has precision 0, by convention. Where a picture may show several
    classes, labels `(N, classes)`, accuracy is exact match and cross-entropy the binary one; more
    is added to it by `_of_several`.
    """
    sets = several(labels)
    predicted = answers(probabilities, sets)
    correct = int(np.sum(right(probabilities, labels)))
    losses = keras.losses
    entropy = losses.binary_crossentropy if sets else losses.sparse_categorical_crossentropy
    top = top_k(probabilities, labels)
    each = entropy(labels.astype(np.float32) if sets else labels, probabilities)
    table = precision_recall_fscore_support(
        labels, predicted, labels=range(len(classes)), zero_division=0
    )
    scores: dict[str, Any] = {
        "split": "test",
        "correct": correct,
        "accuracy": correct / len(labels),
        "accuracy_ci95": wilson(correct, len(labels)),
        "loss": float(np.mean(each)),
        "calibration_error": calibration_error(reliability(probabilities, labels)),
        "top_k": None if top is None else {"k": TOP, "accuracy": top},
        "per_class": [
            {
                "class": name,
                "precision": float(p),
                "recall": float(r),
                "f1": float(f),
                "support": int(n),
            }
            for name, p, r, f, n in zip(classes, *table, strict=True)
        ],
    }
    return scores | _of_several(probabilities, labels, scores["per_class"]) if sets else scores


def _of_several(
    probabilities: np.ndarray, labels: Labels, per_class: list[dict[str, Any]]
) -> dict[str, Any]:
    """What else there is to say of several labels a picture; shares are 0..1.

    `macro_f1` is the mean of the classes' F1, `micro_f1` that of all answers in one table,
    `hamming_loss` the share of answers that are wrong. `mean_average_precision` is the mean of the
    classes' average precision, the area under precision over recall at every threshold; a class
    that no test picture shows has none, and counts in no mean.
    """
    predicted = answers(probabilities, several=True)
    precisions = [
        float(average_precision_score(labels[:, number], probabilities[:, number]))
        if row["support"]
        else None
        for number, row in enumerate(per_class)
    ]
    pairs = zip(per_class, precisions, strict=True)
    return {
        "threshold": THRESHOLD,
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "micro_f1": float(f1_score(labels, predicted, average="micro", zero_division=0)),
        "mean_average_precision": float(np.mean([one for one in precisions if one is not None])),
        "hamming_loss": float(np.mean(predicted != labels)),
        "per_class": [row | {"average_precision": precision} for row, precision in pairs],
    }
