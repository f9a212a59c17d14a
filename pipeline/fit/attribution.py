"""Grad-CAM: where in a picture a network finds what speaks for a class."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from pipeline.data.sources import Images
from pipeline.fit.tracing import Step, Trace

BATCH = 8  # a trace holds what every layer gives
SMALLEST = 1e-12  # a probability below counts as this in a logarithm
_SKIPPED = (
    *(layers.MaxPooling2D, layers.AveragePooling2D, layers.ZeroPadding2D),
    *(layers.Dropout, layers.SpatialDropout2D),
)

Score = Literal["logit", "log_probability"]
Maps = NDArray[np.float32]


@dataclass(frozen=True)
class Source:
    """Where the maps of a network come from.

    `tensors` are the numbers, in a trace, of the last feature maps, which `layers` give; of an
    ensemble there is one a member. `size` is height and width of the largest; `score` is what the
    gradient is of.
    """

    tensors: tuple[int, ...]
    layers: tuple[str, ...]
    size: tuple[int, int]
    score: Score


def source(model: keras.Model, images: Images) -> Source | None:
    """Find the last feature maps of a network, of more than one place; None where it has none.

    They are taken before pooling, as long as that leaves a feature map. `images` `(N, H, W, C)`
    are any it takes.
    """
    trace = Trace(model, images[:1])
    last = [_before_pooling(trace, step) for step in _last(trace)]
    if not last:
        return None
    return Source(
        tuple(step.given for step in last),
        tuple(str(step.layer.name) for step in last),
        max(((step.shape[0], step.shape[1]) for step in last), key=lambda size: size[0] * size[1]),
        _scores(trace)[1],
    )


def grad_cam(model: keras.Model, images: Images, classes: NDArray[np.integer]) -> Maps:
    """Where pictures speak for a class each: maps `(N, h, w)`, 0..1, 1 where the most does.

    `images` uint8 or float `(N, H, W, C)`, pixels 0..255; `classes` `(N,)`. Each channel of the
    last feature maps is weighed by the mean gradient of the class's score with respect to it; the
    sum over channels, where positive, is divided by its maximum. A map is zero throughout where
    nothing speaks for the class. Sides are those of `source(...).size`.

    The score is the logit: the gradient of a probability vanishes where the network is sure. Where
    what stands before the softmax or the sigmoid cannot be found, as in an ensemble that takes the
    mean of probabilities, it is the logarithm of the probability.

    Raises:
        ValueError: the network has no feature map.

    Source: Selvaraju et al., 2017, "Grad-CAM: visual explanations from deep networks via
    gradient-based localization". Where several feature maps are the last, as in ensembles, we take
    them for the channels of one, after bilinear scaling to the largest.
    """
    found = source(model, images)
    if found is None:
        raise ValueError(f"{model.name} has no feature map of more than one place")
    starts = range(0, len(images), BATCH)
    parts = [slice(start, start + BATCH) for start in starts]
    return np.concatenate([_maps(model, images[part], classes[part], found) for part in parts])


def _maps(model: keras.Model, images: Images, classes: NDArray[np.integer], found: Source) -> Maps:
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        trace = Trace(model, images, tape, found.tensors)
        scores = tf.cast(_scores(trace)[0], tf.float32)
        asked = tf.gather(scores, tf.cast(classes, tf.int32), batch_dims=1)
    features = [trace.tensors[number] for number in found.tensors]
    total = tf.zeros((len(images), *found.size))
    for feature, slope in zip(features, tape.gradient(asked, features), strict=True):
        if slope is not None:
            weights = tf.reduce_mean(tf.cast(slope, tf.float32), axis=(1, 2), keepdims=True)
            summed = tf.reduce_sum(weights * tf.cast(feature, tf.float32), axis=-1, keepdims=True)
            total += tf.image.resize(summed, found.size)[..., 0]
    speaking: Maps = np.maximum(total.numpy(), 0)
    highest = speaking.max(axis=(1, 2), keepdims=True)
    shares: Maps = np.divide(speaking, highest, out=np.zeros_like(speaking), where=highest > 0)
    return shares


def _last(trace: Trace) -> Iterator[Step]:
    """The feature maps from which the network makes no other, in the order of computing."""
    leading: set[int] = set()
    found = []
    for step in reversed(trace.steps):
        if step.feature_map and step.given not in leading:
            found.append(step)
        if step.feature_map or step.given in leading:
            leading.update(step.taken)
    return reversed(found)


def _before_pooling(trace: Trace, step: Step) -> Step:
    while isinstance(step.layer, _SKIPPED):
        before = trace.maker(step.taken[0])
        if before is None or not before.feature_map:
            break
        step = before
    return step


def _scores(trace: Trace) -> tuple[Any, Score]:
    """Scores `(B, K)` of the classes, and what they are."""
    answer = trace.tensors[trace.output]
    step = trace.maker(trace.output)
    ending = getattr(step.layer, "activation", None) if step else None
    ends = {keras.activations.softmax, keras.activations.sigmoid}
    if step and isinstance(step.layer, layers.Softmax):
        return trace.tensors[step.taken[0]], "logit"
    if step and isinstance(step.layer, layers.Activation) and ending in ends:
        return trace.tensors[step.taken[0]], "logit"
    if step and isinstance(step.layer, layers.Dense):
        if ending is keras.activations.linear:
            return answer, "logit"
        if ending in ends:
            scores = keras.ops.matmul(trace.tensors[step.taken[0]], step.layer.kernel)
            return scores + (step.layer.bias if step.layer.use_bias else 0), "logit"
    return tf.math.log(tf.maximum(answer, SMALLEST)), "log_probability"
