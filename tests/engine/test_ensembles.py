"""How an ensemble unfolds: what is trained for it, from what, and what it shares."""

import json
from pathlib import Path

import pytest

from pipeline import Config
from pipeline.errors import ConfigError, TrainingError
from pipeline.fingerprint import FileMemo
from pipeline.graph import STAGES
from pipeline.plan import Plan
from pipeline.stages import train
from pipeline.store import Store
from tests.engine.stand_ins import learn_nothing
from tests.front_door import SMALL, steps

BOTH = "variants=[float32, ensemble+int8]"


def resolved(*words):
    return Config.load(overrides=words).resolve()


def inputs(steps, name):
    return dict(steps[name][0].inputs)


def test_the_first_member_is_what_train_comes_to_and_each_other_begins_by_itself():
    steps = resolved(BOTH)
    members = {role: inputs(steps, "ensemble(ensemble)")[f"member/{role}"] for role in (1, 2, 3)}
    assert members == {1: "train", 2: "train(ensemble/2)", 3: "train(ensemble/3)"}
    assert inputs(steps, "train(ensemble/2)")["build"] == "build(ensemble/2)"
    seeds = {steps[name][1].seed for name in members.values()}
    assert len(seeds) == 3
    assert steps["build(ensemble/2)"][1].seed == steps["train(ensemble/2)"][1].seed


def test_every_input_of_a_member_comes_before_it():
    seen = set()
    words = ("variants=[ensemble+distill+int8, ensemble.b+int8]", "repeat=2")
    for step, _ in resolved(*words, "ensemble.presets={b: {method: boosting}}").values():
        assert set(step.inputs.values()) <= seen, step
        seen.add(step.id)


def test_members_of_all_replicas_have_seeds_of_their_own():
    steps = resolved(BOTH, "repeat=12", "ensemble.members=12")
    seeds = [settings.seed for step, settings in steps.values() if step.stage == "train"]
    assert len(seeds) == len(set(seeds)) == 12 * 12


def test_bagging_draws_for_every_member_and_boosting_after_the_first():
    for method, draws in (("bagging", ["bootstrap"] * 3), ("boosting", ["all", *["boosting"] * 2])):
        steps = resolved(BOTH, f"ensemble.method={method}")
        members = [one for role, one in inputs(steps, "ensemble(ensemble)").items() if "/" in role]
        assert [steps[name][1].draw for name in members] == draws


def test_a_boosted_member_reads_those_before_it():
    steps = resolved(BOTH, "ensemble.method=boosting")
    before = {role: one for role, one in inputs(steps, "train(ensemble/3)").items() if "/" in role}
    assert before == {"member/1": "train", "member/2": "train(ensemble/2)"}
    assert not [role for role in inputs(resolved(BOTH), "train(ensemble/3)") if "/" in role]


def test_members_may_begin_at_one_start_and_be_tuned_for_fewer_epochs():
    words = ("ensemble.start=candidate", "ensemble.epochs=4", "ensemble.combine=weight_averaging")
    steps = resolved(BOTH, *words)
    assert inputs(steps, "train(ensemble/1)")["build"] == "train"
    assert steps["train(ensemble/1)"][1].epochs == 4
    assert steps["train"][1].epochs == 60
    shared = resolved(BOTH, "ensemble.start=build")
    assert inputs(shared, "train(ensemble/2)")["build"] == "build"


def test_a_pupil_is_taught_by_what_its_path_has_reached():
    steps = resolved("variants=[ensemble+distill+int8, distill+int8]", "train.batch=48")
    assert inputs(steps, "distill(ensemble+distill)")["candidate"] == "ensemble(ensemble)"
    assert inputs(steps, "distill(distill)")["candidate"] == "train"
    pupil = steps["distill(distill)"][1]
    assert (pupil.batch, pupil.epochs) == (48, 60)


def test_training_up_to_a_stage_trains_no_members():
    plan = Plan(Config.load(overrides=[BOTH]), Store(Path("none")), FileMemo(Path("no/memo")))
    assert [step.id for step in plan.until("train")] == ["ingest", "augment", "build", "train"]


def test_a_recipe_written_out_unfolds_as_the_one_it_came_from():
    words = [BOTH, "ensemble.method=boosting", "ensemble.shrinkage=0.5", "distill.weight=0.5"]
    config = Config.load(overrides=words)
    again = Config.of(config.recipe())
    assert again.resolve() == config.resolve()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ensemble.combine=stacked"], r"ensemble\.combine: input should be 'soft_voting'"),
        (["ensemble.members=1"], "greater than or equal to 2"),
        (["ensemble.combine=weight_averaging"], "members that share a start: set start to build"),
        (["ensemble.metod=bagging"], "did you mean 'method'"),
        (["variants=[ensemble.bag+int8]"], r"ensemble\.bag: no such preset"),
        (["variants=[distill+ensemble+int8]"], "begins anew, which leaves distill without effect"),
        (["variants=[prune+ensemble+int8]"], "nothing of prune; put prune after ensemble"),
        ([BOTH, "ensemble.epochs=1"], "ensemble: .*warmup_epochs"),
        (["train.draw=bootstrap"], r"train\.draw is not set in a recipe: it is `ensemble\.method`"),
        (["distill.optimizer=addam"], r"distill\.optimizer: .*did you mean 'adam'"),
        (["distill.temperature=0"], r"distill\.temperature: "),
    ],
)
def test_what_makes_no_ensemble_is_said_in_a_line(words, said):
    with pytest.raises(ConfigError, match=said) as error:
        Config.load(overrides=words)
    assert "\n" not in str(error.value)


def test_every_transform_is_a_stage():
    assert {"ensemble", "distill"} <= {stage.name for stage in STAGES}


def rows(artifacts):
    report = json.loads((artifacts / "digits" / "report.json").read_text())
    return {row["name"]: row for row in report["variants"]}


@pytest.mark.slow
def test_a_member_that_fails_costs_its_ensemble_and_nothing_else(copied, inside, monkeypatch):
    def diverge(settings, inputs, out):
        if settings.seed == 200:  # of the second
            raise TrainingError("the loss became NaN")
        return learn_nothing(settings, inputs, out)

    monkeypatch.setattr(train, "run", diverge)
    variants = "variants=[float32, int8, ensemble+int8]"
    done = inside("run", *SMALL, variants, artifacts=copied)
    assert done.code == 4, done.err
    assert "Traceback" not in done.err
    said = steps(done)
    assert (said["train(ensemble/2)"], said["train(ensemble/3)"]) == ("failed", "ran")
    assert said["ensemble(ensemble)"] == said["quantize(ensemble+int8)"] == "failed"
    found = rows(copied)
    assert {name: row["status"] for name, row in found.items()} == {
        "float32": "ok",
        "int8": "ok",
        "ensemble+int8": "failed",
    }
    assert found["ensemble+int8"]["reason"] == "the loss became NaN"
    assert "the loss became NaN" in (copied / "digits" / "report.html").read_text()


@pytest.mark.slow
def test_too_few_pictures_to_fit_an_ensemble_on_refuse_the_variant_alone(
    tmp_path, inside, monkeypatch
):
    monkeypatch.setattr(train, "run", learn_nothing)
    few = ["ingest.limit=100", "ingest.validation=0.1", "ensemble.combine=stacking"]
    variants = "variants=[float32, ensemble+int8]"
    done = inside("run", *SMALL, *few, variants, artifacts=tmp_path)
    assert done.code == 2, done.err
    found = rows(tmp_path)
    assert found["float32"]["status"] == "ok"
    assert found["ensemble+int8"]["status"] == "refused"
    assert "fewer than two pictures of a class" in found["ensemble+int8"]["reason"]
