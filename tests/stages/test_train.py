import csv

import numpy as np
import pytest

from pipeline.data.dataset import validation_split
from pipeline.errors import ConfigError
from pipeline.fit.files import load_model
from pipeline.stages import train
from tests.keras_accuracy import accuracy


def test_what_is_saved_is_the_best_epoch(chain, metrics):
    said = metrics["train"]
    with (chain["train"] / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert said["epochs"] == len(rows) == 5
    scores = [float(row["val_accuracy"]) for row in rows]
    assert said["val_accuracy"] == scores[said["best_epoch"] - 1] == max(scores)
    model = load_model(chain["train"] / "model.keras")
    found = accuracy(model, validation_split(chain["ingest"]))
    assert found == pytest.approx(said["val_accuracy"], abs=1e-6)
    assert found > 0.4


def test_the_network_it_was_given_is_left_as_it_was(chain):
    before, after = (load_model(chain[step] / "model.keras") for step in ("build", "train"))
    assert [layer.name for layer in before.layers] == [layer.name for layer in after.layers]
    assert not np.array_equal(before.get_weights()[0], after.get_weights()[0])


def test_trained_again_after_other_work_it_is_the_same_bytes(chain, settings, do, tmp_path):
    inputs = {role: chain[role] for role in ("ingest", "augment", "build")}
    do(train, settings("train"), inputs, tmp_path)
    for name in ("model.keras", "history.csv"):
        assert (tmp_path / name).read_bytes() == (chain["train"] / name).read_bytes()


def test_a_wrong_argument_of_the_optimizer_is_said_before_anything_runs(settings):
    with pytest.raises(ConfigError, match=r"train.optimizer: adamw takes no argument 'beta2'"):
        train.check(settings("train", train={"optimizer": {"adamw": {"beta2": 0.9}}}))
    train.check(settings("train", train={"optimizer": {"adamw": {"beta_2": 0.9}}}))
