"""Optimizers, schedules and losses in a recipe: names, arguments, and what is wrong with them."""

import pytest

from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.fit import OPTIMIZERS
from pipeline.reference import settings_page

PRUNED = ["float32", "prune+int8"]


def config(variants=("float32",), **sections):
    return Config.of({"name": "test", "variants": list(variants), **sections})


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"optimizer": "adm"}, "train.optimizer: unknown optimizer 'adm': did you mean 'adam'?"),
        ({"optimizer": {"muno": {}}}, "unknown optimizer 'muno': did you mean 'muon'?"),
        ({"optimizer": 3}, "train.optimizer: a name, or one name with arguments .* not 3"),
        ({"optimizer": {"adam": 3}}, "train.optimizer: adam: arguments come as a mapping, not 3"),
        ({"optimizer": {"adam": {}, "sgd": {}}}, "train.optimizer: a name, or one name with"),
        ({"schedule": "cosin"}, "train.schedule: unknown schedule 'cosin': did you mean 'cosine'?"),
        ({"schedule": "step"}, "train.schedule: step needs at: epochs done before each fall"),
        (
            {"schedule": {"step": {"att": [3]}}},
            "train.schedule: step takes no argument 'att': did you mean 'at'?",
        ),
        (
            {"schedule": {"step": {"at": [3, -1]}}},
            "train.schedule.step.at.1: input should be greater than 0, not -1",
        ),
        ({"schedule": {"step": {"at": [5, 3]}}}, "train.schedule.step.at: each epoch comes after"),
        ({"schedule": {"step": {"at": []}}}, "train.schedule.step.at: "),
        (
            {"schedule": {"step": {"at": [3], "factor": 2}}},
            "train.schedule.step.factor: input should be less than 1, not 2",
        ),
        (
            {"schedule": {"step": {"at": [3, 12]}}},
            "train.schedule.step.at: 12 is not before the end of 12 epochs",
        ),
        (
            {"schedule": {"step": {"at": [3]}}, "warmup_epochs": 4.0},
            "train.schedule.step.at: 3 is within the 4 epochs of warm-up",
        ),
        (
            {"schedule": {"plateau": {"patience": 12}}},
            "train.schedule.plateau.patience: 12 is not below the 12 epochs",
        ),
        ({"schedule": {"cosine": {"end": 1}}}, "cosine takes no argument 'end': there are none"),
        ({"schedule": "linear", "warmup_epochs": 12.0}, "leaves none at full learning rate"),
        ({"schedule": {"one_cycle": {"peak": 1}}}, "train.schedule.one_cycle.peak: .*less than 1"),
        ({"loss": "crossentropy"}, "unknown loss 'crossentropy': did you mean 'cross_entropy'?"),
        ({"loss": {"focal": {"gama": 1}}}, "focal takes no argument 'gama': did you mean 'gamma'?"),
        ({"loss": {"focal": {"gamma": -1}}}, "train.loss.focal.gamma: input should be greater"),
        ({"label_smoothing": 1}, "train.label_smoothing: input should be less than 1"),
        ({"clip_norm": 0}, "train.clip_norm: input should be greater than 0"),
        ({"ema": 1}, "train.ema: input should be less than 1"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_with_what_was_expected(train, message):
    with pytest.raises(ConfigError, match=message) as caught:
        config(train=train)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("prune", "message"),
    [
        ({"optimizer": "adm"}, "prune.optimizer: unknown optimizer 'adm'"),
        ({"presets": {"hard": {"optimizer": "adm"}}}, "prune.optimizer: unknown optimizer 'adm'"),
        ({"ema": 0.9}, "prune.ema: unknown setting"),
    ],
    ids=str,
)
def test_what_is_wrong_in_prune_is_said_at_once_too(prune, message):
    with pytest.raises(ConfigError, match=message):
        config(["float32", "prune.hard+int8"], prune={"presets": {"hard": {}}} | prune)


def test_one_cycle_is_its_own_warm_up():
    train = {"schedule": "one_cycle", "epochs": 1, "warmup_epochs": 1.0}
    assert config(train=train).train.warmup == 0


def test_a_schedule_is_compared_with_each_phase():
    train = {"frozen_epochs": 3, "epochs": 12, "schedule": {"step": {"at": [5]}}}
    with pytest.raises(ConfigError, match=r"step.at: 5 is not before the end of 3 epochs of train"):
        config(build={"model": "backbone", "weights": "imagenet"}, train=train)


def test_an_inherited_schedule_is_compared_with_the_epochs_of_pruning():
    train = {"schedule": {"step": {"at": [9]}}}
    assert config(train=train)  # which prunes nothing
    with pytest.raises(ConfigError, match=r"prune.schedule.step.at: 9 is not before .* of prune"):
        config(PRUNED, train=train)
    made = config(PRUNED, train=train, prune={"schedule": "cosine"})
    assert made.resolve()["prune(prune)"][1].schedule.name == "cosine"


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ({"optimizer": {"adam": {}}}, {"optimizer": "adam"}),
        ({"optimizer": {"adam": None}}, {"optimizer": "adam"}),
        ({"schedule": {"linear": None}}, {"schedule": "linear"}),
        ({"loss": {"focal": {}}}, {"loss": "focal"}),
        ({"loss": "focal"}, {"loss": {"focal": {"gamma": 2, "alpha": 0.25}}}),
    ],
    ids=str,
)
def test_two_ways_to_say_one_thing_are_one_recipe(said, plain):
    assert config(train=said).recipe() == config(train=plain).recipe()


@pytest.mark.parametrize(
    "train",
    [
        {"optimizer": {"adamw": {"beta_2": 0.99}}, "clip_norm": 1, "ema": 0.99},
        {"schedule": {"step": {"at": [2, 4]}}, "loss": {"smooth_l1": {"delta": 0.5}}},
        {"schedule": "one_cycle", "loss": "focal", "label_smoothing": 0.1},
        {"schedule": "plateau"},
    ],
    ids=str,
)
@pytest.mark.parametrize("variants", [["float32"], PRUNED])
def test_a_recipe_written_out_comes_to_the_same_run(variants, train):
    made = config(variants, train=train)
    assert Config.of(made.recipe()).recipe() == made.recipe()
    assert Config.of(made.recipe()).resolve()["train"][1] == made.resolve()["train"][1]


def test_pruning_takes_names_and_arguments_from_train():
    train = {"optimizer": {"muon": {"momentum": 0.9}}, "schedule": {"step": {"at": [2]}}}
    pruning = config(PRUNED, train=train).resolve()["prune(prune)"][1]
    assert pruning.optimizer == {"muon": {"momentum": 0.9}}
    assert pruning.schedule.at == (2,)
    said = config(PRUNED, train=train, prune={"schedule": {"step": {"at": [1]}}})
    assert said.resolve()["prune(prune)"][1].schedule.at == (1,)


def test_every_optimizer_is_on_the_page_of_settings():
    assert [name for name in OPTIMIZERS if f"`{name}`" not in settings_page()] == []
