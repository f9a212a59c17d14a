"""Train: fit the network, and keep the weights of its best epoch on validation."""

from dataclasses import replace
from pathlib import Path

import keras

from pipeline.fit import loop, optimizers
from pipeline.fit.ensembles.answers import drawn_for
from pipeline.fit.files import load_model, save_model
from pipeline.fit.history import write_history
from pipeline.fit.precision import recast
from pipeline.fit.users import make_callbacks
from pipeline.settings import Inputs, Metrics, Train


def check(settings: Train) -> None:
    """Refuse what the optimizer or a callback of the user's does not take, before anything runs."""
    optimizers.check(settings, keras, "train")
    make_callbacks(settings, keras.callbacks.Callback)


def run(settings: Train, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, `history.csv`, and TensorBoard's `logs/`.

    What an earlier attempt left in `out` is gone on from: `checkpoints/` and `logs/`.
    """
    model = load_model(inputs["build"] / "model.keras")
    learner = recast(model, settings.precision)
    callbacks = make_callbacks(settings, keras.callbacks.Callback)
    task = loop.Task.read(inputs)
    drawn = drawn_for(settings, inputs, task.train)
    fitted = loop.fit(learner, replace(task, drawn=drawn), settings, callbacks=callbacks, out=out)
    model.set_weights(learner.get_weights())
    save_model(model, out / "model.keras")
    write_history(out, fitted.history)
    return {
        "epochs": len(fitted.history["loss"]),
        "best_epoch": fitted.best_epoch + 1,
        "val_accuracy": fitted.best["val_accuracy"],
        "resumed_from_epoch": fitted.resumed_from_epoch,
    }
