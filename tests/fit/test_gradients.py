"""A training that is over leaves no graph behind."""

import gc

import keras
import pytest
import tensorflow as tf

from pipeline.fit import session
from pipeline.fit.gradients import gradients_forgotten
from pipeline.fit.loop import fit
from pipeline.settings import Train


def graphs():
    gc.collect()
    return sum(type(one).__name__ == "FuncGraph" for one in gc.get_objects())


@pytest.mark.slow
def test_trainings_leave_no_graphs_behind(task, network):
    counts = []
    for _ in range(3):
        session.begin(0)
        fit(network(keras), task, Train(epochs=1, batch=64, warmup_epochs=0.0))
        session.begin(0)
        counts.append(graphs())
    assert counts[1] == counts[2]


def doubled():
    @tf.custom_gradient
    def own(x):
        return 2 * x, lambda upstream: 7 * upstream

    return tf.function(own)


def slope(function):
    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = function(x)
    return float(tape.gradient(y, x))


def test_what_was_traced_before_keeps_its_gradient():
    before = doubled()
    before(tf.Variable(1.0))
    with gradients_forgotten():
        assert slope(doubled()) == 7
    assert slope(before) == 7


def test_they_are_forgotten_also_when_a_training_fails():
    from tensorflow.python.framework.ops import gradient_registry

    before = set(gradient_registry.list())

    def broken():
        with gradients_forgotten():
            doubled()(tf.Variable(1.0))
            assert set(gradient_registry.list()) > before
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        broken()
    assert set(gradient_registry.list()) == before
