"""How much each channel matters, from the weights it touches or the gradients of a loss."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.compress.channels.group import Group, Slice
from pipeline.compress.channels.trace import Trace
from pipeline.errors import ConfigError

Importances = tuple[NDArray[np.float64], ...]  # for each group, `(channels,)`


def by_weights(traced: Trace, norm: int = 2) -> Importances:
    """Score channels by the L1 or L2 norm of all kernels and factors they touch.

    Source: Fang et al., "DepGraph", 2023, who add up over a group; L1 of the filters alone is Li et
    al., "Pruning filters for efficient convnets", 2017.

    Raises:
        ConfigError: another norm than 1 or 2.
    """
    if norm not in (1, 2):
        raise ConfigError(f"slim: the norm is {norm}: 1 or 2")

    def score(group: Group) -> NDArray[np.float64]:
        total = sum(
            (np.abs(_rows(one, _values(one))) ** norm).sum(axis=1) for one in _learned(group)
        )
        return np.asarray(total) ** (1 / norm)

    return _even(traced, score)


def by_scale(traced: Trace) -> Importances:
    """Score channels by the size of their batch normalizations' factors; those without stay.

    Source: Liu, Li, Shen, Huang, Yan, Zhang, "Learning efficient convolutional networks through
    network slimming", 2017.

    Raises:
        ConfigError: no group has a batch normalization with a factor.
    """

    def score(group: Group) -> NDArray[np.float64]:
        factors = [
            np.abs(_rows(one, _values(one))).mean(axis=1)
            for one in group.slices
            if one.weight.variable is getattr(one.weight.layer, "gamma", None)
            and isinstance(one.weight.layer, keras.layers.BatchNormalization)
        ]
        return np.mean(factors, axis=0) if factors else np.full(group.channels, np.inf)

    found = _even(traced, score)
    if not any(np.isfinite(scores).any() for scores in found):
        raise ConfigError(
            f"slim: no channel of model '{traced.model.name}' has a batch normalization with a "
            "scale: take another importance, as the norm of the weights"
        )
    return found


def by_taylor(
    traced: Trace,
    batches: Iterable[tuple[Any, Any]],
    loss: Callable[[Any, Any], Any] | str,
    *,
    even: bool = True,
) -> Importances:
    """Score channels by how much the loss would change without them, to first order.

    Of `batches` of images and targets, `loss(targets, outputs)` is a function or a name Keras
    knows. For each weight a channel touches it is |sum of gradient times weight| over the channel,
    a mean over batches; a channel's score adds up its kernels and factors. Dropout is off, and
    batch normalization uses what it has learned. Losses compare between groups, unlike norms: if
    not `even`, they are left as they are, to be set against a price.

    Source: Molchanov, Mallya, Tyree, Frosio, Kautz, "Importance estimation for neural network
    pruning", 2019, eq. 8, with absolute values in place of squares. The sum over what reads a
    channel is gradient times activation.

    Raises:
        ConfigError: there is no batch, or a gradient is not finite.
    """
    slices = [one for group in traced.groups for one in _learned(group)]
    found = [np.zeros(one.places.shape[0]) for one in slices]
    products = _products(traced.model, _loss(loss), [one.weight.variable for one in slices])
    number = 0
    for images, targets in batches:
        number += 1
        given = products(*keras.tree.map_structure(tf.convert_to_tensor, (images, targets)))
        for k, one in enumerate(slices):
            product = given[id(one.weight.variable)].numpy()
            found[k] += np.abs(_rows(one, product).sum(axis=1, dtype=np.float64))
    if not number:
        raise ConfigError("slim: importance by gradients needs a batch of images, and got none")
    if not all(np.isfinite(scores).all() for scores in found):
        raise ConfigError("slim: a gradient is not finite: the loss does not fit the model")
    by_slice = dict(zip(map(id, slices), found, strict=True))

    def score(group: Group) -> NDArray[np.float64]:
        return (
            sum((by_slice[id(one)] for one in _learned(group)), np.zeros(group.channels)) / number
        )

    return _even(traced, score) if even else tuple(map(score, traced.groups))


def _products(
    model: keras.Model, loss: Callable[[Any, Any], Any], variables: Iterable[Any]
) -> Callable[[Any, Any], Mapping[int, Any]]:
    """A function from a batch to gradient times weight, of each variable by its id."""
    unique = {id(variable): variable.value for variable in variables}

    def run(images: Any, targets: Any) -> list[Any]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(unique.values()))  # frozen ones too
            value = keras.ops.mean(loss(targets, model(images, training=False)))
        gradients = tape.gradient(value, list(unique.values()), unconnected_gradients="zero")
        return [
            tf.convert_to_tensor(gradient) * variable
            for gradient, variable in zip(gradients, unique.values(), strict=True)
        ]

    compiled = tf.function(run)

    def products(images: Any, targets: Any) -> Mapping[int, Any]:
        return dict(zip(unique, compiled(images, targets), strict=True))

    return products


def _loss(loss: Callable[[Any, Any], Any] | str) -> Callable[[Any, Any], Any]:
    found: Callable[[Any, Any], Any] = keras.losses.get(loss)
    return found


def _learned(group: Group) -> list[Slice]:
    """Where a group lies on kernels and factors: not on offsets, nor on statistics."""
    return [
        one
        for one in group.slices
        if len(one.weight.variable.shape) > 1
        or one.weight.variable is getattr(one.weight.layer, "gamma", None)
    ]


def _values(one: Slice) -> NDArray[np.floating]:
    return np.asarray(one.weight.variable).astype(np.float32, copy=False)


def _rows(one: Slice, values: NDArray[np.floating]) -> NDArray[np.floating]:
    """What of a weight's values belongs to each channel, `(channels, elements)`."""
    channels = one.places.shape[0]
    taken = np.moveaxis(values, one.axis, 0)[one.places]
    return taken.reshape(channels, -1)


def _even(traced: Trace, score: Callable[[Group], NDArray[np.float64]]) -> Importances:
    """Score every group, and divide by its mean: norms of different layers do not compare."""
    found = []
    for group in traced.groups:
        scores = np.asarray(score(group), np.float64)
        mean = scores.mean()
        found.append(scores / mean if np.isfinite(mean) and mean > 0 else scores)
    return tuple(found)
