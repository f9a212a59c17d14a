"""A small clustering on digits, in a process of its own."""

import numpy as np

from pipeline.compress.kernels import prunable
from pipeline.compress.legacy.clustering import cluster
from pipeline.fit import session
from pipeline.fit.loop import fit
from pipeline.settings import Cluster
from tests.fit import alone, pruned

CLUSTERS = 6


def alone_in_a_process(out):
    """Cluster, or go on with it, and write all numbers that it came to."""
    session.begin(7)
    settings = Cluster(epochs=alone.EPOCHS, batch=pruned.BATCH, learning_rate=0.01, seed=3)
    state, facts = [], {}

    def tune(model, *, api):
        fitted = fit(model, pruned.task(), settings, api=api, out=out)
        state.extend(np.asarray(x) for x in [*model.weights, *model.optimizer.variables])
        facts.update(history=fitted.history, best=fitted.best_epoch)
        facts["from"] = fitted.resumed_from_epoch

    network = alone.network()
    sample = pruned.task().validation[0][:32].astype(np.float32)
    found = cluster(
        network, tune, sample, dict.fromkeys(prunable(network), CLUSTERS), settings.seed
    )
    facts["clusters"] = [layer.clusters for layer in found.layers]
    alone.write(out, [*found.model.get_weights(), *state], facts)
