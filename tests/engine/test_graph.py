from pipeline.graph import unfold

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


def test_export_reads_every_file_and_report_everything():
    steps = {step.id: step for step in unfold(VARIANTS)}
    assert set(steps["export"].inputs) == {"ingest", "train", *VARIANTS}
    assert set(steps["report"].inputs) == set(steps) - {"report"}
