"""A teacher's answers among the training targets, for Keras 3 and for tf_keras alike."""

from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from pipeline.fit.files import load_model


@dataclass(frozen=True)
class Teacher:
    """A Keras 3 network, and the share it has in training targets, 0..1; labels have the rest.

    It answers to the very pictures that are learned from, changed as they are, and learns nothing.
    Its answers are taken as they are: distillation at temperature 1, which needs no loss of its
    own, and so serves every loss and both Keras.

    Source: Hinton, Vinyals, Dean, 2015, "Distilling the knowledge in a neural network"; that
    teacher and pupil see the same crops: Beyer et al., 2022, "Knowledge distillation: A good
    teacher is patient and consistent".
    """

    network: keras.Model
    share: float


def teacher(folder: Path, share: float) -> Teacher:
    """The model that a stage has left in a folder, as teacher."""
    return Teacher(load_model(folder / "model.keras"), share)


def taught(batches: tf.data.Dataset, teacher: Teacher | None) -> tf.data.Dataset:
    """Mix a teacher's answers into targets `(B, classes)`; None changes nothing.

    Images are float32 `(B, H, W, C)` 0..255; weights of pictures, if any, stay.
    """
    if teacher is None:
        return batches
    network, share = teacher.network, teacher.share

    def mix(images: tf.Tensor, targets: tf.Tensor, *weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
        answers = network(images, training=False)
        return images, (1 - share) * targets + share * answers, *weights

    return batches.map(mix).prefetch(2)
