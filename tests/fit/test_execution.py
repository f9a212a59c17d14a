"""Steps run together: chosen by timing, without a trace in what is learned."""

import keras
import numpy as np
import pytest

from pipeline.fit import execution, session
from pipeline.fit.execution import steps_together
from pipeline.fit.loop import fit
from pipeline.settings import Train
from tests.marks import slow_but

MACS = 32 * (64 * 32 + 32 * 10)  # of a batch, in the network of these tests


@pytest.fixture
def compiled(network):
    session.begin(0)
    model = network(keras)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture
def in_doubt(monkeypatch):
    """The network here takes no light step at first sight."""
    monkeypatch.setattr(execution, "LIGHT", 0)


@pytest.fixture
def batches(task):
    images, labels = task.train
    return [(images[:32].astype(np.float32), np.eye(10, dtype=np.float32)[labels[:32]])]


def state(model):
    return [np.array(value) for value in [*model.weights, *model.optimizer.variables]]


@pytest.mark.parametrize(
    ("seconds", "together"), [(1e-6, execution.MOST), (0.004, 50), (0.0099, 20), (0.011, 1)]
)
def test_the_shorter_a_step_the_more_run_together(
    seconds, together, compiled, batches, in_doubt, monkeypatch
):
    monkeypatch.setattr(execution, "_seconds_a_step", lambda model, batch: seconds)
    assert steps_together(compiled, batches, 100, 10) == together


def test_a_short_fit_is_not_worth_timing(compiled, monkeypatch):
    monkeypatch.setattr(execution, "_seconds_a_step", None)
    assert steps_together(compiled, iter(()), 59, 10) == 1


def test_a_heavy_network_is_not_timed(compiled, batches, monkeypatch):
    monkeypatch.setattr(execution, "_seconds_a_step", None)
    monkeypatch.setattr(execution, "HEAVY", MACS - 1)
    assert steps_together(compiled, batches, 100, 10) == 1


@pytest.mark.parametrize(("limit", "value"), [("LIGHT", MACS), ("SHALLOW", 6)])
def test_a_light_network_is_not_timed_and_a_heavier_or_deeper_one_is(
    limit, value, compiled, batches, monkeypatch
):
    monkeypatch.setattr(execution, limit, value)
    monkeypatch.setattr(execution, "_seconds_a_step", None)
    assert len(compiled.layers) == 6
    assert steps_together(compiled, batches, 100, 10) == execution.MOST
    monkeypatch.setattr(execution, limit, value - 1)
    monkeypatch.setattr(execution, "_seconds_a_step", lambda model, batch: 0.004)
    assert steps_together(compiled, batches, 100, 10) == 50


def test_timing_leaves_the_model_as_it_was(compiled, batches):
    before = state(compiled)
    assert 0 < execution._seconds_a_step(compiled, batches[0]) < 10
    assert all(np.array_equal(one, two) for one, two in zip(before, state(compiled), strict=True))
    assert compiled.optimizer.iterations == 0


@pytest.mark.parametrize("together", slow_but(["auto"], [4, "auto"]))
def test_the_weights_are_those_of_steps_run_alone_bit_by_bit(
    together, shorter, network, in_doubt, monkeypatch
):
    monkeypatch.setattr(execution, "WORTH", 0)
    monkeypatch.setattr(execution, "_seconds_a_step", lambda model, batch: 0.008)
    found = []
    for count in (1, together):
        session.begin(0)
        model = network(keras)
        fit(model, shorter(256), Train(epochs=2, batch=32, steps_per_execution=count))
        found.append((model.steps_per_execution, state(model)))
    (alone, ours), (several, theirs) = found
    assert alone == 1
    assert several > 1
    assert all(np.array_equal(one, two) for one, two in zip(ours, theirs, strict=True))
