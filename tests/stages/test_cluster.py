import json
import re

import numpy as np
import pytest

from pipeline import Config
from pipeline.data.dataset import validation_split
from pipeline.errors import ConfigError
from pipeline.fit.files import load_model
from pipeline.fit.history import read_history
from pipeline.measure.flatbuffer import inspect
from pipeline.stages import cluster, quantize
from tests.keras_accuracy import accuracy

QUICK = {"epochs": 2, "clusters": 8}


@pytest.fixture(scope="module")
def made(chain, settings, do, tmp_path_factory):
    """Step folders of `cluster`, of `prune+cluster`, and their int8 files; and what they said."""
    root = tmp_path_factory.mktemp("cluster")
    said = {}
    for path, candidate in (("cluster", "train"), ("prune+cluster", "prune")):
        step = f"cluster({path})"
        trained = {role: chain[role] for role in ("ingest", "augment")}
        words = {"cluster": QUICK, "variants": [f"{path}+int8"]}
        inputs = trained | {"candidate": chain[candidate]}
        said[path] = do(cluster, settings(step, **words), inputs, root / path)
        file = settings(f"quantize({path}+int8)", **words)
        inputs = {"ingest": chain["ingest"], "candidate": root / path}
        said[f"{path}+int8"] = do(quantize, file, inputs, root / f"{path}+int8")
    return root, said


def test_every_kernel_has_eight_weights_in_the_model_and_in_each_channel_of_the_file(made, chain):
    root, said = made
    layers = json.loads((root / "cluster" / "clusters.json").read_text())
    model = load_model(root / "cluster" / "model.keras")
    assert len(layers) == 4
    for layer in layers:
        kernel = np.asarray(model.get_layer(layer["name"]).kernel)
        assert len(np.unique(kernel)) == layer["clusters"] <= 8
        assert kernel.size == layer["weights"]
    assert said["cluster"]["clusters"] == 8
    stored = json.loads((root / "cluster+int8" / "kernels.json").read_text())
    assert [row["name"] for row in stored] == [layer["name"] for layer in layers]
    assert all(row["clusters"] <= row["values"] <= 8 for row in stored)
    found = accuracy(model, validation_split(chain["ingest"]))
    assert found == pytest.approx(said["cluster"]["val_accuracy"], abs=1e-6)
    assert found > 0.5
    assert len(read_history(root / "cluster")["loss"]) == 2


def test_a_clustered_file_packs_smaller(made, chain):
    dense, shared = (
        inspect(path / "model.tflite") for path in (chain["int8"], made[0] / "cluster+int8")
    )
    assert shared.bytes == dense.bytes
    assert shared.gzip_bytes < 0.85 * dense.gzip_bytes


def test_what_pruning_made_zero_stays_zero_in_model_and_file(made, chain):
    root, said = made
    pruned = load_model(chain["prune"] / "model.keras")
    model = load_model(root / "prune+cluster" / "model.keras")
    for layer in json.loads((root / "prune+cluster" / "clusters.json").read_text()):
        before, after = (np.asarray(one.get_layer(layer["name"]).kernel) for one in (pruned, model))
        assert np.count_nonzero(before == 0) > 0.78 * before.size
        assert not after[before == 0].any()
        assert layer["clusters"] <= 8
    stored = json.loads((root / "prune+cluster+int8" / "kernels.json").read_text())
    assert all(row["stored_zeros"] > 0.78 * row["weights"] for row in stored)
    assert all(row["clusters"] <= 8 for row in stored)
    assert said["prune+cluster+int8"]["sparsity"] > 0.78


def test_clustered_again_it_is_the_same_bytes(made, chain, settings, do, tmp_path):
    inputs = {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}
    said = settings("cluster(cluster)", cluster=QUICK, variants=["cluster+int8"])
    do(cluster, said, inputs, tmp_path)
    for name in ("model.keras", "history.csv", "clusters.json"):
        assert (tmp_path / name).read_bytes() == (made[0] / "cluster" / name).read_bytes()


@pytest.mark.slow
def test_each_layer_may_have_its_own_clusters(chain, settings, do, tmp_path):
    inputs = {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}
    words = {"epochs": 1, "warmup_epochs": 0, "clusters": 4, "exclude": ["last"]}
    said = settings(
        "cluster(cluster)", cluster=words | {"layers": {"first": 16}}, variants=["cluster+int8"]
    )
    do(cluster, said, inputs, tmp_path)
    layers = json.loads((tmp_path / "clusters.json").read_text())
    assert [layer["clusters"] for layer in layers] == [16, 4, 4]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"exclude": ["nothing*"]}, "exclude pattern 'nothing*' matches no layer with a kernel"),
        ({"layers": {"nothing*": 4}}, "layers pattern 'nothing*' matches no layer with a kernel"),
        ({"exclude": ["*"]}, "nothing to cluster: every layer with a kernel is excluded"),
        ({"layers": {"first": 256}}, "has 54 weights, fewer than 256 clusters"),
    ],
)
def test_what_cannot_be_clustered_is_refused_by_name(words, why, chain, settings, do, tmp_path):
    inputs = {"ingest": chain["ingest"], "augment": chain["augment"], "candidate": chain["train"]}
    said = settings("cluster(cluster)", cluster=words, variants=["cluster+int8"])
    with pytest.raises(ConfigError, match=re.escape(why)):
        do(cluster, said, inputs, tmp_path)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"clusters": 1}, "cluster.clusters: input should be greater than or equal to 2, not 1"),
        ({"layers": {"conv*": 1}}, "cluster.layers.conv*: input should be greater than or equal"),
        ({"clusters": 2.5}, "cluster.clusters: input should be a valid integer, not 2.5"),
        ({"epochs": 1, "warmup_epochs": 1}, "leaves none at full learning rate"),
    ],
)
def test_settings_that_make_no_clusters_are_refused(words, why):
    with pytest.raises(ConfigError, match=re.escape(why)):
        Config.of({"name": "test", "cluster": words})


def test_a_clustering_learns_at_a_part_of_the_rate(settings):
    words = {"train": {"learning_rate": 0.02}, "variants": ["cluster+int8"]}
    assert settings("cluster(cluster)", **words).learning_rate == pytest.approx(0.002)
    said = settings("cluster(cluster)", **words, cluster={"learning_rate": 0.01})
    assert said.learning_rate == 0.01


def test_an_optimizer_that_clustering_cannot_use_is_said_first(settings):
    words = {"train": {"optimizer": "lamb"}, "variants": ["cluster+int8"]}
    why = "cluster.optimizer: tf_keras, which trains here, has no lamb"
    with pytest.raises(ConfigError, match=re.escape(why)):
        cluster.check(settings("cluster(cluster)", **words))
