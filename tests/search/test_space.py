"""A recipe with a point of its space laid over, and spaces that are none."""

import pytest

from pipeline import Config
from pipeline.errors import ConfigError
from pipeline.search import space
from pipeline.settings.searching import short


def config(*words):
    return Config.load(overrides=["search.epochs=null", *words])


SPACE = (
    "search.space={build.width: {int: [8, 24, 8]}, "
    "augment.policy: {choice: [light, [{flip: null}]]}, "
    "train.learning_rate: {log: [1e-3, 1]}, train.epochs: {int: [2, 4]}}"
)


def test_a_point_is_laid_over_what_the_recipe_says():
    values = {"build.width": 16, "augment.policy": [{"flip": None}], "train.epochs": 3}
    whole = config(SPACE, "repeat=3", "train.batch=16", "prune.sparsity=0.7")
    tried = space.candidate(whole, values)
    assert tried.build.model_extra == {"width": 16}
    assert tried.augment.policy == ({"flip": None},)
    assert (tried.train.epochs, tried.train.batch, tried.repeat) == (3, 16, 1)
    assert tried.variants == ("float32", "int8")
    assert not tried.search.space
    best = Config.of(space.recipe(whole, values), "best.yaml")
    assert (best.repeat, best.prune.sparsity, best.variants) == (3, 0.7, whole.variants)
    assert best.train.epochs == 3


def test_a_search_may_train_for_fewer_epochs_and_over_folds():
    searched = config("search.space={build.width: {int: [8, 24]}}", "search.epochs=5")
    assert space.candidate(searched, {"build.width": 9}).train.epochs == 5
    assert space.candidate(searched, {"build.width": 9}, epochs=2).train.epochs == 2
    assert space.recipe(searched, {"build.width": 9})["train"]["epochs"] == 60
    folds = config("search.space={build.width: {int: [8, 24]}}", "search.folds=3")
    assert space.candidate(folds, {"build.width": 9}).folds == 3


def test_warming_up_takes_no_more_than_a_quarter_of_a_short_trial():
    words = ("search.space={build.width: {int: [8, 24]}}", "search.algorithm=hyperband")
    searched = config(*words, "search.epochs=9", "train.warmup_epochs=3")
    assert space.fewest_epochs(searched) == 1
    found = [space.candidate(searched, {"build.width": 9}, epochs).train for epochs in (1, 9, 60)]
    assert [(one.epochs, one.warmup_epochs) for one in found] == [(1, 0.25), (9, 2.25), (60, 3)]
    assert space.fewest_epochs(config(*words)) == 3  # 60, 20, 7
    asked = config("search.space={train.warmup_epochs: {choice: [0.1, 0.5]}}", "search.epochs=2")
    assert space.candidate(asked, {"train.warmup_epochs": 0.5}).train.warmup_epochs == 0.5


def test_what_no_short_trial_takes_is_refused_before_a_search():
    words = ("search.algorithm=hyperband", "train.schedule={step: {at: [20]}}")
    with pytest.raises(ConfigError, match=r"search\.space: build\.width=8: .*schedule"):
        space.check(config("search.space={build.width: {int: [8, 24]}}", *words))


def test_gates_bind_the_winner_and_no_candidate():
    whole = config(SPACE, "variants=[int8, prune+int8]", "gates={prune+int8.bytes: '<= 9'}")
    assert space.candidate(whole, {"build.width": 9}).gates == {}
    assert space.recipe(whole, {"build.width": 9})["gates"] == {"prune+int8.bytes": "<= 9"}


def test_the_space_is_no_part_of_a_run():
    with_space, without = config(SPACE), config()
    assert with_space.recipe() == without.recipe()
    plain = {name: section for name, (_, section) in without.resolve().items()}
    assert plain == {name: section for name, (_, section) in with_space.resolve().items()}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{build.width: {int: [24, 8]}}", "build.width: int: an empty range: 24 is not below 8"),
        ("{build.width: {int: [8, 8]}}", "an empty range"),
        ("{build.width: {int: [8, 24.5]}}", "whole numbers"),
        ("{build.width: {int: [8, 24, 0]}}", "a step above 0 and up to 16"),
        ("{build.width: {itn: [8, 24]}}", "did you mean 'int'"),
        ("{build.width: [8, 24]}", "one of int, float, log, choice"),
        ("{train.learning_rate: {log: [0, 1]}}", "log: from above 0"),
        ("{train.learning_rate: {float: [0.1, .inf]}}", "float: [from, to] or [from, to, step]"),
        ("{augment.policy: {choice: [light]}}", "two or more values that differ"),
        ("{augment.policy: {choice: light}}", "a list, not 'light'"),
        ("{prune.sparsity: {float: [0.1, 0.9]}}", "a setting of augment, build, train"),
        ("{width: {int: [8, 24]}}", "a setting of augment, build, train"),
        ("[build.width]", "settings with their ranges"),
        ("{build: {width: {int: [8, 24]}}}", "as one word, as in {build.width: {int: [8, 64, 8]}}"),
        ("{train.batch: {choice: [2024-01-01, 8]}}", "not datetime.date(2024, 1, 1)"),
        ("{train.batch: {choice: [.nan, 8]}}", "not nan"),
        ("{build.model: {choice: [1, '1']}}", "two or more values that differ, not [1, '1']"),
        (
            "{train.optimizer: {choice: [adam, sgd]}, train.optimizer.adamw.beta_2: "
            "{float: [0.9, 0.99]}}",
            "train.optimizer.adamw.beta_2: is a part of train.optimizer, which is there as well",
        ),
    ],
)
def test_what_is_no_range_is_refused_with_the_recipe(said, problem):
    with pytest.raises(ConfigError, match=r"search\.space: ") as caught:
        config(f"search.space={said}")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{build.widht: {int: [8, 24]}}", "build.widht=8: build.widht: unknown setting"),
        ("{train.learning_rat: {log: [1e-3, 1]}}", "train.learning_rat: unknown setting"),
        ("{train.learning_rate: {float: [-1, 1]}}", "train.learning_rate=-1.0: "),
        ("{build.width: {float: [8, 24]}}", "small_cnn takes int here, not 8.0"),
        ("{augment.policy: {choice: [light, stong]}}", "unknown policy 'stong'"),
        ("{build.model: {choice: [small_cnn, lenet]}}", "build.model=lenet"),
    ],
)
def test_a_key_that_is_no_setting_is_refused_before_a_search(said, problem):
    with pytest.raises(ConfigError, match=r"search\.space: ") as caught:
        space.check(config(f"search.space={said}"))
    assert problem in str(caught.value)


def test_a_search_without_a_space_is_refused():
    with pytest.raises(ConfigError, match="nothing to look through"):
        space.check(config("search.space={}"))


def test_who_sets_the_epochs_sets_them_alone():
    epochs = "search.space={train.epochs: {int: [2, 4]}}"
    with pytest.raises(ConfigError, match=r"leave it out, the space has train\.epochs"):
        config(epochs, "search.epochs=3")
    with pytest.raises(ConfigError, match=r"hyperband sets train\.epochs itself"):
        config(epochs, "search.algorithm=hyperband")
    with pytest.raises(ConfigError, match=r"search\.seed is not set in a recipe"):
        config("search.seed=3")


def test_numbers_are_written_as_people_read_them():
    rates = {"log": [1e-4, 1e-2]}
    assert space.rounded(0.0012345678, rates) == 0.0012346
    assert space.rounded(7, {"int": [1, 9]}) == 7
    assert short("light") == "light"
    assert short([{"flip": None}]) == '[{"flip": null}]'


def test_numbers_stay_in_their_range_and_differ_where_it_is_narrow():
    assert space.rounded(0.999989, {"float": [0, 0.99999]}) == 0.99999
    assert space.rounded(0.00010000001, {"log": [0.00010000001, 1]}) == 0.00010000001
    narrow = {"float": [0.30001, 0.30004]}
    found = {space.rounded(0.30001 + place * 1e-6, narrow) for place in range(31)}
    assert len(found) == 31
    assert all(0.30001 <= one <= 0.30004 for one in found)
    assert space.rounded(0.1 + 0.2, {"float": [0, 1, 0.1]}) == 0.3


def test_two_choices_that_python_holds_equal_are_two():
    found = config("search.space={train.nesterov: {choice: [0, false]}}")
    assert found.search.space["train.nesterov"]["choice"] == (0, False)


def test_a_point_laid_over_a_recipe_leaves_the_space_as_it_was():
    policy = [{"flip": None}]
    whole = config("search.space={augment.policy: {choice: [light, [{flip: null}]]}}")
    space.recipe(whole, {"augment.policy": policy})["augment"]["policy"].append("mixup")
    assert policy == [{"flip": None}]


@pytest.mark.parametrize(
    ("said", "whole", "steps"),
    [
        ({"float": [0, 1, 0.1]}, False, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ({"float": [0, 0.3, 0.1]}, False, [0, 0.1, 0.2, 0.3]),
        ({"float": [0.1, 0.7, 0.2]}, True, [0.1, 0.3, 0.5, 0.7]),
        ({"float": [0, 0.5, 0.2]}, False, [0, 0.2, 0.4]),
        ({"float": [0, 0.9]}, True, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        ({"float": [0, 0.9]}, False, None),
        ({"int": [1, 9]}, True, None),
        ({"choice": [1.0, 2.0]}, True, None),
    ],
)
def test_a_range_with_steps_has_both_its_ends(said, whole, steps):
    assert space.ladder(said, whole=whole) == steps


def test_ten_over_orders_of_magnitude_are_even_in_those():
    found = space.ladder({"log": [1e-4, 1e-1]}, whole=True)
    assert (len(found), found[0], found[3], found[6], found[9]) == (10, 1e-4, 1e-3, 1e-2, 1e-1)
    assert found[1] == 0.00021544
