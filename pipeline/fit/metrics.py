"""What an epoch is judged by on validation: the share of pictures answered wholly right."""

from typing import Any

import tensorflow as tf

from pipeline.settings import THRESHOLD


def accuracy(several: bool) -> Any:
    """Return the metric called `accuracy`, of targets and probabilities, both `(B, classes)`.

    For one label a picture, Keras' own: the likeliest class is the right one. Where a picture may
    show `several`, exact match: every class answered right at a threshold of 0.5. So the best epoch
    is chosen by the figure that the report gives, equals by their loss. It is strict: with many
    classes it may stay near zero for a while, and the loss alone decides.
    """
    return _exact_match if several else "accuracy"


def _exact_match(targets: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
    same = tf.equal(targets >= THRESHOLD, probabilities >= THRESHOLD)
    return tf.cast(tf.reduce_all(same, axis=-1), tf.float32)


_exact_match.__name__ = "accuracy"  # what both Keras APIs call its column in the history
