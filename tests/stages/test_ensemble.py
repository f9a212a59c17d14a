import json

import numpy as np
import pytest

from pipeline.data.dataset import training_split, validation_split
from pipeline.fit.ensembles import answers as given
from pipeline.fit.files import load_model
from pipeline.measure.litert import LiteRT
from pipeline.stages import build, distill, ensemble, prune, quantize, train

WAYS = {
    "voted": {},
    "weighted": {"combine": "weighted"},
    "stacked": {"combine": "stacking"},
    "boosted": {"method": "boosting"},
    "bagged": {"method": "bagging"},
    "stirred": {"combine": "weight_averaging", "start": "candidate", "epochs": 3},
}


@pytest.fixture(scope="module")
def together(chain, do, settings, tmp_path_factory):
    """Ensembles of three in every way, on `chain`'s training, run as the engine does: folders."""
    root = tmp_path_factory.mktemp("together")
    folders = dict(chain)
    variants = [f"ensemble.{name}+int8" for name in WAYS]
    said = {"variants": ["float32", *variants], "ensemble": {"presets": WAYS}}
    from pipeline.config import Config
    from tests.stages.conftest import QUICK

    modules = {"build": build, "train": train, "ensemble": ensemble, "quantize": quantize}
    shared = {}  # steps that come to the same: what the cache would find
    for step, values in Config.of(QUICK | said).resolve().values():
        if step.path in {"", "float32"}:
            continue
        inputs = {role: folders[source] for role, source in step.inputs.items()}
        key = (step.stage, values.model_dump_json(), tuple(sorted(map(str, inputs.values()))))
        if key not in shared:
            folder = root / step.id.replace("/", "-")
            do(modules[step.stage], values, inputs, folder)
            shared[key] = folder
        folders[step.id] = shared[key]
    return folders


def facts(folders, name):
    return json.loads((folders[f"ensemble(ensemble.{name})"] / "ensemble.json").read_text())


def probabilities(folder, split):
    return load_model(folder / "model.keras").predict(split[0].astype(np.float32), verbose=0)


def members(folders, name):
    rest = [folders[f"train(ensemble.{name}/{number})"] for number in (2, 3)]
    first = folders.get(f"train(ensemble.{name}/1)", folders["train"])
    return [first, *rest]


@pytest.mark.slow
class TestTogether:
    def test_soft_voting_answers_with_the_mean(self, together):
        split = validation_split(together["ingest"])
        mean = np.mean([probabilities(one, split) for one in members(together, "voted")], axis=0)
        found = probabilities(together["ensemble(ensemble.voted)"], split)
        assert found == pytest.approx(mean, abs=1e-6)
        said = facts(together, "voted")
        assert said["val_accuracy"] == pytest.approx((mean.argmax(-1) == split[1]).mean())
        assert said["unseen"] is None
        assert said["val_accuracy"] >= np.mean([one["val_accuracy"] for one in said["members"]])

    def test_weights_on_validation_do_no_worse_there_than_equal_ones(self, together):
        weighted, voted = facts(together, "weighted"), facts(together, "voted")
        assert sum(one["weight"] for one in weighted["members"]) == pytest.approx(1)
        assert weighted["val_loss"] <= voted["val_loss"] + 1e-6
        assert weighted["unseen"]["val_loss"] >= weighted["val_loss"]

    def test_stacking_says_how_it_does_on_pictures_it_was_not_fitted_on(self, together):
        said = facts(together, "stacked")
        assert said["unseen"]["val_loss"] > said["val_loss"]
        assert [one["weight"] for one in said["members"]] == [None] * 3

    def test_boosting_draws_the_pictures_that_members_before_were_wrong_about(self, together):
        split = training_split(together["ingest"])
        before = [load_model(one / "model.keras") for one in members(together, "boosted")[:2]]
        wrong = np.array([
            one.predict(split[0].astype(np.float32), verbose=0).argmax(-1) != split[1]
            for one in before
        ])  # fmt: skip
        weights = given.boosting(before, split, 0.2).weights
        either = wrong.any(0)
        assert weights[either].min() > weights[~either].max()
        assert [one["weight"] for one in facts(together, "boosted")["members"]] != [1 / 3] * 3

    def test_a_soup_is_one_network_and_no_worse_on_validation_than_its_best_member(self, together):
        said, built = facts(together, "stirred"), load_model(together["train"] / "model.keras")
        assert said["params"] == built.count_params()
        assert said["val_accuracy"] >= max(one["val_accuracy"] for one in said["members"])

    def test_every_ensemble_answers_in_int8_as_it_does_in_float(self, together):
        split = validation_split(together["ingest"])
        for name in WAYS:
            wanted = probabilities(together[f"ensemble(ensemble.{name})"], split)
            path = together[f"quantize(ensemble.{name}+int8)"] / "model.tflite"
            found = LiteRT(path).predict(np.asarray(split[0]))
            assert np.abs(found - wanted).mean() < 0.02, name
            assert (found.argmax(-1) == wanted.argmax(-1)).mean() > 0.95, name

    def test_members_drawn_with_replacement_are_trained_on_their_own_sample(self, together):
        first, second = (probabilities(one, validation_split(together["ingest"]))
                         for one in members(together, "bagged")[:2])  # fmt: skip
        assert np.abs(first - second).max() > 0.1


def test_a_pupil_comes_near_its_teacher_and_has_the_size_of_the_network(
    chain, do, settings, tmp_path
):
    values = settings("distill(distill)", variants=["distill+int8"], distill={"epochs": 8})
    inputs = {"candidate": chain["train"]} | {
        role: chain[role] for role in ("ingest", "augment", "build", "train")
    }
    said = do(distill, values, inputs, tmp_path)
    told = json.loads((tmp_path / "distillation.json").read_text())
    assert told["params"] == told["teacher_params"]
    assert told["agreement"] > 0.5
    split = validation_split(chain["ingest"])
    found = probabilities(tmp_path, split)
    assert (found.argmax(-1) == split[1]).mean() == pytest.approx(said["val_accuracy"], abs=1e-6)


def test_a_soup_of_members_that_learned_from_mixed_pictures(chain, do, settings, tmp_path):
    (tmp_path / "policy.json").write_text(json.dumps([{"mixup": {"alpha": 1.0}}]))
    words = settings(
        "ensemble(ensemble)",
        variants=["ensemble+int8"],
        ensemble={"combine": "weight_averaging", "start": "candidate"},
    )
    roles = {"ingest": chain["ingest"], "augment": tmp_path}
    two = {"member/1": chain["train"], "member/2": chain["train"]}
    do(ensemble, words, roles | two, tmp_path / "soup")
    found = json.loads((tmp_path / "soup" / "ensemble.json").read_text())
    assert [one["weight"] for one in found["members"]] == [0.5, 0.5]


@pytest.mark.slow
def test_pruned_together_members_keep_what_they_count(chain, do, settings, tmp_path):
    words = {"variants": ["ensemble+prune+int8"], "prune": {"epochs": 2}}
    two = {"member/1": chain["train"], "member/2": chain["prune"]}
    trunk = {role: chain[role] for role in ("ingest", "augment")}
    ends = tmp_path / "ensemble", tmp_path / "prune"
    do(ensemble, settings("ensemble(ensemble)", **words), trunk | two, ends[0])
    values = settings("prune(ensemble+prune)", **words)
    do(prune, values, trunk | {"candidate": ends[0]}, ends[1])
    layers = json.loads((ends[1] / "sparsity.json").read_text())
    assert len(layers) == 8
    assert all(layer["zeros"] / layer["weights"] > 0.78 for layer in layers)
    assert np.count_nonzero(load_model(ends[1] / "model.keras").get_layer("vote").kernel) == 2
