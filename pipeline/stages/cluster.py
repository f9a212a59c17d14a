"""Cluster: fine-tune while the weights of a kernel share few values, and keep those."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipeline.compress.kernels import prunable, said
from pipeline.compress.legacy import tf_keras
from pipeline.compress.legacy.clustering import cluster, require_clusterable
from pipeline.errors import ConfigError
from pipeline.fit import optimizers
from pipeline.fit.ensembles.members import VOTE
from pipeline.fit.files import load_model, save_model
from pipeline.fit.history import write_history
from pipeline.fit.loop import Fitted, Task, fit
from pipeline.settings import Cluster, Inputs, Metrics

COMPARED = 32  # pictures on which the mirror and the model have to agree


def check(settings: Cluster) -> None:
    """Refuse an optimizer, or an argument of it, that tf_keras does not have."""
    optimizers.check(settings, tf_keras, "cluster")


def check_network(settings: Cluster, inputs: Inputs) -> None:
    """Refuse words that mean no layer, a kernel too small, and a layer that has no twin."""
    model = load_model(inputs["candidate"] / "model.keras")
    require_clusterable(model, _allotted(settings, list(prunable(model, (VOTE,)))))


def run(settings: Cluster, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, `history.csv`, `clusters.json` (a row a clustered layer), and `logs/`.

    What an earlier attempt left in `out` is gone on from: `checkpoints/` and `logs/`.

    Raises:
        ConfigError: a pattern of names matches nothing, a layer cannot be clustered, or has fewer
            weights than clusters.
        ConversionError: model and mirror differ by more than 1e-5, a kernel came out with more
            different weights than it may have, or a zero was lost.
    """
    task = Task.read(inputs, settings.teacher)
    model = load_model(inputs["candidate"] / "model.keras")
    fits: list[Fitted] = []
    clustered = cluster(
        model,
        lambda model, api: fits.append(fit(model, task, settings, api=api, out=out)),
        np.asarray(task.validation[0][:COMPARED], np.float32),
        _allotted(settings, list(prunable(model, (VOTE,)))),
        settings.seed,
    )
    save_model(clustered.model, out / "model.keras")
    write_history(out, fits[0].history)
    layers = [asdict(layer) for layer in clustered.layers]
    (out / "clusters.json").write_text(json.dumps(layers, indent=1))
    return {
        "clusters": max(layer.clusters for layer in clustered.layers),
        "val_accuracy": fits[0].best["val_accuracy"],
        "resumed_from_epoch": fits[0].resumed_from_epoch,
    }


def _allotted(settings: Cluster, names: Sequence[str]) -> dict[str, int]:
    """Give each of `names`, of layers with a kernel in their order, its clusters, or leave it out.

    Raises:
        ConfigError: a word of `layers` or `exclude` means no layer, or no layer is left.
    """
    words = said(names, settings.layers, settings.exclude)
    found = {name: int(words.get(name, settings.clusters)) for name in names}
    chosen = {name: clusters for name, clusters in found.items() if clusters}
    if not chosen:
        raise ConfigError(
            "nothing to cluster: "
            + ("every layer with a kernel is excluded" if names else "no layer has a kernel")
        )
    return chosen
