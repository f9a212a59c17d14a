"""The doors of the house: who may import whom (docs: the plan in CONTRIBUTING.md)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.compress.formats import FORMATS
from pipeline.graph import ENDINGS, STAGES, TRANSFORMS
from pipeline.settings import SECTIONS

ROOT = Path(__file__).parent.parent
ENGINE = sorted(f"pipeline.{path.stem}" for path in (ROOT / "pipeline").glob("[a-z]*.py"))
LEAVES = {"errors", "lazy", "settings", "choices", "progress", "stop"}
ROOMS = ("stages", "data", "fit", "compress", "measure", "show", "models")
DOORS = {
    "stages": {"data", "fit", "compress", "measure", "show", "models"} | LEAVES,
    "compress": {"compress", "fit", "data"} | LEAVES,
    "fit": {"fit", "data"} | LEAVES,
    "data": {"data"} | LEAVES,
    "measure": {"measure", "errors"},
    "show": {"show", "errors"},
    "models": {"models", "errors", "lazy"},
}
HEAVY = ("tensorflow", "keras", "tf_keras", "tensorflow_model_optimization")


def sources(room):
    folder = ROOT / ("models" if room == "models" else f"pipeline/{room}")
    return sorted(folder.rglob("*.py"))


def imports(path):
    """Modules a file imports, wherever the import stands, with the names taken from them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module):
    """The room or engine file a module of the project belongs to; None for others."""
    first, *rest = module.split(".")
    if first == "models":
        return "models"
    return rest[0] if first == "pipeline" and rest else None


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_opens_only_its_doors(room):
    for path in sources(room):
        used = {room_of(module) for module in imports(path)} - {None}
        assert used <= DOORS[room], f"{path} reaches {used - DOORS[room]}"


def test_what_searches_is_of_the_engine_and_no_room_knows_of_it():
    for room in ROOMS:
        for path in sources(room):
            assert "search" not in {room_of(module) for module in imports(path)}, path
    tuners = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("pipeline/**/*.py")
        if any(module.partition(".")[0] == "keras_tuner" for module in imports(path))
    }
    assert tuners == {f"pipeline/search/{name}.py" for name in ("kept", "oracles", "wire")}


def test_only_evaluate_and_benchmark_open_the_test_split():
    users = {
        path.relative_to(ROOT).as_posix()
        for path in [*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("models/*.py")]
        if any(module.endswith(".test_split") for module in imports(path))
    }
    assert users == {"pipeline/stages/evaluate.py", "pipeline/stages/benchmark.py"}


def test_tf_keras_and_tfmot_are_imported_behind_one_door():
    for path in [
        *ROOT.glob("pipeline/**/*.py"),
        *ROOT.glob("models/*.py"),
        ROOT / "run_pipeline.py",
    ]:
        if "pipeline/compress/legacy" not in path.as_posix():
            tops = {module.partition(".")[0] for module in imports(path)}
            assert not tops & {"tf_keras", "tensorflow_model_optimization"}, path


@pytest.mark.parametrize("room", ["measure", "show"])
def test_measuring_and_showing_need_no_tensorflow(room):
    for path in sources(room):
        assert not {module.partition(".")[0] for module in imports(path)} & set(HEAVY), path


def test_front_door_and_engine_load_no_heavy_package():
    packages = ["models", "pipeline.settings", "pipeline.data", "pipeline.fit"]
    packages += ["pipeline.search.phase", "pipeline.search.pictures"]
    modules = ", ".join(["run_pipeline", *ENGINE, *packages])
    code = f"import {modules}, sys; print(sorted(set(sys.modules) & {set(HEAVY)}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_stage_has_one_name_in_every_place():
    names = [stage.name for stage in STAGES]
    files = {path.stem for path in sources("stages")} - {"__init__"}
    assert files == set(names) == set(SECTIONS)
    assert set(TRANSFORMS) <= set(names)
    assert set(ENDINGS) == {*FORMATS, "qat"}


def test_every_stage_has_a_run_of_one_shape():
    for path in sources("stages"):
        functions = {
            n.name: n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)
        }
        if path.stem != "__init__":
            assert [a.arg for a in functions["run"].args.args] == ["settings", "inputs", "out"], (
                path
            )
