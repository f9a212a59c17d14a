import math

import keras
import pytest
import tf_keras

from pipeline.choices import Plateau
from pipeline.fit import session
from pipeline.fit.callbacks import make
from pipeline.fit.loop import fit
from pipeline.fit.optimizers import optimizer
from pipeline.fit.plateau import LowerOnPlateau
from pipeline.fit.rates import schedule_of
from pipeline.settings import Train

SETTINGS = Train(epochs=20, warmup_epochs=0.0, learning_rate=0.1, schedule="plateau")


class Model:
    """Stands in for a model that is being fitted."""

    def __init__(self, api):
        self.optimizer = optimizer(SETTINGS, 5, api)


class Worse:
    """Lets each epoch end with a higher loss on validation."""

    def on_epoch_end(self, epoch, logs):
        logs["val_loss"] = 1.0 + epoch


def watching(api=keras, **said):
    callback = LowerOnPlateau(Plateau(**said))
    callback.model = Model(api)
    callback.on_train_begin()
    return callback


def rates_after(callback, losses):
    found = []
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        callback.on_epoch_begin(epoch + 1)
        found.append(float(schedule_of(callback.model.optimizer)(7)))
    return found


@pytest.mark.parametrize("api", [keras, tf_keras])
def test_the_rate_falls_after_so_many_epochs_without_a_lower_loss(api):
    losses = [1.0, 0.9, 0.9, 0.95, 0.8, 0.8, 0.8, 0.8, 0.8]
    found = rates_after(watching(api, patience=2), losses)
    assert found == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.0125])


def test_it_does_not_fall_below_its_lowest():
    found = rates_after(watching(patience=1, factor=0.1, min_factor=0.05), [1.0] * 4)
    assert found == pytest.approx([0.1, 0.01, 0.005, 0.005])


def test_a_loss_that_is_no_number_is_not_lower():
    assert rates_after(watching(patience=1), [math.nan, 1.0, math.nan])[-1] == pytest.approx(0.025)


def test_what_it_knew_can_be_given_to_another():
    losses = [1.0, 0.9, 0.95, 0.95, 0.95, 0.85, 0.9, 0.9, 0.9]
    whole = rates_after(watching(patience=2), losses)
    first, second = watching(patience=2), watching(patience=2)
    halves = rates_after(first, losses[:4])
    vars(second).update({name: getattr(first, name) for name in ("best", "wait", "factor")})
    assert [*halves, *rates_after(second, losses[4:])] == whole
    assert len(set(whole)) > 2


@pytest.mark.parametrize("api", [keras, tf_keras])
def test_a_fit_that_stands_still_goes_on_at_a_lower_rate(api, shorter, network):
    session.begin(0)
    still = {"optimizer": "sgd", "learning_rate": 1e-12, "batch": 32, "warmup_epochs": 0.0}
    schedule = {"plateau": {"patience": 1, "factor": 0.5}}
    settings = Train(epochs=4, schedule=schedule, **still)
    worse = [make(Worse, api)]
    done = fit(network(api), shorter(32), settings, api=api, callbacks=worse)
    assert done.history["learning_rate"] == pytest.approx([1e-12, 1e-12, 5e-13, 2.5e-13])
