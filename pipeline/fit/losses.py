"""Losses by name, and the smoothing of training targets, for Keras 3 and for tf_keras alike."""

from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.choices import BinaryCrossEntropy, CrossEntropy, Focal, MeanSquaredError, SmoothL1
from pipeline.errors import ConfigError
from pipeline.settings import Fit


def loss(settings: Fit, api: ModuleType, several: bool = False) -> Any:
    """Make the loss of some settings: of targets and probabilities, both `(B, classes)`.

    All but the cross-entropies judge probabilities as they are, or one against all; each is a mean
    over the batch, of which weights of classes are factors.

    Where a picture may show `several` classes, each is a question by itself: cross-entropy is then
    the binary one, in the mean over classes, and so is focal, whose `alpha` weighs the classes a
    picture shows, and 1 - alpha those it does not.

    Source: Lin et al., 2017, "Focal Loss for Dense Object Detection", for many classes and with
    one `alpha` for all of them; Huber, 1964, for `smooth_l1`.
    """
    losses = api.losses
    match settings.loss:
        case CrossEntropy():
            return losses.BinaryCrossentropy() if several else losses.CategoricalCrossentropy()
        case BinaryCrossEntropy():
            return losses.BinaryCrossentropy()
        case Focal() as focal:
            return _focal(focal, losses, several)
        case MeanSquaredError():
            return losses.MeanSquaredError()
        case SmoothL1(delta=delta):
            return losses.Huber(delta)


def _focal(focal: Focal, losses: Any, several: bool) -> Any:
    if not several:
        return losses.CategoricalFocalCrossentropy(alpha=focal.alpha, gamma=focal.gamma)
    if focal.alpha >= 1:
        raise ConfigError(
            f"loss: focal.alpha {focal.alpha:g} is not below 1: of several labels a picture, "
            f"1 - alpha weighs the classes it does not show"
        )
    return losses.BinaryFocalCrossentropy(
        apply_class_balancing=True, alpha=focal.alpha, gamma=focal.gamma
    )


def weighted(loss: Any, weights: NDArray[np.float32] | None) -> Any:
    """Have each answer of a loss weigh what `weights` `(2, classes)` say, of absent and present.

    For several labels a picture; the weights of `class_weights.label_weights`, None for a loss as
    it is. Unlike those of one label they are in the loss itself, and so in val_loss too.
    """
    if weights is None:
        return loss
    absent, present = weights

    def weighted_loss(targets: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
        # The losses take the mean over their last axis: one of length 1 gives that of each class.
        each = loss.call(targets[..., None], probabilities[..., None])
        return tf.reduce_mean(each * (absent + (present - absent) * targets), axis=-1)

    return weighted_loss


def smoothed(batches: tf.data.Dataset, share: float, several: bool = False) -> tf.data.Dataset:
    """Spread a share of each target `(B, classes)` evenly over all classes; 0 changes nothing.

    Where a picture may show `several` classes, each target gives that share up to 0.5, since the
    two answers there are to spread it over are yes and no.

    Of the targets and not inside the loss, so that it is one and the same for every loss, and
    that validation is judged without it.

    Source: Szegedy et al., 2016, "Rethinking the Inception Architecture", sect. 7.
    """
    if not share:
        return batches

    def spread(images: tf.Tensor, targets: tf.Tensor, *weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
        answers = 2 if several else targets.shape[-1]
        return images, (1 - share) * targets + share / answers, *weights

    return batches.map(spread)
