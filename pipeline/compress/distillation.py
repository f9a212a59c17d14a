"""Distillation: a pupil learns what a teacher answers, not its labels alone."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from pipeline.compress.features import Matching

LEAST = 1e-7  # a probability below counts as this in a logarithm


def pupil(
    network: keras.Model,
    teacher: Callable[[Any], Any],
    temperature: float,
    weight: float,
    several: bool = False,
    matching: Matching | None = None,
) -> keras.Model:
    """Give a network a loss in which the teacher has its share; the layers stay the network's own.

    Both map pixels `(B, H, W, C)` to probabilities `(B, K)`. In training the loss is
    (1 - weight) times the recipe's plus weight times T^2 KL(teacher || pupil), both softened by the
    temperature T; in validation it is the recipe's alone. The teacher answers to the very pictures
    the pupil sees, changed as they are, and learns nothing.

    With `matching`, made of the same two networks, its distance of their layers is added to the
    loss in training. Its projections learn with the pupil and come last in its weights, so that a
    checkpoint has them; the network has not.

    Keras' `Distiller` wants scores where our networks answer with probabilities, and counts the
    teacher's weights as its own, which every checkpoint and every best epoch would then hold again.

    Source: Hinton, Vinyals, Dean, 2015, "Distilling the knowledge in a neural network".
    """

    seen: list[Any] = []  # what the layers gave, from a step's call to its loss

    class Pupil(keras.Model):
        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            if matching is None or not training:
                return super().call(inputs, training=training, mask=mask)
            answers, *seen[:] = matching.pupil(inputs, training=True)
            return answers

        def compute_loss(
            self,
            x: Any = None,
            y: Any = None,
            y_pred: Any = None,
            sample_weight: Any = None,
            training: bool = True,
        ) -> Any:
            own = super().compute_loss(x, y, y_pred, sample_weight, training)
            if not training:
                return own
            answers, apart = (teacher(x), 0.0) if matching is None else matching.taught(x, seen)
            taught = divergence(ops.stop_gradient(answers), y_pred, temperature, several)
            return (1 - weight) * own + weight * temperature**2 * taught + apart

        @classmethod
        def from_config(cls, config: Any, custom_objects: Any = None) -> keras.Model:
            """What is saved of it is the network."""
            return keras.Model.from_config(config, custom_objects)

    made = Pupil(network.inputs, network.outputs, name=network.name)
    if matching is not None and matching.projections:
        made.projections = matching.projections
    return made


def divergence(teacher: Any, learner: Any, temperature: float, several: bool = False) -> Any:
    """Mean KL divergence of softened probabilities `(B, K)`, in nats.

    A softmax of scores over T is the softmax of the logarithms of probabilities over T. Where a
    picture may show `several` classes, each is a question of its own with two answers.
    """
    if several:
        teacher, learner = (ops.stack([one, 1 - one], axis=-1) for one in (teacher, learner))
    soft = softened(teacher, temperature)
    return ops.mean(ops.sum(soft * (_log(soft) - _log(softened(learner, temperature))), axis=-1))


def softened(probabilities: Any, temperature: float) -> Any:
    """Probabilities as they would be at a temperature."""
    return ops.softmax(_log(probabilities) / temperature, axis=-1)


def _log(probabilities: Any) -> Any:
    return ops.log(ops.maximum(probabilities, LEAST))
