"""Evaluate: the trained network on the test split, in figures and pictures."""

import json
from pathlib import Path

import keras
import numpy as np
from sklearn.metrics import confusion_matrix as count_confusions
from sklearn.metrics import precision_recall_fscore_support

from pipeline.data.batches import plain_batches
from pipeline.data.dataset import facts, test_split
from pipeline.data.sources import Labels
from pipeline.fit.files import load_model
from pipeline.fit.history import best_epoch, read_history
from pipeline.measure.statistics import wilson
from pipeline.settings import Evaluate, Inputs, Metrics
from pipeline.show import figures


def run(settings: Evaluate, inputs: Inputs, out: Path) -> Metrics:
    """Write `evaluation.json`, `probabilities.npy` and `figures/*.png`."""
    images, labels = test_split(inputs["ingest"])
    classes = facts(inputs["ingest"])["classes"]
    model = load_model(inputs["train"] / "model.keras")
    probabilities = model.predict(plain_batches((images, labels), settings.batch), verbose=0)
    np.save(out / "probabilities.npy", probabilities)
    scores = score(probabilities, labels, classes)
    (out / "evaluation.json").write_text(json.dumps(scores, indent=1))
    history = read_history(inputs["train"])
    drawn = {
        "training_curves": figures.training_curves(history, best_epoch(history)),
        "confusion_matrix": figures.confusion_matrix(
            count_confusions(labels, probabilities.argmax(-1), labels=range(len(classes))), classes
        ),
    }
    for name, draw, count in (
        ("wrong_pictures", figures.wrong_pictures, settings.pictures),
        ("least_sure", figures.least_sure, settings.pictures),
        ("probability_bars", figures.probability_bars, settings.bars),
    ):
        drawn[name] = draw(images, labels, probabilities, classes, count)
    (out / "figures").mkdir()
    for name, figure in drawn.items():
        figures.save(figure, out / "figures" / f"{name}.png")
    return {"accuracy": scores["accuracy"], "correct": scores["correct"], "of": len(labels)}


def score(probabilities: np.ndarray, labels: Labels, classes: list[str]) -> dict[str, object]:
    """Accuracy with its 95 % Wilson interval, cross-entropy, and precision, recall and F1 a class.

    A class never predicted has precision 0, by convention.
    """
    predicted = probabilities.argmax(axis=-1)
    correct = int(np.sum(predicted == labels))
    losses = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
    table = precision_recall_fscore_support(
        labels, predicted, labels=range(len(classes)), zero_division=0
    )
    return {
        "split": "test",
        "correct": correct,
        "accuracy": correct / len(labels),
        "accuracy_ci95": wilson(correct, len(labels)),
        "loss": float(np.mean(losses)),
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
