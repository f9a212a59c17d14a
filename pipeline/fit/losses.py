"""Losses by name, and the smoothing of training targets, for Keras 3 and for tf_keras alike."""

from types import ModuleType
from typing import Any

import tensorflow as tf

from pipeline.choices import BinaryCrossEntropy, CrossEntropy, Focal, MeanSquaredError, SmoothL1
from pipeline.settings import Fit


def loss(settings: Fit, api: ModuleType) -> Any:
    """Make the loss of some settings: of targets and probabilities, both `(B, classes)`.

    All but the cross-entropies judge probabilities as they are, or one against all; each is a mean
    over the batch, of which weights of classes are factors.

    Source: Lin et al., 2017, "Focal Loss for Dense Object Detection", for many classes and with
    one `alpha` for all of them; Huber, 1964, for `smooth_l1`.
    """
    losses = api.losses
    match settings.loss:
        case CrossEntropy():
            return losses.CategoricalCrossentropy()
        case BinaryCrossEntropy():
            return losses.BinaryCrossentropy()
        case Focal(gamma=gamma, alpha=alpha):
            return losses.CategoricalFocalCrossentropy(alpha=alpha, gamma=gamma)
        case MeanSquaredError():
            return losses.MeanSquaredError()
        case SmoothL1(delta=delta):
            return losses.Huber(delta)


def smoothed(batches: tf.data.Dataset, share: float) -> tf.data.Dataset:
    """Spread a share of each target `(B, classes)` evenly over all classes; 0 changes nothing.

    Of the targets and not inside the loss, so that it is one and the same for every loss, and
    that validation is judged without it.

    Source: Szegedy et al., 2016, "Rethinking the Inception Architecture", sect. 7.
    """
    if not share:
        return batches

    def spread(images: tf.Tensor, targets: tf.Tensor, *weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return images, (1 - share) * targets + share / targets.shape[-1], *weights

    return batches.map(spread)
