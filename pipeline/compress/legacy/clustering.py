"""Weight sharing: tfmot's clustering on the tf_keras twin of a Keras 3 model, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from pipeline.compress.centroids import centroids
from pipeline.compress.kernels import kernel, leaves
from pipeline.compress.legacy.door import tfmot
from pipeline.compress.legacy.graph import mirror_for
from pipeline.compress.legacy.weights import check_parity, copy_weights
from pipeline.compress.legacy.wrapping import wrap_layers
from pipeline.errors import ConfigError, ConversionError

_clustering = tfmot.clustering.keras
# Imported by name behind the door: an import at the top would come before the door is shut. Only
# this function keeps zeros, and only this sum of gradients does not grow with a kernel's size.
_inside = f"{tfmot.__name__}.python.core.clustering.keras"
_cluster_weights: Any = import_module(f"{_inside}.experimental.cluster").cluster_weights
_MEAN: Any = import_module(f"{_inside}.cluster_config").GradientAggregation.AVG


class Fit(Protocol):
    """Compiles and trains a clustered tf_keras model in place.

    `api` is the tf_keras module, to be used where Keras 3 would be `keras`.
    """

    def __call__(self, model: Any, *, api: ModuleType) -> object:
        """Train; what is returned is not looked at."""


@dataclass(frozen=True)
class LayerClusters:
    """How many weights a clustered kernel has, how many different ones, and how many are zero.

    `name` is the layer's; inside a nested model `backbone/conv1`.
    """

    name: str
    weights: int
    clusters: int
    zeros: int


@dataclass(frozen=True)
class Clustered:
    """A new Keras 3 model (not compiled) and its clusters, layer by layer."""

    model: keras.Model
    layers: tuple[LayerClusters, ...]


def cluster(
    model: keras.Model, fit: Fit, images: Any, clusters: Mapping[str, int], seed: int = 0
) -> Clustered:
    """Return `model` fine-tuned by `fit` with few different weights in each kernel.

    `clusters` maps names as `prunable` gives them to how many values each kernel may have; layers
    it lacks are tuned along as they are. Weights that are zero stay zero. While training, each
    weight takes the value of the nearest centroid; weights and centroids both learn. `images`
    (float32, 0..255) are what the twin is compared on before and after. `model` itself is not
    changed. One `seed`, one set by `fit` and one order of data give one result, bit for bit.

    Raises:
        ConfigError: a layer has no twin, or fewer weights than clusters.
        ConversionError: twin and model differ, or a kernel came out with more values or fewer
            zeros than it may have.
    """
    # Else metrics without a name would be `auc`, then `auc_1`: other log keys in a second run.
    tf_keras.backend.clear_session()
    twin = require_clusterable(model, clusters)
    check_parity(model, twin, images)
    named = dict(leaves(twin))
    before = {name: kernel(named[name]).numpy() for name in clusters}
    wanted = {id(named[name]): clusters[name] for name in clusters}
    wrapped = wrap_layers(twin, wanted, lambda layer: _wrapper(layer, wanted[id(layer)], seed))
    fit(wrapped, api=tf_keras)
    stripped = _clustering.strip_clustering(wrapped)
    after = dict(leaves(stripped))
    layers = tuple(
        _measure(name, weights, kernel(after[name]).numpy(), clusters[name])
        for name, weights in before.items()
    )
    clustered = keras.models.clone_model(model)
    copy_weights(stripped, clustered)
    check_parity(clustered, stripped, images)
    return Clustered(clustered, layers)


def require_clusterable(model: keras.Model, clusters: Mapping[str, int]) -> Any:
    """Return the tf_keras twin of a model, which need not be trained yet.

    Raises:
        ConfigError: a layer has no twin, or fewer weights than clusters.
    """
    twin = mirror_for("cluster", model)
    named = dict(leaves(twin))
    for name, most in clusters.items():
        _check(name, kernel(named[name]).numpy(), most)
    return twin


def _check(name: str, weights: Any, clusters: int) -> None:
    """Refuse a kernel too small for its clusters."""
    if weights.size < clusters:
        raise ConfigError(
            f"layer '{name}' has {weights.size} weights, fewer than {clusters} clusters: leave it "
            "out by `exclude`, or give it fewer by `layers`"
        )
    if clusters < 3 and (weights == 0).any():
        raise ConfigError(
            f"layer '{name}' has zeros, which take a cluster of their own: give it at least 3"
        )


def _wrapper(layer: Any, clusters: int, seed: int) -> Any:
    """One layer in tfmot's wrapper, which is built and begins at centroids of ours.

    tfmot's own k-means++ stops at the draws, always those of one seed, and draws more than there
    are from a kernel with few weights that are not zero.
    """
    layer.trainable = True  # tfmot leaves a frozen layer as it is
    weights = kernel(layer).numpy()
    sparse = bool((weights == 0).any())
    wrapper = _cluster_weights(
        layer,
        clusters,
        _clustering.CentroidInitialization.LINEAR,
        preserve_sparsity=sparse,
        cluster_gradient_aggregation=_MEAN,
    )
    wrapper.build(layer.get_input_shape_at(0))
    for name, begun in wrapper.cluster_centroids.items():
        begun.assign(centroids(weights, clusters, seed)[: begun.shape[0]])
        if sparse:
            wrapper.zero_idx[name] = tf.constant(0, tf.int64)
            wrapper.sparsity_masks[name] = tf.constant(weights != 0, tf.float32)
    return wrapper


def _measure(name: str, before: Any, after: Any, clusters: int) -> LayerClusters:
    """Count, or refuse a kernel that came out with more than it may have."""
    values = len(np.unique(after))
    if values > clusters:
        raise ConversionError(f"layer '{name}' has {values} different weights, {clusters} were due")
    if lost := int(((before == 0) & (after != 0)).sum()):
        raise ConversionError(f"layer '{name}' lost {lost} zeros while it was clustered")
    return LayerClusters(name, after.size, values, int((after == 0).sum()))
