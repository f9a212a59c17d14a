"""Distill as a stage: what it matches, says and refuses, and that it goes on where it was."""

import json

import keras
import numpy as np
import pytest

from pipeline.compress.features import Matching
from pipeline.compress.pairing import pairs
from pipeline.data.dataset import validation_split
from pipeline.errors import ConfigError
from pipeline.fit.callbacks import BestWeights
from pipeline.fit.ensembles.members import voting
from pipeline.fit.files import load_model, save_model
from pipeline.fit.muon import Muon
from pipeline.settings import CHECKPOINTS
from pipeline.show.ensembles import Pupil
from pipeline.stages import distill
from tests.marks import slow_but

ROLES = ("ingest", "augment", "build", "train")
HINTS = {"features": 2.0, "feature_loss": "hints"}
ATTENTION = {"features": 5.0}


@pytest.fixture(scope="module")
def roles(chain):
    return {"candidate": chain["train"]} | {role: chain[role] for role in ROLES}


@pytest.fixture(scope="module")
def said_by(settings):
    """Settings of distill, as a run would have them."""

    def make(**said):
        return settings("distill(distill)", variants=["distill+int8"], distill=said)

    return make


def told(folder):
    return json.loads((folder / "distillation.json").read_text())


@pytest.mark.parametrize(
    ("said", "count"),
    slow_but([(ATTENTION, 3)], [(ATTENTION, 3), (HINTS, 4)]),
    ids=["attention", "hints"],
)
def test_what_was_matched_came_nearer_and_the_file_is_the_plain_network(
    said, count, roles, do, said_by, tmp_path
):
    do(distill, said_by(epochs=6, **said), roles, tmp_path)
    features = Pupil.model_validate(told(tmp_path) | {"name": "distill"}).features
    assert (features.method, features.weight) == (said.get("feature_loss", "attention"),
                                                  said["features"])  # fmt: skip
    assert len(features.pairs) == count
    assert all(pair.pupil == pair.teacher for pair in features.pairs), "they are alike here"
    assert all(pair.after < 0.8 * pair.before for pair in features.pairs), features.pairs
    built, made = (load_model(folder / "model.keras") for folder in (roles["build"], tmp_path))
    assert made.get_config() == built.get_config()
    assert [one.shape for one in made.weights] == [one.shape for one in built.weights]


def test_muon_leaves_projections_of_hints_to_adam(roles, do, said_by, tmp_path, monkeypatch):
    made = []
    own = Muon.build
    monkeypatch.setattr(Muon, "build", lambda self, variables: made.append(self) or
                        own(self, variables))  # fmt: skip
    do(distill, said_by(epochs=2, optimizer="muon", **HINTS), roles, tmp_path)
    pairs = list(zip(made[0].momentums, made[0].velocities, strict=True))
    matrices = [one.path for one, velocity in pairs if velocity is None]
    assert len(matrices) == 2, "of four kernels neither the first nor the classifier's"
    assert sum("hint_projection" in one.path for one, _ in pairs) == 2 * 4
    assert not any("hint_projection" in path for path in matrices)


@pytest.mark.slow
def test_at_weight_0_it_is_what_it_is_without(roles, do, said_by, tmp_path):
    for name, said in (("without", {}), ("nothing", {"features": 0.0, "feature_loss": "hints"})):
        do(distill, said_by(epochs=2, **said), roles, tmp_path / name)
    assert "features" not in told(tmp_path / "nothing")
    first, second = (
        (tmp_path / name / "model.keras").read_bytes() for name in ("without", "nothing")
    )
    assert first == second
    do(distill, said_by(epochs=2, **ATTENTION), roles, tmp_path / "matched")
    assert (tmp_path / "matched" / "model.keras").read_bytes() != first


class CutOff(BaseException):
    """Stands for a pulled plug: nothing may catch it."""


@pytest.mark.parametrize(
    "said", slow_but([ATTENTION], [ATTENTION, HINTS]), ids=["attention", "hints"]
)
def test_cut_off_and_gone_on_with_it_comes_to_the_same_files(
    said, roles, do, said_by, tmp_path, monkeypatch
):
    values = said_by(epochs=4, **said)
    do(distill, values, roles, tmp_path / "whole")
    with monkeypatch.context() as patch:
        own = BestWeights.on_epoch_end

        def cut(self, epoch, logs):
            if epoch == 2:  # before it is saved: two whole epochs are on disk
                raise CutOff
            own(self, epoch, logs)

        patch.setattr(BestWeights, "on_epoch_end", cut)
        with pytest.raises(CutOff):
            do(distill, values, roles, tmp_path / "again")
    assert list((tmp_path / "again" / CHECKPOINTS).glob("epoch-00002-*"))
    metrics = do(distill, values, roles, tmp_path / "again")
    assert metrics["resumed_from_epoch"] == 2
    for name in ("model.keras", "history.csv", "distillation.json"):
        whole, again = ((tmp_path / way / name).read_bytes() for way in ("whole", "again"))
        assert whole == again, name


@pytest.mark.slow
def test_an_ensemble_teaches_by_what_its_members_layers_give(roles, do, said_by, tmp_path):
    members = [load_model(roles["train"] / "model.keras") for _ in range(2)]
    members[1].set_weights([0.9 * weight for weight in members[1].get_weights()])
    (tmp_path / "ensemble").mkdir()
    save_model(voting(members, np.full(2, 0.5)), tmp_path / "ensemble" / "model.keras")
    inputs = roles | {"candidate": tmp_path / "ensemble"}
    do(distill, said_by(epochs=4, **ATTENTION), inputs, tmp_path / "pupil")
    features = told(tmp_path / "pupil")["features"]
    assert features["members"] == 2
    assert [one["teacher"] for one in features["pairs"]] == [
        one["pupil"] for one in features["pairs"]
    ]
    assert all(one["after"] < one["before"] for one in features["pairs"])


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (
            {"feature_layers": {"re_lo": "re_lu"}},
            "pupil has no layer 're_lo': did you mean 're_lu'",
        ),
        ({"feature_layers": {"re_lu": "re_lu_2"}}, "re_lu of the pupil gives 8x8, re_lu_2 of the"),
    ],
    ids=str,
)
def test_pairs_that_cannot_be_are_refused_before_an_epoch(
    said, problem, roles, do, said_by, tmp_path
):
    with pytest.raises(ConfigError, match=rf"^distill\.feature_layers: .*{problem}"):
        do(distill, said_by(**ATTENTION, **said), roles, tmp_path)
    assert not list(tmp_path.iterdir())


def test_pairs_without_a_weight_are_refused_before_anything_runs(said_by):
    distill.check(said_by(features=1.0, feature_layers={"a": "b"}))
    with pytest.raises(ConfigError, match="nothing is matched at"):
        distill.check(said_by(feature_layers={"a": "b"}))


def test_several_labels_a_picture_are_matched_as_well(chain, roles, do, said_by, tmp_path):
    """Labels of two classes a picture are made of the digits: is it odd, is it above four."""
    inputs = {"ingest": tmp_path / "ingest", "augment": chain["augment"]}
    inputs["ingest"].mkdir()
    for path in chain["ingest"].iterdir():
        if path.suffix == ".npy" and "labels" in path.name:
            labels = np.load(path)
            np.save(inputs["ingest"] / path.name,
                    np.stack([labels % 2, labels > 4], -1).astype(np.uint8))  # fmt: skip
        elif path.is_file():
            (inputs["ingest"] / path.name).write_bytes(path.read_bytes())
    for role, seed in (("build", 0), ("candidate", 1)):
        keras.utils.set_random_seed(seed)
        x = images = keras.Input((8, 8, 1))
        x = keras.layers.Conv2D(4, 3, activation="relu")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        made = keras.Model(images, keras.layers.Dense(2, activation="sigmoid")(x))
        inputs[role] = tmp_path / role
        inputs[role].mkdir()
        save_model(made, inputs[role] / "model.keras")
    do(distill, said_by(epochs=3, **HINTS), inputs, tmp_path / "pupil")
    features = told(tmp_path / "pupil")["features"]
    assert [one["size"] for one in features["pairs"]] == [[6, 6], []]
    assert all(one["after"] < one["before"] for one in features["pairs"])


def test_the_chosen_epoch_is_what_the_distances_are_of(roles, do, said_by, tmp_path):
    do(distill, said_by(epochs=4, **ATTENTION), roles, tmp_path)
    made, teacher = (load_model(at / "model.keras") for at in (tmp_path, roles["train"]))
    matching = Matching(made, teacher, pairs(made, teacher, "attention", {}), "attention", 1.0)
    wanted = matching.apart(validation_split(roles["ingest"]))
    found = [one["after"] for one in told(tmp_path)["features"]["pairs"]]
    assert found == pytest.approx(wanted, abs=1e-6)
