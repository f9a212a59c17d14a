"""Train: fit the network, and keep the weights of its best epoch on validation."""

from pathlib import Path

from pipeline.fit import loop
from pipeline.fit.files import load_model, save_model
from pipeline.fit.history import write_history
from pipeline.settings import Inputs, Metrics, Train


def run(settings: Train, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, `history.csv`, and TensorBoard's `logs/`.

    What an earlier attempt left in `out` is gone on from: `checkpoints/` and `logs/`.
    """
    model = load_model(inputs["build"] / "model.keras")
    fitted = loop.fit(model, loop.Task.read(inputs), settings, out=out)
    save_model(model, out / "model.keras")
    write_history(out, fitted.history)
    return {
        "epochs": len(fitted.history["loss"]),
        "best_epoch": fitted.best_epoch + 1,
        "val_accuracy": fitted.best["val_accuracy"],
        "resumed_from_epoch": fitted.resumed_from_epoch,
    }
