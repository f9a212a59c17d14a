"""Whole blocks of a kernel pruned together, in convolutions too."""

from importlib import import_module
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.compress.legacy.door import tfmot
from pipeline.compress.patterns import Pattern

# Imported by name behind the door: an import at the top would come before the door is shut.
_Pruning: Any = import_module(f"{tfmot.__name__}.python.core.sparsity.keras.pruning_impl").Pruning


def prune_blocks(wrapper: Any, pattern: Pattern) -> None:
    """Let one of tfmot's wrappers, built and not trained yet, choose blocks instead of weights."""
    wrapper.pruning_obj = _BlockPruning(wrapper, pattern)


class _BlockPruning(_Pruning):
    """tfmot's pruning with a block's mean magnitude in the place of a weight's.

    tfmot's own `block_size` takes kernels of two axes alone, and refuses those of convolutions.
    Where blocks do not divide a kernel, it takes means over windows shifted by half of what is
    missing, and masks blocks that are not; ours are judged by what is in them.
    """

    def __init__(self, wrapper: Any, pattern: Pattern) -> None:
        super().__init__(
            lambda: wrapper.pruning_step,
            wrapper.pruning_vars,
            wrapper.pruning_schedule,
            (1, 1),
            "AVG",
        )
        self._pattern = pattern

    def _maybe_update_block_mask(self, weights: Any) -> tuple[Any, Any]:
        """Threshold and mask of the schedule's sparsity now; called whenever masks are made."""
        rows, columns = self._pattern.block
        inputs, outputs = weights.shape[-2:]
        edges = [[0, 0], [0, -inputs % rows], [0, -outputs % columns]]
        padded = tf.pad(tf.abs(tf.reshape(weights, [-1, inputs, outputs])), edges)
        places, height, width = padded.shape
        cut = [places, height // rows, rows, width // columns, columns]
        sums = tf.reduce_sum(tf.reshape(padded, cut), [2, 4])
        sizes = self._pattern.sizes(tuple(weights.shape))
        threshold, stays = self._update_mask(sums / np.asarray(sizes, np.float32))
        full = tf.repeat(tf.repeat(stays, rows, axis=1), columns, axis=2)
        return threshold, tf.reshape(full[:, :inputs, :outputs], weights.shape)
