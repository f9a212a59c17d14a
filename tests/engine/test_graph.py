import re

import pytest

from pipeline.errors import ConfigError
from pipeline.graph import unfold
from pipeline.settings import Ensemble

VARIANTS = ("float32", "int8", "prune+int8", "prune+float16", "prune.hard+int8")


def test_every_input_of_a_step_comes_before_it():
    seen = set()
    for step in unfold(VARIANTS):
        assert set(step.inputs.values()) <= seen, step
        seen.add(step.id)


def test_variants_with_one_prefix_share_its_step():
    steps = [step.id for step in unfold(VARIANTS)]
    assert len(steps) == len(set(steps))
    assert [step for step in steps if step.startswith("prune")] == [
        "prune(prune)",
        "prune(prune.hard)",
    ]


def test_a_path_reads_the_model_before_it():
    steps = {step.id: step for step in unfold(VARIANTS)}
    assert steps["prune(prune)"].inputs["candidate"] == "train"
    assert steps["quantize(prune+int8)"].inputs["candidate"] == "prune(prune)"
    assert steps["quantize(int8)"].inputs["candidate"] == "train"
    assert steps["quantize(prune.hard+int8)"].ending == "int8"


@pytest.mark.parametrize("start", ["fresh", "candidate"])
@pytest.mark.parametrize(
    ("before", "after"),
    [("prune", "ensemble"), ("prune", "distill"), ("prune", "slim"), ("cluster", "slim")],
)
def test_no_path_tunes_away_what_its_beginning_made(before, after, start):
    path = f"{before}.hard+{after}+int8"
    why = f"'{path}': {after} trains every weight freely, which leaves nothing of {before}; put"
    with pytest.raises(ConfigError, match=re.escape(why)):
        unfold([path], ensembles=lambda preset: Ensemble(start=start))
    unfold([f"{after}+{before}.hard+int8"], ensembles=lambda preset: Ensemble(start=start))


def test_channels_are_taken_out_before_zeros_come_and_not_before_another_network():
    with pytest.raises(ConfigError, match="distill teaches another network, which leaves"):
        unfold(["slim+distill+int8"])
    steps = {step.id: step for step in unfold(["distill+slim+prune+qat", "slim.half+cluster+int8"])}
    assert steps["slim(distill+slim)"].inputs["candidate"] == "distill(distill)"
    assert steps["prune(distill+slim+prune)"].inputs["candidate"] == "slim(distill+slim)"
    assert steps["slim(slim.half)"].preset == "half"
    assert set(steps["slim(slim.half)"].inputs) == {"ingest", "augment", "candidate"}
    with pytest.raises(ConfigError, match="ensemble begins anew, which leaves slim without"):
        unfold(["slim+ensemble+int8"])
    of_narrow = unfold(["slim+ensemble+int8"], ensembles=lambda _: Ensemble(start="candidate"))
    assert "slim(slim)" in {step.inputs.get("build") for step in of_narrow}


def test_a_pupil_of_its_own_is_built_before_anything_is_trained_and_taught_instead_of_builds():
    variants = ["distill+int8", "ensemble+distill.tiny+scratch+int8", "distill.tiny+slim+int8"]
    steps = unfold(variants, 2, pupils=lambda preset: preset == "tiny")
    order = [step.id for step in steps]
    built = [name for name in order if name.startswith("build") and "/" not in name]
    assert built == [
        *("build", "build#2", "build(ensemble+distill.tiny)", "build(distill.tiny)"),
        *("build(ensemble+distill.tiny)#2", "build(distill.tiny)#2"),
    ]
    assert max(map(order.index, built)) < order.index("train")
    by_id = {step.id: step for step in steps}
    assert by_id["distill(distill)#2"].inputs["build"] == "build#2"
    assert by_id["distill(distill.tiny)#2"].inputs["build"] == "build(distill.tiny)#2"
    control = by_id["train(ensemble+distill.tiny+scratch)"]
    assert control.inputs["build"] == "scratch(ensemble+distill.tiny+scratch)"


def test_a_step_knows_where_the_layers_of_what_it_is_given_were_built():
    variants = [
        *("prune+int8", "slim+prune+qat", "ensemble+prune+int8", "ensemble+distill+prune+int8"),
        *("distill.tiny+slim+qat", "ensemble+distill.tiny+int8"),
    ]
    steps = unfold(variants, pupils=lambda preset: preset == "tiny")
    built = {step.id: step.built for step in steps}
    trunk, tiny = {"candidate": "build"}, {"candidate": "build(distill.tiny)"}
    assert built["prune(prune)"] == built["prune(slim+prune)"] == built["qat(slim+prune+qat)"]
    assert built["prune(prune)"] == built["prune(ensemble+distill+prune)"] == trunk
    assert built["prune(ensemble+prune)"] == {}
    assert built["slim(distill.tiny+slim)"] == built["qat(distill.tiny+slim+qat)"] == tiny
    assert built["distill(distill.tiny)"] == trunk | {"build": "build(distill.tiny)"}
    assert built["distill(ensemble+distill)"] == trunk | {"build": "build"}
    taught = built["distill(ensemble+distill.tiny)"]
    assert taught == trunk | {"build": "build(ensemble+distill.tiny)"}


def test_qat_is_an_ending_that_trains_for_its_file():
    steps = {step.id: step for step in unfold(["float32", "prune+qat", "qat.long"])}
    after, long = steps["qat(prune+qat)"], steps["qat(qat.long)"]
    roles = {"ingest": "ingest", "augment": "augment"}
    assert after.inputs == roles | {"candidate": "prune(prune)"}
    assert long.inputs == roles | {"candidate": "train"}
    assert (after.preset, long.preset) == (None, "long")
    assert after.is_file
    assert long.is_file
    assert steps["export"].inputs["qat.long"] == long.id
    assert "quantize(prune+qat)" not in steps


def test_qat_is_no_transform():
    with pytest.raises(ConfigError, match="unknown transform 'qat'"):
        unfold(["qat+int8"])


def test_export_reads_every_file_and_report_everything():
    steps = {step.id: step for step in unfold(VARIANTS)}
    assert set(steps["export"].inputs) == {"ingest", "train", *VARIANTS}
    assert set(steps["report"].inputs) == set(steps) - {"report"}


@pytest.mark.parametrize(("replicas", "by"), [(3, "seed"), (3, "fold")])
def test_every_input_of_a_step_comes_before_it_in_replicas_too(replicas, by):
    seen = set()
    for step in unfold(VARIANTS, replicas, by):
        assert set(step.inputs.values()) <= seen, step
        assert step.id not in seen
        seen.add(step.id)


def test_one_replica_is_the_run_as_it_is():
    assert unfold(VARIANTS, 1, "fold") == unfold(VARIANTS)


def test_seeds_share_the_pictures_and_have_what_is_trained_to_themselves():
    steps = [step.id for step in unfold(("float32", "prune+int8"), 2)]
    for shared in ("ingest", "augment", "evaluate", "export", "report"):
        assert [step for step in steps if step.startswith(shared)] == [shared]
    assert {step for step in steps if step.endswith("#2")} == {
        "build#2",
        "train#2",
        "prune(prune)#2",
        "quantize(float32)#2",
        "quantize(prune+int8)#2",
        "benchmark#2",
    }


def test_a_replica_reads_its_own_models_and_measures_files_where_they_were_made():
    steps = {step.id: step for step in unfold(("float32", "prune+int8"), 2)}
    assert steps["train#2"].inputs == {"ingest": "ingest", "augment": "augment", "build": "build#2"}
    assert steps["prune(prune)#2"].inputs["candidate"] == "train#2"
    assert steps["quantize(prune+int8)#2"].inputs["candidate"] == "prune(prune)#2"
    assert steps["benchmark#2"].inputs == {
        "ingest": "ingest",
        "float32": "quantize(float32)#2",
        "prune+int8": "quantize(prune+int8)#2",
    }
    assert set(steps["report"].inputs) == set(steps) - {"report"}
    assert set(steps["export"].inputs.values()) == {
        "ingest",
        "train",
        "quantize(float32)",
        "quantize(prune+int8)",
    }


def test_each_fold_has_pictures_of_its_own():
    steps = {step.id: step for step in unfold(("float32",), 3, "fold")}
    assert {"ingest", "ingest#2", "ingest#3"} <= set(steps)
    for step in ("build#3", "train#3", "quantize(float32)#3", "benchmark#3"):
        assert steps[step].inputs["ingest"] == "ingest#3"
    assert steps["evaluate"].inputs["ingest"] == "ingest"


def test_a_replica_can_do_without_any_file_but_the_reference():
    steps = {step.id: step for step in unfold(("float32", "int8"), 2)}
    assert steps["benchmark#2"].spared == {"quantize(int8)#2"}
    assert steps["export"].spared == {"quantize(int8)"}
    assert steps["train#2"].spared == set()


def test_stages_come_one_after_the_other_for_all_replicas():
    """So `--until train` trains each of them, and quantizes none."""
    stages = [step.stage for step in unfold(VARIANTS, 3)]
    last = {stage: place for place, stage in enumerate(stages)}
    assert "quantize" not in stages[: last["train"]]
    assert "quantize" not in stages[: last["prune"]]
    assert "report" not in stages[: last["benchmark"]]
