"""Explain says what will rerun and why, and the run that follows does just that."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from pipeline.config import Config
from pipeline.fingerprint import FileMemo
from pipeline.plan import Plan
from pipeline.store import Store
from tests.front_door import SMALL, call, ran, stages_of, steps
from tests.marks import slow_but
from tests.picture_sets import write_folder


def explain(*words, artifacts, **where):
    done = call("explain", *words, artifacts=artifacts, **where)
    assert (done.code, done.err) == (0, ""), done.err
    return {line.split()[0]: line.split(maxsplit=2)[1:] for line in done.out.splitlines()}


def to_run(said):
    return {step: why for step, (what, why) in said.items() if what == "run"}


def waiting(said):
    return {step for step, (what, _) in said.items() if what == "waits"}


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_before_the_first_run_everything_is_new(tmp_path):
    said = explain(*SMALL, artifacts=tmp_path / "a")
    assert said.pop("ingest") == ["run", "has not run before"]
    assert {what for what, _ in said.values()} == {"waits"}
    assert not (tmp_path / "a").exists(), "looking leaves nothing"


def test_what_changed_among_settings_is_named_with_both_values(finished):
    said = explain(*SMALL, "train.epochs=5", "build.width=9", artifacts=finished)
    assert to_run(said) == {"build": "width: 8 -> 9"}
    assert {"train", "evaluate", "prune(prune)", "export", "report"} <= waiting(said)
    said = explain(*SMALL, "train.batch=33", artifacts=finished)
    assert to_run(said) == {"train": "batch: 32 -> 33"}
    assert "prune(prune)" in waiting(said)


def test_another_seed_is_named_and_the_split_stays(finished):
    said = explain(*SMALL, "seed=1", artifacts=finished)
    assert said["ingest"][0] == "cached"
    assert said["augment"] == ["run", "seed: 0 -> 1"]


@pytest.mark.parametrize("words", ["docstring", "comment"])
def test_an_edited_docstring_or_comment_reruns_nothing(words, project, finished):
    path = project / "pipeline" / "stages" / "train.py"
    if words == "docstring":
        edit(path, '    """Write `model.keras`', '    """Writes, beautifully, `model.keras`')
    else:
        path.write_text("# A comment.\n" + path.read_text())
    said = explain(*SMALL, artifacts=finished, project=project)
    assert {what for what, _ in said.values()} == {"cached"}


def test_an_edited_stage_is_named_and_explain_is_right(project, copied):
    edit(
        project / "pipeline" / "stages" / "report.py",
        '    return {"recommended": report.recommended}',
        '    return {"recommended": report.recommended, "rows": len(report.variants)}',
    )
    said = explain(*SMALL, artifacts=copied, project=project)
    assert to_run(said) == {"report": "code: pipeline.stages.report was edited"}
    assert not waiting(said)
    done = call("run", *SMALL, artifacts=copied, project=project)
    assert (done.code, ran(done)) == (0, ["report"])
    assert {what for what, _ in explain(*SMALL, artifacts=copied, project=project).values()} == {
        "cached"
    }


def test_code_shared_by_stages_reruns_those_that_reach_it(project, finished):
    edit(project / "pipeline" / "compress" / "formats.py", "def float16(", "def half(")
    edit(
        project / "pipeline" / "compress" / "formats.py", '"float16": float16,', '"float16": half,'
    )
    said = explain(*SMALL, artifacts=finished, project=project)
    why = "code: pipeline.compress.formats was edited"
    assert set(to_run(said).values()) == {why}
    assert {step.partition("(")[0] for step in to_run(said)} == {"quantize", "export"} - (
        waiting(said)
    )


def test_editing_a_network_that_is_not_used_reruns_nothing(project, finished):
    path = project / "models" / "lenet5.py"
    path.write_text(path.read_text() + "\nEXTRA = 1\n")
    said = explain(*SMALL, artifacts=finished, project=project)
    assert {what for what, _ in said.values()} == {"cached"}


def test_an_edited_operation_reruns_all_that_train_on_it(project, finished):
    """`noise` is named by the policy alone: train has to know of it all the same."""
    policy = "augment.policy=[{noise: {}}]"
    path = project / "pipeline" / "data" / "noise.py"
    code = f"""
import json, sys
sys.path.insert(0, {str(project)!r})
from pipeline import Config
from pipeline.fingerprint import FileMemo
from pipeline.plan import Plan
from pipeline.store import Entry, Store
from pathlib import Path
memo = FileMemo(Path({str(project / "memo")!r}))
plan = Plan(Config.load(overrides=[{policy!r}]), Store(Path("none")), memo)
entry = Entry(Path("none"), {{"files": {{}}, "digest": ""}})
for step in plan.steps:
    entries = {{source: entry for source in step.inputs.values()}}
    if "pipeline.data.noise" in plan.identify(step, entries, {{}}).facts["code"]:
        print(step.id)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert path.exists()
    assert {"augment", "train", "prune(prune)"} <= set(done.stdout.split())
    assert not {"ingest", "build", "evaluate", "export"} & set(done.stdout.split())


def test_a_file_that_does_not_parse_is_named_with_its_line(project, finished):
    (project / "pipeline" / "stages" / "train.py").write_text("x = 1\ndef run(:\n")
    done = call("explain", *SMALL, artifacts=finished, project=project)
    assert (done.code, len(done.errors)) == (2, 1)
    assert re.search(r"stages/train\.py, line 2: ", done.errors[0])


def test_another_version_of_a_package_reruns_everything(finished, monkeypatch):
    from pipeline import Config, plan
    from pipeline.explain import explain as explain_plan
    from pipeline.fingerprint import FileMemo, versions
    from pipeline.store import Store

    monkeypatch.setattr(plan, "versions", lambda: versions() | {"tensorflow": "9.9"})
    made = plan.Plan(
        Config.load(overrides=SMALL), Store(finished / ".cache"), FileMemo(finished / "no")
    )
    first, *others = explain_plan(made)
    assert first == ("ingest", "run", f"tensorflow {versions()['tensorflow']} -> 9.9")
    assert {what for _, what, _ in others} == {"waits"}


@pytest.fixture
def pictures(tmp_path, digits):
    """A source of the user's, and the settings that name it."""
    path = tmp_path / "my pictures.npz"

    def write(count):
        np.savez(path, images=digits[0][:count], labels=digits[1][:count])
        return ("ingest.dataset=arrays", f"ingest.path={path}", "build.width=8")

    return write


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
def test_a_picture_added_to_a_source_is_seen_and_explain_is_right(pictures, tmp_path, inside):
    words, artifacts = pictures(300), tmp_path / "a"
    build = ("--until", "build")
    assert inside("run", *words, *build, artifacts=artifacts).code == 0
    assert to_run(explain(*words, artifacts=artifacts)).keys() == {"train"}
    pictures(301)
    said = explain(*words, artifacts=artifacts)
    assert to_run(said) == {"ingest": "file changed: my pictures.npz"}
    assert ran(inside("run", *words, *build, artifacts=artifacts)) == ["ingest", "augment", "build"]
    pictures(300)
    assert ran(inside("run", *words, *build, artifacts=artifacts)) == []


def test_files_added_and_removed_are_named(tmp_path):
    from pipeline.explain import _outside

    before, now = {"a.png": "1", "b.png": "2"}, {"b.png": "3", "c.png": "4"}
    assert list(_outside(before, now)) == [
        "file removed: a.png",
        "file changed: b.png",
        "file added: c.png",
    ]


@pytest.mark.parametrize("stage", slow_but(["ingest", "train", "quantize"], stages_of(*SMALL)))
def test_an_entry_that_was_harmed_is_to_be_made_again(stage, copied):
    folder = next((copied / ".cache" / stage).iterdir())
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / next(iter(manifest["files"]))).write_bytes(b"?")
    os.utime(folder / "manifest.json")
    said = explain(*SMALL, artifacts=copied)
    assert to_run(said) == {manifest["step"]: "its files are missing or were changed"}


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
def test_a_stray_file_changes_the_report_and_trains_nothing_anew(tmp_path, digits, inside):
    words = [*SMALL, "ingest.dataset=folder", f"ingest.path={tmp_path / 'set'}",
             "ingest.size=8", "ingest.color=gray"]  # fmt: skip
    images, labels = (column[:300] for column in digits)
    write_folder(tmp_path / "set", images, labels)
    done = inside("run", *words, "--until", "build", artifacts=tmp_path / "artifacts")
    assert done.code == 0, done.err
    for name, content in (("notes.txt", b"hello"), ("broken.png", b"hello")):
        (tmp_path / "set" / str(labels[0]) / name).write_bytes(content)
    done = inside("run", *words, "--until", "build", artifacts=tmp_path / "artifacts")
    assert steps(done) == {"ingest": "ran", "augment": "cached", "build": "cached"}


def test_a_network_drawn_another_way_trains_nothing_anew(copied):
    """What build says to people is read by the report alone."""
    for name in ("layers.json", "figures/network.png"):
        (path,) = (copied / ".cache" / "build").glob(f"*/{name}")
        assert path.is_file()
    config = Config.load(overrides=SMALL)
    plan = Plan(config, Store(copied / ".cache"), FileMemo(copied / ".cache" / "digests.db"))
    before = {status.step.id: status for status in plan.survey()}
    files = before["build"].entry.files
    told = {name for name in files if name == "layers.json" or name.startswith("figures/")}
    read = {step: status.identity.facts["inputs"]["build"] for step, status in before.items()
            if "build" in status.identity.facts["inputs"]}  # fmt: skip
    assert set(files) - told == set(read["train"])
    assert set(read["report"]) == set(files)
