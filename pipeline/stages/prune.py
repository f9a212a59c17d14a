"""Prune: fine-tune while the smallest weights become zero, and keep the zeros."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipeline.compress.legacy import tf_keras
from pipeline.compress.legacy.pruning import prune
from pipeline.compress.schedule import Ramp
from pipeline.data.batches import steps
from pipeline.data.dataset import facts
from pipeline.fit import optimizers
from pipeline.fit.ensembles.members import VOTE
from pipeline.fit.files import load_model, save_model
from pipeline.fit.history import write_history
from pipeline.fit.loop import Fitted, Task, fit
from pipeline.settings import Inputs, Metrics, Prune

COMPARED = 32  # pictures on which the mirror and the model have to agree


def check(settings: Prune) -> None:
    """Refuse an optimizer, or an argument of it, that tf_keras does not have."""
    optimizers.check(settings, tf_keras, "prune")


def check_pictures(settings: Prune, ingest: Path) -> None:
    """Refuse a run that is too short for its ramp: known as soon as the pictures are counted."""
    _ramp(settings, steps(facts(ingest)["train"], settings.batch))


def run(settings: Prune, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, `history.csv`, `sparsity.json` (a row a pruned layer), and `logs/`.

    What an earlier attempt left in `out` is gone on from: `checkpoints/` and `logs/`.

    Raises:
        ConfigError: the run is too short for the ramp, or a pattern of `exclude` matches nothing.
        ConversionError: model and mirror differ by more than 1e-5, or a zero was lost.
    """
    task = Task.read(inputs)
    per_epoch = task.steps_per_epoch(settings)
    ramp = _ramp(settings, per_epoch)
    fits: list[Fitted] = []
    pruned = prune(
        load_model(inputs["candidate"] / "model.keras"),
        lambda model, api, callbacks: fits.append(
            fit(
                model,
                task,
                settings,
                api=api,
                callbacks=callbacks,
                first_best=ramp.first_full_epoch(per_epoch),
                out=out,
            )
        ),
        ramp,
        np.asarray(task.validation[0][:COMPARED], np.float32),
        exclude=settings.exclude,
        whole=(VOTE,),
    )
    save_model(pruned.model, out / "model.keras")
    write_history(out, fits[0].history)
    layers = [asdict(layer) for layer in pruned.layers]
    (out / "sparsity.json").write_text(json.dumps(layers, indent=1))
    weights = sum(layer.weights for layer in pruned.layers)
    zeros = sum(layer.zeros for layer in pruned.layers)
    return {
        "sparsity": zeros / weights,
        "val_accuracy": fits[0].best["val_accuracy"],
        "resumed_from_epoch": fits[0].resumed_from_epoch,
    }


def _ramp(settings: Prune, steps_per_epoch: int) -> Ramp:
    return Ramp.over(
        settings.epochs * steps_per_epoch,
        settings.sparsity,
        kind=settings.ramp,
        begin=settings.begin,
        end=settings.end,
    )
