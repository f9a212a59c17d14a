"""Train: fit the network, and keep the weights of its best epoch on validation."""

from pathlib import Path

from pipeline.fit import loop
from pipeline.fit.files import load_model, save_model
from pipeline.settings import Inputs, Metrics, Train
from pipeline.store import LOGS


def check(settings: Train) -> None:
    """Refuse a schedule that leaves no training."""
    loop.check(settings)


def run(settings: Train, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, `history.csv`, and TensorBoard's `logs/`."""
    model = load_model(inputs["build"] / "model.keras")
    fitted = loop.fit(model, loop.Task.read(inputs), settings, log_dir=out / LOGS)
    save_model(model, out / "model.keras")
    fitted.write(out / "history.csv")
    return {
        "epochs": len(fitted.history["loss"]),
        "best_epoch": fitted.best_epoch + 1,
        "val_accuracy": fitted.best["val_accuracy"],
    }
