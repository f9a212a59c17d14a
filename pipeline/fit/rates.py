"""The learning rate of a step, from the pieces of a schedule, for Keras 3 and tf_keras alike."""

import math
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

import tensorflow as tf

from pipeline.fit.schedules import Piece


class Rate:
    """A schedule of a Keras API: the highest rate, times the piece's factor, times `factor`.

    `factor` is a variable, 1 at first, that a callback may lower.
    """

    def __init__(self, learning_rate: float, pieces: Sequence[Sequence[Any]]) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.pieces = [Piece(*piece) for piece in pieces]
        self.factor = tf.Variable(1.0, trainable=False, name="factor")

    def __call__(self, step: Any) -> tf.Tensor:
        """Give the rate, float32, of a step counted from 0; after the end that of the end."""
        step = tf.cast(step, tf.float32)
        begins, ends, lows, highs = (
            tf.constant(column, tf.float32) for column in list(zip(*self.pieces, strict=True))[:4]
        )
        curved = tf.constant([piece.shape == "cosine" for piece in self.pieces])
        now = tf.reduce_sum(tf.cast(step >= begins, tf.int32)) - 1
        begin, end, first, last = (tf.gather(x, now) for x in (begins, ends, lows, highs))
        done = tf.minimum((step - begin) / (end - begin), 1.0)
        line = first + (last - first) * done
        curve = last + (first - last) * (0.5 * (1.0 + tf.cos(tf.constant(math.pi) * done)))
        return self.learning_rate * tf.where(tf.gather(curved, now), curve, line) * self.factor

    def get_config(self) -> dict[str, Any]:
        """What makes it again; `factor` is state."""
        return {"learning_rate": self.learning_rate, "pieces": [list(x) for x in self.pieces]}


@cache
def rate_class(api: ModuleType) -> Any:
    """The class of `Rate` for a Keras API: each insists on its own base class."""
    made = type("Rate", (Rate, api.optimizers.schedules.LearningRateSchedule), {})
    return api.saving.register_keras_serializable("pix2pocket")(made)


def schedule_of(optimizer: Any) -> Rate:
    """The schedule an optimizer of ours was made with."""
    schedule: Rate = optimizer._learning_rate
    return schedule


def rate_at(optimizer: Any) -> float:
    """The learning rate of the last step an optimizer has done."""
    return float(schedule_of(optimizer)(optimizer.iterations - 1))
