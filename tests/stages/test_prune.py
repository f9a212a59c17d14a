import json
import re

import numpy as np
import pytest

from pipeline.data.dataset import validation_split
from pipeline.errors import ConfigError, ConversionError
from pipeline.fit.files import load_model
from pipeline.fit.history import read_history
from pipeline.measure.flatbuffer import inspect
from pipeline.settings import LOGS
from pipeline.stages import prune
from tests.keras_accuracy import accuracy


def test_four_of_five_weights_are_zero_and_it_still_reads_digits(chain, metrics):
    layers = json.loads((chain["prune"] / "sparsity.json").read_text())
    assert len(layers) == 4
    assert all(layer["zeros"] / layer["weights"] > 0.78 for layer in layers)
    assert metrics["prune"]["sparsity"] == pytest.approx(0.8, abs=0.005)
    model = load_model(chain["prune"] / "model.keras")
    for layer in layers:
        kernel = model.get_layer(layer["name"]).kernel
        assert np.count_nonzero(np.asarray(kernel) == 0) == layer["zeros"]
    found = accuracy(model, validation_split(chain["ingest"]))
    assert found == pytest.approx(metrics["prune"]["val_accuracy"], abs=1e-6)
    assert found > 0.3


def test_zeros_survive_in_the_int8_file(chain):
    dense, pruned = (inspect(chain[v] / "model.tflite") for v in ("int8", "prune+int8"))
    assert pruned.params == dense.params
    kernels = [weights for weights in pruned.weights if len(weights.shape) > 1]
    assert len(kernels) == 4
    assert all(weights.zeros / weights.elements > 0.78 for weights in kernels)
    assert pruned.nonzero_params < 0.4 * dense.nonzero_params
    assert pruned.gzip_bytes < 0.8 * dense.gzip_bytes


def test_fine_tuning_goes_on_from_the_candidate_and_is_written_down(chain, metrics):
    history = read_history(chain["prune"])
    assert set(history) == {"accuracy", "loss", "val_accuracy", "val_loss", "learning_rate"}
    assert len(history["loss"]) == 3
    assert read_history(chain["prune"] / LOGS) == history
    assert all(list((chain["prune"] / LOGS / split).iterdir()) for split in ("train", "validation"))
    assert metrics["prune"]["resumed_from_epoch"] is None
    assert history["loss"][0] < read_history(chain["train"])["loss"][0]


def test_pruned_again_it_is_the_same_bytes(chain, settings, do, tmp_path):
    inputs = {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}
    do(prune, settings("prune(prune)"), inputs, tmp_path)
    for name in ("model.keras", "history.csv", "sparsity.json"):
        assert (tmp_path / name).read_bytes() == (chain["prune"] / name).read_bytes()


@pytest.mark.parametrize(("end", "first"), [(0.5, 1), (0.9, 3)])
def test_no_epoch_before_all_zeros_are_there_can_be_the_best(
    end, first, chain, settings, do, tmp_path, monkeypatch
):
    seen = []

    def record(*_, first_best, **__):
        seen.append(first_best)
        raise ConversionError("enough")

    monkeypatch.setattr(prune, "fit", record)
    inputs = {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}
    with pytest.raises(ConversionError, match="enough"):
        do(prune, settings("prune(prune)", prune={"epochs": 4, "end": end}), inputs, tmp_path)
    assert seen == [first]  # of 16 steps an epoch, those up to step 32 or 57 are on the ramp


def test_a_run_too_short_for_the_ramp_says_so(chain, settings, do, tmp_path):
    inputs = {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}
    short = settings("prune(prune)", prune={"epochs": 1, "batch": 480})
    with pytest.raises(ConfigError, match="pruning needs at least"):
        do(prune, short, inputs, tmp_path)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("lamb", "prune.optimizer: tf_keras, which trains here, has no lamb"),
        ({"adam": {"beta": 0.9}}, "adam takes no argument 'beta': did you mean 'beta_"),
    ],
)
def test_an_optimizer_taken_from_train_that_pruning_cannot_use_is_said_first(said, why, settings):
    with pytest.raises(ConfigError, match=re.escape(why)):
        prune.check(settings("prune(prune)", train={"optimizer": said}))
    prune.check(settings("prune(prune)", train={"optimizer": said}, prune={"optimizer": "adam"}))


def test_pruning_by_muon_leaves_its_zeros(chain, settings, do, tmp_path):
    inputs = {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}
    said = settings("prune(prune)", train={"optimizer": "muon"})
    prune.check(said)
    assert do(prune, said, inputs, tmp_path)["sparsity"] == pytest.approx(0.8, abs=0.005)
