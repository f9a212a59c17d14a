from dataclasses import replace

import keras
import numpy as np
import pytest
import tf_keras

from pipeline.compress.legacy import mirror
from pipeline.data import dataset
from pipeline.data.augmentation import complete
from pipeline.data.augmentation import write as write_policy
from pipeline.fit import session
from pipeline.fit.execution import divisor
from pipeline.fit.history import read_history
from pipeline.fit.loop import Task, fit
from pipeline.settings import Train
from tests.keras_accuracy import accuracy
from tests.marks import slow_but

SETTINGS = {"epochs": 4, "batch": 32, "learning_rate": 0.01, "warmup_epochs": 0.5}


def fitted(task, network, seed=0, weights_seed=None, **settings):
    session.begin(seed if weights_seed is None else weights_seed)
    model = network(keras)
    done = fit(model, task, Train(**SETTINGS | settings, seed=seed))
    return model, done


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_fit_learns_to_read_digits_and_keeps_its_best_epoch(task, network):
    model, done = fitted(task, network, epochs=8)
    figures = ["accuracy", "loss", "val_accuracy", "val_loss", "learning_rate"]
    assert list(done.history) == figures
    assert {len(values) for values in done.history.values()} == {8}
    assert done.history["loss"][-1] < done.history["loss"][0] / 4
    assert done.best["val_accuracy"] == max(done.history["val_accuracy"]) > 0.85
    assert accuracy(model, task.validation) == pytest.approx(done.best["val_accuracy"])
    assert model.optimizer.iterations == 8 * 12


def test_the_twin_in_tf_keras_learns_the_same_way(task, network):
    session.begin(0)
    twin = mirror(network(keras))
    done = fit(twin, task, Train(**SETTINGS), api=tf_keras)
    _, ours = fitted(task, network)
    assert set(done.history) == set(ours.history)
    assert done.best["val_accuracy"] > 0.8
    assert accuracy(twin, task.validation) == pytest.approx(done.best["val_accuracy"])
    # The same weights, batches and rates: what differs is how each API rounds.
    assert done.history["loss"] == pytest.approx(ours.history["loss"], rel=1e-3)


def test_the_weights_of_the_best_epoch_come_back_not_those_of_the_last(task, network):
    kept = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept.append(self.model.get_weights())

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:  # unlearn it all
                self.model.set_weights([0 * w for w in self.model.get_weights()])

    session.begin(0)
    model = network(keras)
    done = fit(model, task, Train(**SETTINGS), callbacks=[Spoil(), Watch()])
    assert done.best_epoch < 3
    assert equal(model.get_weights(), kept[done.best_epoch])


def test_only_epochs_from_the_first_allowed_one_on_can_be_best(task, network):
    session.begin(0)
    done = fit(network(keras), task, Train(**SETTINGS), first_best=3)
    assert done.best_epoch == 3


def test_patience_ends_a_fit_early(shorter, network):
    _, done = fitted(
        shorter(64), network, epochs=30, learning_rate=1e-9, schedule="constant", patience=2
    )
    assert len(done.history["loss"]) < 30


@pytest.mark.slow
def test_two_fits_with_one_seed_are_equal_bit_for_bit(shorter, network):
    augmented = replace(shorter(128), policy=complete("strong"))
    one, first = fitted(augmented, network, seed=4, epochs=2)
    two, second = fitted(augmented, network, seed=4, epochs=2)
    other, _ = fitted(augmented, network, seed=5, weights_seed=4, epochs=2)
    assert equal(one.get_weights(), two.get_weights())
    assert first == second
    assert not equal(one.get_weights(), other.get_weights())


def test_training_sees_augmented_pictures_and_validation_does_not(task, network):
    model, _ = fitted(task, network, epochs=2)
    black = replace(task, policy=complete([{"brightness": {"factor": [-1.0, -1.0]}}]))
    again = fit(model, black, Train(**SETTINGS | {"epochs": 1, "learning_rate": 1e-12}))
    assert again.history["accuracy"][0] < 0.3
    assert again.history["val_accuracy"][0] > 0.5


@pytest.mark.parametrize(
    ("pictures", "executed_together"),
    slow_but([(33, 2)], [(384, 5), (33, 2)]),  # 12 and 2 steps; validation is 2 batches
)
def test_steps_run_together_train_and_validate_as_steps_run_alone(
    pictures, executed_together, shorter, network
):
    alone, one = fitted(shorter(pictures), network, epochs=2)
    together, other = fitted(
        shorter(pictures), network, epochs=2, steps_per_execution=executed_together
    )
    assert together.optimizer.iterations == alone.optimizer.iterations
    assert other.history["loss"] == pytest.approx(one.history["loss"], rel=1e-4)
    assert other.history["val_accuracy"] == one.history["val_accuracy"]
    assert other.history["val_loss"] == pytest.approx(one.history["val_loss"], rel=1e-4)
    correct = accuracy(together, shorter(pictures).validation)
    assert correct == pytest.approx(other.best["val_accuracy"])


@pytest.mark.parametrize(
    ("steps", "most", "found"), [(12, 5, 4), (12, 12, 12), (12, 99, 12), (13, 5, 1), (1, 8, 1)]
)
def test_as_many_steps_run_together_as_divide_an_epoch(steps, most, found):
    assert divisor(steps, most) == found


def test_the_rate_of_each_epochs_last_step_is_written_down(task, network):
    _, done = fitted(task, network, epochs=3, schedule="linear", warmup_epochs=1.0)
    expected = [11 / 12 * 0.01, 13 / 24 * 0.01, 1 / 24 * 0.01]  # of 12 steps an epoch
    assert done.history["learning_rate"] == pytest.approx(expected)


def test_tensorboard_finds_both_curves_and_a_table_of_them_stands_beside(task, network, tmp_path):
    session.begin(0)
    fit(network(keras), task, Train(**SETTINGS | {"epochs": 1}), out=tmp_path)
    for split in ("train", "validation"):
        (events,) = (tmp_path / "logs" / split).glob("events.out.tfevents.*")
        assert b"epoch_accuracy" in events.read_bytes()
    assert list(read_history(tmp_path / "logs")) == [
        *("accuracy", "loss", "val_accuracy", "val_loss", "learning_rate")
    ]


def test_a_task_is_read_from_what_ingest_and_augment_left(task, tmp_path):
    splits = {"train": task.train, "validation": task.validation, "test": task.validation}
    for name in ("ingest", "augment"):
        (tmp_path / name).mkdir()
    for split, (images, labels) in splits.items():
        pictures = (image.tobytes() for image in images)
        dataset.write_split(tmp_path / "ingest", split, labels, images.shape[1:], pictures)
    write_policy(tmp_path / "augment", complete("light"))
    read = Task.read({"ingest": tmp_path / "ingest", "augment": tmp_path / "augment"})
    assert read.policy == complete("light")
    assert equal(read.train, task.train)
    assert equal(read.validation, task.validation)
    assert read.steps_per_epoch(Train(batch=100)) == 4
