import json
import re

import pytest
import yaml
from pydantic import ValidationError

from models import MODELS
from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.fingerprint import digest
from pipeline.settings import SECTIONS


def config(*overrides, **settings):
    from pipeline.recipe import overlay

    return Config.of(overlay({"name": "test"} | settings, overrides))


def resolved(made, step):
    return made.resolve()[step][1]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epohcs=3", "train.epohcs: unknown setting: did you mean 'epochs'?"),
        ("trian.epochs=3", "trian: unknown setting: did you mean 'train'?"),
        ("train.epochs=ten", "train.epochs: input should be a valid integer, not 'ten'"),
        ("train.epochs=true", "train.epochs: input should be a valid integer, not True"),
        ("train.epochs=2.5", "train.epochs: input should be a valid integer"),
        ("train.epochs=0", "train.epochs: input should be greater than or equal to 1, not 0"),
        ("train.learning_rate=-1", "train.learning_rate: input should be greater than 0"),
        ("train.learning_rate=.nan", "train.learning_rate: input should be"),
        ("train.optimizer=adm", "unknown optimizer 'adm': did you mean 'adam'"),
        ("train.warmup_epochs=12", "train: .*leaves none at full learning rate"),
        ("train=3", "train: input should be"),
        ("build.model=lenet", "unknown model 'lenet': did you mean 'lenet5'?"),
        (
            "build.widht=8",
            "build.widht: unknown setting, nor does small_cnn take it: did you mean 'width'",
        ),
        ("build.width=wide", "build.width: small_cnn takes int here, not 'wide'"),
        ("build={model: resnet18, width: .inf}", "build.width: a finite number, not inf"),
        ("build={model: resnet18, width: .nan}", "build.width: a finite number, not nan"),
        ("build={model: densenet121, depths: [1, a]}", r"depths: whole numbers .* not \[1, 'a'\]"),
        ("build={model: densenet121, depths: [true, 1]}", r"depths: whole numbers above 0"),
        ("build={model: densenet121, depths: []}", r"depths: whole numbers above 0"),
        ("build={model: densenet121, depths: [100000]}", "depths: .* 500 together at most"),
        ("ingest.dataset=digit", "unknown dataset 'digit': did you mean 'digits'?"),
        ("augment.policy=lihgt", "augment.policy: unknown policy 'lihgt': did you mean 'light'?"),
        ("augment.policy=[{flop: {}}]", "unknown augmentation 'flop': did you mean 'flip'?"),
        ("quantize.format=int8", "quantize.format is not set in a recipe"),
        ("seed=5000000000", "seed: input should be less than 1000000000"),
        ("train.seed=3", "train.seed is not set in a recipe: it is `seed` at the top"),
        ("slim.keep=conv*", "slim.keep: input should be a valid list, not 'conv\\*'"),
        (
            "distill.pupil.model=lenet",
            "distill.pupil: unknown model 'lenet': did you mean 'lenet5'",
        ),
        (
            "distill.pupil={model: lenet5, width: 3}",
            "distill.pupil.width: unknown setting, nor does lenet5 take it",
        ),
        (
            "distill.presets={a: {pupil: {model: small_cnn, width: wide}}}",
            "distill.presets.a.pupil.width: small_cnn takes int here, not 'wide'",
        ),
        (
            "distill.pupil={model: lenet5, preprocess: own}",
            "distill.pupil.preprocess: lenet5 takes scale, centre, standardize here, not 'own'",
        ),
        ("distill.pupil={seed: 3}", "distill.pupil: seed is not set here: it is `seed` at the top"),
        (
            "distill={pupil: {model: lenet5}, start: train}",
            "distill: start is train, but `train` has only trained the network of `build`",
        ),
        ("prune.sparsity=1.2", "prune.sparsity: input should be less than 1, not 1.2"),
        ("prune.sparsity=0", "prune.sparsity: input should be greater than 0, not 0"),
        ("prune.layers={dense: 1.0}", "prune.layers.dense: input should be less than 1, not 1.0"),
        ("prune.layers={dense: -0.1}", "prune.layers.dense: input should be greater than or equal"),
        ("prune.pattern=4:2", "prune.pattern: 4:2 are 4 zeros of every 2 weights: leave some"),
        ("prune.pattern=block", "prune.pattern: unstructured, m:n as in 2:4, or a block as in 4x1"),
        ("prune={pattern: 2:4, sparsity: auto}", "prune: pattern 2:4 fixes the sparsity: nothing"),
        ("prune={pattern: 2:4, layers: {a: 0.5}}", "of layers only 0, dense, .* not a: 0.5"),
        ("prune.begin=0.7", "prune: begin 0.7 is not before end 0.5"),
        ("prune.steps_per_execution=4", "prune.steps_per_execution: input should be 1"),
        ("slim.macs=1.0", "slim.macs: input should be less than 1, not 1.0"),
        ("slim.latency=0", "slim.latency: input should be greater than 0, not 0"),
        (
            "slim.importance=size",
            "slim.importance: input should be 'taylor', 'l1', 'l2' or 'scale'",
        ),
        ("slim.ranking=dice", "slim.ranking: input should be 'global', 'uniform' or 'cost'"),
        ("slim.rounds=0", "slim.rounds: input should be greater than or equal to 1, not 0"),
        ("slim.teacher=2.0", "slim.teacher: input should be less than or equal to 1, not 2.0"),
        ("slim.mac=0.5", "slim.mac: unknown setting: did you mean 'macs'?"),
        ("slim.optimizer=adm", "slim.optimizer: unknown optimizer 'adm'"),
        ("variants=[int9]", "variants: 'int9': 'int9' is no format"),
        ("variants=[prnue+int8]", "unknown transform 'prnue': did you mean 'prune'?"),
        ("variants=[prune]", "'prune' is no format; a variant ends with a format"),
        ("variants=[prune+prune+int8]", "the same transform twice"),
        ("variants=[prune.hard+int8]", "prune.hard: no such preset: there are none"),
        ("variants=[]", "variants: "),
        ("name=../up", "name: string should match pattern"),
        ("seed=-1", "seed: input should be greater than or equal to 0"),
        ("repeat=0", "repeat: input should be greater than or equal to 1, not 0"),
        ("repeat=2.0", "repeat: input should be a valid integer, not 2.0"),
        ("repeat=101", "repeat: input should be less than or equal to 100"),
        ("folds=1", "folds: input should be greater than or equal to 2, not 1"),
        ("report.replicas=[]", "report.replicas is not set in a recipe: it is `repeat` or `folds`"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected(override, message):
    with pytest.raises(ConfigError, match=message) as caught:
        config(override)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ({"sparsity": 2.0}, "prune.presets.hard.sparsity: input should be less than 1, not 2.0"),
        ({"sparsty": 0.9}, "prune.presets.hard.sparsty: unknown setting: did you mean 'sparsity'?"),
        ({"begin": 0.9}, "prune.presets.hard: begin 0.9 is not before end 0.5"),
    ],
)
def test_a_wrong_preset_is_named_by_its_place(preset, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        config(prune={"presets": {"hard": preset}}, variants=["prune.hard+int8"])


def test_a_config_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        config().train.epochs = 3


def test_float32_is_always_there_and_first():
    assert config("variants=[int8, int8]").variants == ("float32", "int8")


def test_prune_takes_from_train_what_it_is_not_told():
    made = config("train.batch=17", "train.optimizer=sgd", "train.learning_rate=0.4")
    prune = resolved(made, "prune(prune)")
    assert (prune.batch, prune.optimizer, prune.learning_rate) == (17, "sgd", 0.4)
    told = resolved(
        config("train.batch=17", "prune.batch=5", "prune.learning_rate=0.3"), "prune(prune)"
    )
    assert (told.batch, told.learning_rate) == (5, 0.3)


def test_prune_keeps_its_own_length_and_makes_masks_every_step():
    prune = resolved(config("train.epochs=99", "train.steps_per_execution=9"), "prune(prune)")
    assert (prune.epochs, prune.steps_per_execution) == (6, 1)


def test_a_wrong_preset_is_named_though_no_variant_takes_it():
    wrong = r"slim\.presets\.half\.macs: input should be greater than 0"
    with pytest.raises(ConfigError, match=wrong):
        config(slim={"presets": {"half": {"macs": 0}}}, variants=["int8"])


def test_a_pupil_has_the_network_that_is_said_and_the_preprocessing_of_that():
    settings = {"pupil": {"model": "lenet5"}, "presets": {"wide": {"pupil": {"width": 16}}}}
    variants = ["distill+int8", "distill.wide+int8", "ensemble+int8"]
    made = config(build={"preprocess": "standardize"}, distill=settings, variants=variants, seed=5)
    lenet, wide = (resolved(made, f"build(distill{name})") for name in ("", ".wide"))
    assert lenet.model_dump() == {
        **{"model": "lenet5", "activation": "sigmoid", "preprocess": "scale", "seed": 5}
    }
    assert (wide.model, wide.width, wide.preprocess) == ("small_cnn", 16, "scale")
    assert resolved(made, "build(ensemble/2)").preprocess == "standardize", "no pupil, a member"
    assert made.recipe()["distill"]["pupil"] == {
        **{"model": "lenet5", "activation": "sigmoid", "preprocess": "scale"}
    }
    assert Config.of(made.recipe()).recipe() == made.recipe()


def test_a_preset_is_laid_over_its_section():
    made = config(
        prune={"sparsity": 0.7, "epochs": 9, "presets": {"hard": {"sparsity": 0.9}}},
        variants=["prune+int8", "prune.hard+int8"],
    )
    assert resolved(made, "prune(prune)").sparsity == 0.7
    hard = resolved(made, "prune(prune.hard)")
    assert (hard.sparsity, hard.epochs) == (0.9, 9)


def test_a_slimming_has_a_target_and_those_of_a_preset_replace_it():
    half = resolved(config("variants=[slim+int8]"), "slim(slim)")
    assert (half.targets, half.macs, half.latency) == ({"macs": 0.5}, 0.5, None)
    presets = {"fast": {"latency": 0.6, "bytes": 0.5}, "thin": {"rounds": 3}}
    said = {"macs": 0.7, "learning_rate": 0.5, "presets": presets}
    made = config("train.batch=17", slim=said, variants=["slim.fast+int8", "slim.thin+int8"])
    fast, thin = (resolved(made, f"slim(slim.{name})") for name in presets)
    assert (fast.targets, fast.macs) == ({"latency": 0.6, "bytes": 0.5}, None)
    assert (thin.targets, thin.rounds) == ({"macs": 0.7}, 3)
    assert (fast.batch, fast.learning_rate) == (17, 0.5)
    again = Config.of(made.recipe())
    assert resolved(again, "slim(slim.fast)") == fast


def test_the_order_of_layers_to_prune_counts_and_is_written_down():
    said = [["prune.layers={a*: 0.5, '*b': 0.9}"], ["prune.layers={'*b': 0.9, a*: 0.5}"]]
    plain = [resolved(config(*one), "prune(prune)").model_dump(mode="json") for one in said]
    assert digest(plain[0]) != digest(plain[1])
    written = config(*said[1]).recipe()
    assert written["prune"]["layers"] == [{"*b": 0.9}, {"a*": 0.5}]
    assert list(Config.of(written).prune.layers) == ["*b", "a*"]


def test_every_step_gets_complete_settings():
    made = config("seed=5", "build.width=9")
    for step, settings in made.resolve().values():
        assert type(settings) is SECTIONS[step.stage]
        assert settings.seed == (0 if step.stage == "ingest" else 5)
    assert resolved(made, "build").model_extra == {"width": 9, "blocks": 3}
    assert resolved(made, "quantize(prune+int8)").format == "int8"
    assert resolved(made, "report").config["train"]["epochs"] == 12


def test_a_whole_number_for_a_fraction_is_the_same_setting():
    whole, fraction = (config("build.model=vgg11", f"build.width={said}") for said in ("1", "1.0"))
    found = [resolved(made, "build").model_dump_json() for made in (whole, fraction)]
    assert found[0] == found[1]


def test_the_split_does_not_move_with_the_seed():
    assert resolved(config("seed=1"), "ingest") == resolved(config("seed=2"), "ingest")


def test_a_path_that_is_no_text_is_spelled_out_where_the_recipe_is_written():
    config = Config.of({"name": "a", "ingest": {"path": "/photos/caf\udce9"}})
    assert config.ingest.path.name == "caf\udce9"
    assert config.recipe()["ingest"]["path"] == "/photos/caf\\udce9"
    assert isinstance(config.recipe()["variants"], list)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"classes": ["a", "b", "a"]}, "ingest.classes: class 'a' twice"),
        ({"classes": ["a", " "]}, "ingest.classes: class ' ' has no name"),
        ({"classes": ["a"]}, "ingest.classes: two classes at least"),
        ({"dataset": "folder", "data_dir": "/sets"}, "data_dir is for tfds:NAME"),
        ({"fold": 2}, "fold 2 of 1: there are not so many"),
        ({"folds": 3, "fold": 4}, "fold 4 of 3"),
    ],
)
def test_settings_of_ingest_that_contradict_are_refused(said, message):
    with pytest.raises(ConfigError, match=message):
        Config.of({"name": "a", "ingest": said})


@pytest.mark.parametrize("model", sorted(set(MODELS) - {"custom", "file"}))
def test_what_a_recipe_comes_to_can_be_written_down_whichever_the_network(model):
    recipe = config(f"build.model={model}").recipe()
    assert json.loads(json.dumps(recipe)) == recipe
    assert set(MODELS.function(model).defaults) < set(recipe["build"])
    assert Config.of(yaml.safe_load(yaml.safe_dump(recipe))).recipe() == recipe


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"repeat": 2, "folds": 3}, "repeat, folds: give one of them"),
        ({"folds": 3, "ingest": {"folds": 3}}, "ingest.folds: leave it out"),
        ({"repeat": 2, "seed": 10**9 - 1}, "repeat: 2 seeds from 999999999 on reach 1000000000"),
    ],
)
def test_repetitions_that_contradict_are_refused(said, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Config.of({"name": "a"} | said)
    assert "\n" not in str(caught.value)


def test_a_replica_has_the_settings_of_a_run_with_the_next_seed():
    thrice, later = config("repeat=3", "seed=5"), config("seed=7")
    for step in ("build", "train", "prune(prune)", "quantize(prune+int8)"):
        assert resolved(thrice, f"{step}#3") == resolved(later, step)
    assert resolved(thrice, "ingest") == resolved(later, "ingest")
    assert "ingest#2" not in thrice.resolve()
    assert resolved(thrice, "report").replicas == tuple(
        {"seed": seed, "fold": None} for seed in (5, 6, 7)
    )


def test_a_fold_has_the_settings_of_a_run_with_that_fold_and_the_same_seed():
    folded, single = config("folds=4", "seed=5"), config("ingest={folds: 4, fold: 3}", "seed=5")
    for step in ("ingest", "build", "train", "quantize(int8)"):
        assert resolved(folded, f"{step}#3") == resolved(single, step)
    assert resolved(folded, "ingest").fold == 1
    assert resolved(folded, "report").replicas[3] == {"seed": 5, "fold": 4}


def test_how_latency_is_measured_is_nothing_to_replicas():
    slow = resolved(config("repeat=2", "benchmark.runs=9"), "benchmark#2")
    assert slow == resolved(config("repeat=2", "benchmark.threads=2"), "benchmark#2")
    assert slow.rounds == 0


def test_a_run_that_is_not_repeated_says_nothing_of_it():
    once, said = config(), config("repeat=1", "folds=null")
    assert once.resolve() == said.resolve()
    assert not {"repeat", "folds"} & set(once.recipe())
    assert resolved(once, "report").replicas == ()


def test_a_repeated_run_can_be_written_down():
    for words in ("repeat=3", "folds=4"):
        recipe = config(words).recipe()
        assert json.loads(json.dumps(recipe)) == recipe
        assert Config.of(recipe).resolve() == config(words).resolve()


def test_qat_takes_a_fraction_of_the_rate_of_train_and_what_quantize_says_of_its_file():
    said = {
        "name": "x",
        "variants": ["qat", "qat.long"],
        "train": {"learning_rate": 0.4},
        "qat": {"rate_factor": 0.1, "presets": {"long": {"epochs": 9, "learning_rate": 0.3}}},
        "quantize": {"io": "int8", "calibration_images": 7},
    }
    steps = Config.of(said).resolve()
    short, long = steps["qat(qat)"][1], steps["qat(qat.long)"][1]
    assert short.learning_rate == pytest.approx(0.04)
    assert (long.epochs, long.learning_rate) == (9, 0.3)
    assert (short.io, short.calibration_images) == ("int8", 7)
    with pytest.raises(ConfigError, match=r"qat.io is not set in a recipe: it is `quantize.io`"):
        Config.of(said | {"qat": {"io": "int8"}})


def test_gates_are_read_from_a_recipe_and_from_the_command_line(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text('variants: [int8]\ngates: {int8.drop_pp: "<= 1", float32.bytes: "<= 9"}\n')
    found = Config.load(recipe, ["gates.int8.bytes=<= 120000"])
    wanted = {"int8.drop_pp": "<= 1", "float32.bytes": "<= 9", "int8.bytes": "<= 120000"}
    assert found.gates == found.recipe()["gates"] == wanted
    assert "gates" not in Config.load(recipe, ["gates={}"]).recipe()


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("gates={int9.bytes: '<= 1'}", "gates.int9.bytes: no variant of this run; did you mean"),
        ("gates={qat.bytes: '<= 1'}", "gates.qat.bytes: no variant of this run"),
        ("gates={int8.bytes: 5}", "int8.bytes: a bound as in \"<= 1\", not '5'"),
        ("gates=[int8]", "gates: variants with bounds"),
    ],
)
def test_gates_that_bind_nothing_are_refused(said, problem):
    with pytest.raises(ConfigError) as caught:
        Config.load(overrides=["variants=[int8]", said])
    assert problem in str(caught.value)
