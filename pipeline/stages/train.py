"""Train: fit the network, and keep the weights of its best epoch on validation."""

from pathlib import Path

import keras

from pipeline.fit import loop, optimizers
from pipeline.fit.files import load_model, save_model
from pipeline.fit.history import write_history
from pipeline.settings import LOGS, Inputs, Metrics, Train


def check(settings: Train) -> None:
    """Refuse an argument that the optimizer does not take, before anything runs."""
    optimizers.check(settings, keras, "train")


def run(settings: Train, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, `history.csv`, and TensorBoard's `logs/`."""
    model = load_model(inputs["build"] / "model.keras")
    fitted = loop.fit(model, loop.Task.read(inputs), settings, log_dir=out / LOGS)
    save_model(model, out / "model.keras")
    write_history(out, fitted.history)
    return {
        "epochs": len(fitted.history["loss"]),
        "best_epoch": fitted.best_epoch + 1,
        "val_accuracy": fitted.best["val_accuracy"],
    }
