"""The front door as a user meets it: what it prints, how it fails, what it leaves alone."""

import gzip
import json
import os
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
import yaml

from pipeline.config import Config
from tests.front_door import ROOT, SMALL, call, picture_of, ran, steps

HEAVY = ("tensorflow", "keras", "tf_keras", "tensorflow_model_optimization")
WITHOUT_USE_TIMES = (".history/digits/run.log", ".lock")


def loaded_after(*arguments, artifacts):
    """Which heavy packages are loaded once the front door is done."""
    code = f"""
import sys
import run_pipeline
sys.argv[1:] = {[*map(str, arguments), "--artifacts", str(artifacts)]!r}
code = run_pipeline.main()
print("loaded", code, sorted(set(sys.modules) & {set(HEAVY)!r}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("run", *SMALL), 0),
        (("explain", *SMALL), 0),
        (("explain", "train.epochs=9"), 0),
        (("run", "train.epohcs=3"), 2),
        (("show", "config"), 0),
        (("show", "runs"), 0),
    ],
)
def test_nothing_that_trains_nothing_loads_tensorflow(finished, command, code):
    assert loaded_after(*command, artifacts=finished) == f"loaded {code} []"


def test_a_second_run_does_no_work(copied):
    before = picture_of(copied)
    done = call("run", *SMALL, artifacts=copied)
    assert done.code == 0
    assert set(steps(done).values()) == {"cached"}
    after = picture_of(copied)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed <= set(WITHOUT_USE_TIMES)
    assert len(list((copied / ".history" / "digits").glob("*.json"))) == 1


def test_in_a_pipe_output_is_plain_lines_and_the_table_is_on_stdout(finished):
    done = call("run", *SMALL, artifacts=finished)
    assert "\x1b" not in done.out + done.err
    for variant in ("float32", "float16", "dynamic", "int8", "prune+int8"):
        assert sum(f" {variant} " in line for line in done.out.splitlines()) == 1
    assert done.out.splitlines()[-1] == f"{finished}/digits/report.html"
    assert "accuracy" not in done.err


def test_the_log_says_which_keys_ran(finished):
    log = (finished / "digits" / "run.log").read_text()
    for stage in ("ingest", "train"):
        (entry,) = (finished / ".cache" / stage).iterdir()
        assert f"{stage}: running as {entry.name[:12]}" in log


def test_a_screen_without_our_letters_gets_others(finished):
    done = call("run", *SMALL, artifacts=finished, env={"PYTHONIOENCODING": "ascii"})
    assert (done.code, done.err.isascii(), done.out.isascii()) == (0, True, True)


def test_a_reader_that_goes_away_is_no_traceback():
    command = f"{sys.executable} run_pipeline.py show settings | head -1"
    done = subprocess.run(
        command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("# Settings\n", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "train.epohcs=3"], "train.epohcs: unknown setting: did you mean 'epochs'?"),
        (["run", "train.epochs=many"], "train.epochs: input should be a valid integer"),
        (["run", "absent.yaml"], "absent.yaml: no such recipe"),
        (["run", "{broken}"], "broken.yaml, line 2, column 1: "),
        (["run", "{list}"], "a recipe is `section:` lines, not a list"),
        (["run", "{odd}"], "1: keys should be strings, not 1"),
        (["run", "{policy}"], "augment.policy.0: input should be a valid"),
        (["run", "--until", "evalute"], "unknown stage 'evalute': did you mean 'evaluate'?"),
        (["run", "--force", "trian"], "unknown stage 'trian': did you mean 'train'?"),
        (["run", "variants=[int8]", "--until", "prune"], "no variant of this run has 'prune'"),
        (["run", "variants=[int8]", "--force", "prune"], "no variant of this run has 'prune'"),
        (["rnu"], "No such command 'rnu'"),
        (["run", "--frobnicate"], "No such option: --frobnicate"),
        (["show", "modles"], "did you mean 'models'?"),
        (["clean"], "Missing option '--keep'"),
        (["benchmark", "absent.tflite"], "'absent.tflite' does not exist"),
        (["audit", "absent.tflite"], "'absent.tflite' does not exist"),
        (["audit", "{broken}", "--as", "int4"], "--as int4: one of int8, int16x8, float32"),
        (["explain", "ingest.dataset=arrays"], "arrays needs the path of an .npz file"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_2(arguments, says, tmp_path):
    for name, text in {
        "broken": "train: {epochs: 3\n",
        "list": "- train\n",
        "odd": "1: 2\n",
        "policy": "augment: {policy: [3]}\n",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
        arguments = [
            word.replace(f"{{{name}}}", str(tmp_path / f"{name}.yaml")) for word in arguments
        ]
    done = call(*arguments, *(["--artifacts", tmp_path / "a"] if arguments[0] == "run" else []))
    assert (done.code, done.out, len(done.errors)) == (2, "", 1), done.err
    assert done.errors[0].startswith("error: ")
    assert says in done.errors[0]
    assert not (tmp_path / "a").exists()


@pytest.fixture
def bad(tmp_path):
    """Data sets each broken in its own way: the words that name each, and the file at fault."""
    pictures = np.zeros((20, 8, 8), np.uint8)
    labels = np.arange(20) % 2
    good = tmp_path / "good.npz"
    np.savez(good, images=pictures, labels=labels)
    (tmp_path / "cut.npz").write_bytes(good.read_bytes()[:-400])
    np.savez(tmp_path / "objects.npz", images=np.array([None] * 20), labels=labels)
    np.savez(tmp_path / "one.npz", images=pictures, labels=0 * labels)
    idx = tmp_path / "idx"
    idx.mkdir()
    for part in ("train", "t10k"):
        body = struct.pack(">4I", 0x0D03, 20, 8, 8) + pictures.tobytes()
        (idx / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(body))
        body = struct.pack(">2I", 0x0801, 20) + labels.astype(np.uint8).tobytes()
        (idx / f"{part}-labels-idx1-ubyte").write_bytes(body)
    return {
        "folder": ("idx", tmp_path / "absent", "absent: no such folder"),
        "magic": ("idx", idx, "train-images-idx3-ubyte.gz: magic number 0x00000d03"),
        "cut": ("arrays", tmp_path / "cut.npz", "cut.npz: it cannot be read"),
        "objects": ("arrays", tmp_path / "objects.npz", "objects.npz: images holds Python objects"),
        "one": ("arrays", tmp_path / "one.npz", "one: one class only"),
        "unreadable": ("arrays", "/proc/self/mem", "/proc/self/mem: it cannot be read"),
    }


@pytest.mark.parametrize("harm", ["folder", "magic", "cut", "objects", "one", "unreadable"])
def test_bad_pictures_are_one_line_that_names_the_file_and_exit_3(harm, bad, inside, copied):
    dataset, path, says = bad[harm]
    before = picture_of(copied / "digits")
    words = (f"ingest.dataset={dataset}", f"ingest.path={path}", "name=digits")
    done = inside("run", *words, artifacts=copied)
    assert (done.code, done.out, len(done.errors)) == (3, "", 1), done.err
    assert says in done.errors[0]
    assert picture_of(copied / "digits") == before
    assert "Traceback" in (copied / ".history" / "digits" / "run.log").read_text()


def test_a_gate_that_fails_is_exit_7_and_stands_in_the_report(inside, copied):
    words = ("gates.int8.bytes=<= 10", "gates.int8.drop_pp=<= 100")
    done = inside("run", *SMALL, *words, artifacts=copied)
    assert done.code == 7
    assert ran(done) == ["report"]
    assert done.errors[-1].startswith("error: gates: int8.bytes: ")
    assert "asked <= 10" in done.errors[-1]
    assert "drop_pp" not in done.errors[-1]
    assert done.out.splitlines()[-2].endswith(" gates kept")
    report = json.loads((copied / "digits" / "report.json").read_text())
    gates = {gate["name"]: gate["passed"] for gate in report["gates"]}
    files = {"int8.form": True, "prune+int8.form": True}
    assert gates == files | {"int8.bytes": False, "int8.drop_pp": True}
    assert inside("run", *SMALL, *words, artifacts=copied).code == 7, "also when all is cached"


def test_training_that_diverges_is_exit_4_and_earlier_results_stay(inside, copied):
    before = picture_of(copied / "digits")
    done = inside("run", *SMALL, "train.learning_rate=1e30", artifacts=copied)
    assert done.code == 4
    assert done.errors[-1].startswith("error: the loss is ")
    assert set(ran(done)) == set()
    assert "Traceback" not in done.err
    assert picture_of(copied / "digits") == before
    assert "TrainingError" in (copied / ".history" / "digits" / "run.log").read_text()


def test_pruning_too_short_is_refused_before_training(inside, copied):
    words = ("prune.epochs=1", "prune.warmup_epochs=0", "prune.batch=4000", "train.epochs=5")
    done = inside("run", *SMALL, *words, artifacts=copied)
    assert done.code == 2
    assert "needs at least 16 training steps and this run has 1" in done.errors[-1]
    assert steps(done) == {"ingest": "cached"}


def test_results_are_never_put_over_what_no_run_made(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.png").write_bytes(b"cat")
    done = call("run", *SMALL, "name=photos", artifacts=tmp_path)
    assert (done.code, len(done.errors)) == (2, 1)
    assert "is there already and is no run's result" in done.errors[0]
    assert picture_of(tmp_path) == {"photos/cat.png": b"cat"}


def test_artifacts_that_are_a_file_are_exit_5(tmp_path):
    (tmp_path / "file").write_text("x")
    for command in (("run",), ("clean", "--keep", "1")):
        done = call(*command, artifacts=tmp_path / "file")
        assert (done.code, len(done.errors)) == (5, 1)
        assert str(tmp_path / "file") in done.errors[0]


def test_a_changed_byte_with_its_time_kept_is_found_by_verify(copied):
    path = next((copied / ".cache" / "train").glob("*/model.keras"))
    stat = path.stat()
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    before = picture_of(copied / "digits")
    done = call("run", *SMALL, "--verify", artifacts=copied)
    assert done.code == 6
    assert f"{path}: not as it was written; remove " in done.errors[-1]
    assert picture_of(copied / "digits") == before
    shutil.rmtree(path.parent)
    assert call("explain", *SMALL, artifacts=copied).out.splitlines()[3].split()[:2] == [
        "train",
        "run",
    ]


def test_a_recipe_spelled_out_comes_to_the_same_run(tmp_path, finished):
    plain = call("show", "config", *SMALL, "prune.presets={hard: {sparsity: 0.9}}")
    recipe = tmp_path / "digits.yaml"
    recipe.write_text(plain.out)
    again = call("show", "config", recipe)
    assert again.out == plain.out
    first = Config.load(overrides=[*SMALL, "prune.presets={hard: {sparsity: 0.9}}"])
    assert Config.load(recipe).resolve() == first.resolve()


def test_the_recipe_a_report_gives_repeats_the_run(report, finished, tmp_path):
    recipe = tmp_path / "digits.yaml"
    recipe.write_text(yaml.safe_dump(report["config"]))
    done = call("explain", recipe, artifacts=finished)
    assert {line.split()[1] for line in done.out.splitlines()} == {"cached"}


def test_the_lists_name_every_row(finished):
    from models import MODELS
    from pipeline.data import AUGMENTATIONS, DATASETS

    for what, names in (
        ("models", MODELS),
        ("datasets", DATASETS),
        ("augmentations", AUGMENTATIONS),
    ):
        lines = call("show", what).out.splitlines()
        assert set(names) <= {line.split()[0] for line in lines}


def test_runs_lists_what_was_published(finished, report):
    head, line = call("show", "runs", artifacts=finished).out.splitlines()
    assert head.split() == [
        *("name", "id", "ships", "accuracy", "size", "latency", "pictures", "created")
    ]
    assert line.split()[:3] == ["digits", report["id"], report["recommended"]]
    assert line.split()[-2:] == [report["dataset"]["digest"][:8], report["created"]]


def test_a_damaged_report_hides_no_run_and_a_folder_without_runs_says_so(copied, report, tmp_path):
    (copied / ".history" / "digits" / "20260101T000000-aaaaaa.json").write_text("{")
    (copied / ".history" / "digits" / "20260102T000000-bbbbbb.json").write_text("{}")
    done = call("show", "runs", artifacts=copied)
    assert (done.code, done.err) == (0, "")
    _, run, *problems = done.out.splitlines()
    assert report["id"] in run
    assert ["cannot be read" in problems[0], "is no report" in problems[1]] == [True, True]
    assert call("compare", "digits", report["id"][:9], artifacts=copied).code == 0
    assert call("show", "runs", artifacts=tmp_path / "none").out.startswith("no runs in ")


def test_a_name_stands_for_its_latest_run_where_nothing_is_published_under_it(copied, report):
    shutil.rmtree(copied / "digits")
    done = call("compare", "digits", report["id"], artifacts=copied)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == f"first   digits {report['id']}"


def test_a_recipe_needs_no_name_and_its_path_may_hold_anything(tmp_path, finished):
    folder = tmp_path / "my recipes, 猫"
    folder.mkdir()
    shutil.copy(ROOT / "configs" / "digits.yaml", folder / "my digits.yaml")
    done = call("show", "config", folder / "my digits.yaml")
    assert yaml.safe_load(done.out)["name"] == "my-digits"
    done = call("explain", folder / "my digits.yaml", *SMALL, artifacts=finished)
    said = {line.split()[0]: line.split()[1] for line in done.out.splitlines()}
    assert said.pop("report") == "run", done.out
    assert set(said.values()) == {"cached"}


def test_an_empty_section_says_nothing(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("train:\n  # epochs: 3\nprune:\n")
    settings = yaml.safe_load(call("show", "config", recipe, "train.batch=7").out)
    assert (
        settings["train"] | {"batch": 64}
        == yaml.safe_load(call("show", "config", recipe).out)["train"]
    )
    assert settings["train"]["batch"] == settings["prune"]["batch"] == 7


def test_relative_artifacts_are_those_of_the_working_directory(copied):
    done = call("run", *SMALL, artifacts=copied.name, cwd=copied.parent)
    assert done.code == 0
    assert set(steps(done).values()) == {"cached"}
    assert done.out.splitlines()[-1] == "artifacts/digits/report.html"


def test_home_is_understood_in_the_path_of_a_source(tmp_path, bad):
    words = ("ingest.dataset=arrays", "ingest.path=~/good.npz")
    done = call("explain", *words, artifacts=tmp_path / "a", env={"HOME": str(tmp_path)})
    assert done.code == 0, done.err
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
def test_the_last_line_of_a_failed_run_is_its_error_in_the_log_too(copied, inside):
    done = inside("run", *SMALL, "train.learning_rate=1e30", artifacts=copied)
    log = (copied / ".history" / "digits" / "run.log").read_text()
    assert done.errors[-1].removeprefix("error: ") in log


def test_help_names_every_command():
    done = call("--help")
    assert done.code == 0
    for command in (
        "run",
        "search",
        "explain",
        "show",
        "init",
        "clean",
        "benchmark",
        "audit",
        "compare",
    ):
        assert f"\n  {command} " in done.out
    assert "Config" not in done.out, "words of the code, not of the user"


def test_benchmark_measures_files_side_by_side(finished):
    files = [finished / "digits" / "tflite" / f"{name}.tflite" for name in ("float32", "int8")]
    done = call("benchmark", *files)
    assert (done.code, done.err) == (0, "")
    assert " 9/0/0 " in done.out
    assert " 0/9/0 " in done.out
    assert "1.00x" in done.out


def test_audit_looks_into_files_and_catches_one_that_is_misnamed(finished, tmp_path):
    files = finished / "digits" / "tflite"
    done = call("audit", *(files / f"{name}.tflite" for name in ("float32", "int8", "dynamic")))
    assert (done.code, done.err) == (0, "")
    assert "int8.tflite: int8\n" in done.out
    assert "takes " in done.out
    assert "uint8 1×8×8×1, 1 × (n - 0)" in done.out
    assert "FULLY_CONNECTED  int8" in done.out
    (tmp_path / "int8.tflite").write_bytes((files / "float32.tflite").read_bytes())
    done = call("audit", tmp_path / "int8.tflite")
    assert done.code == 7
    assert "✗ said to be int8, and 9 of 9 operations are not: in float32: " in done.out
    assert done.errors == ["error: 1 of 1 files are not what they are said to be"]
    assert call("audit", tmp_path / "int8.tflite", "--as", "float32").code == 0
    (tmp_path / "int8.tflite").write_bytes(b"TFL3" * 4)
    assert call("audit", tmp_path / "int8.tflite").code == 6


def test_compare_puts_two_runs_side_by_side(inside, copied):
    inside("run", *SMALL, "report.max_drop_pp=3", artifacts=copied)
    ids = [path.stem for path in (copied / ".history" / "digits").glob("*.json")]
    first, second = sorted(ids)
    done = call("compare", first, "digits", artifacts=copied)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[:2] == [f"first   digits {first}", f"second  digits {second}"]
    assert "report.max_drop_pp  1.0    3.0" in done.out
    same = call("compare", second, copied / "digits" / "report.json", artifacts=copied)
    assert same.out.splitlines()[-1] == ("same settings, pictures, versions, code and machine")


@pytest.mark.parametrize(
    ("run", "code", "says"),
    [
        ("digts", 2, "digts: no run in "),
        ("2", 2, "2: 2 runs begin so: "),
        ("{broken}", 6, "cannot be read"),
        ("{odd}", 6, "no report of this version: "),
    ],
)
def test_what_is_no_run_is_named(run, code, says, inside, copied, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "odd.json").write_text("{}")
    inside("run", *SMALL, "report.max_drop_pp=3", artifacts=copied)
    word = run.format(broken=tmp_path / "broken.json", odd=tmp_path / "odd.json")
    done = call("compare", word, "digits", artifacts=copied)
    assert (done.code, len(done.errors)) == (code, 1), done.err
    assert says in done.errors[0]
