"""The front door: arguments to a Config, a run, a table. Imports no TensorFlow.

python run_pipeline.py                                        handwritten digits, every stage
python run_pipeline.py run configs/fashion_mnist.yaml train.epochs=30 --until evaluate
python run_pipeline.py init ~/photos                          a recipe for pictures of your own
"""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from pipeline.errors import (
    ConfigError,
    ConversionError,
    GateError,
    Interrupted,
    PipelineError,
    ResourceError,
    harmless,
)

LONGEST = 1000  # characters of an error line
INTERRUPTED = 130  # what Typer makes of Ctrl-C
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[RECIPE] [section.key=value ...]", help="default: handwritten digits"),
]
Artifacts = Annotated[Path, typer.Option(metavar="DIR", help="where results and the cache live")]


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """From a set of pictures to a measured model on a phone. Without a command: run the digits."""
    if context.invoked_subcommand is None:
        run()


@app.command()
def run(
    words: Words = None,
    until: Annotated[str | None, typer.Option(metavar="STAGE", help="stop after it")] = None,
    force: Annotated[list[str] | None, typer.Option(metavar="STAGE", help="run it anew")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="re-read every cached byte")] = False,
    artifacts: Artifacts = Path("artifacts"),
) -> None:
    """Run a recipe: train, shrink, measure, report. What is done already is not done again."""
    from pipeline import console
    from pipeline.engine import run as run_config

    outcome = run_config(
        _config(words),
        artifacts=artifacts,
        until=until,
        force=force or (),
        verify=verify,
        quiet=True,
    )
    console.show_outcome(outcome)
    statuses = {problem["status"] for problem in outcome.problems.values()}
    if statuses:
        failed = "failed" in statuses
        raise typer.Exit(ConversionError.exit_code if failed else ConfigError.exit_code)
    if unkept := console.unkept(outcome):
        raise GateError(f"gates: {'; '.join(unkept)}")


@app.command()
def search(words: Words = None, artifacts: Artifacts = Path("artifacts")) -> None:
    """Look through the recipe's space for the most accurate network whose int8 file fits.

    A search that was stopped goes on. `run` takes the recipe it writes.
    """
    from pipeline import console
    from pipeline.search.phase import search as look_through

    found = look_through(_config(words), artifacts=artifacts, quiet=True)
    if found is not None:  # as of a worker, whose chief tells
        console.show_search(found)


@app.command()
def explain(words: Words = None, artifacts: Artifacts = Path("artifacts")) -> None:
    """Say of each stage: cached or to be run, and which setting, file or code changed."""
    from pipeline import console
    from pipeline.explain import explain as explain_plan
    from pipeline.fingerprint import FileMemo
    from pipeline.plan import Plan
    from pipeline.store import Store

    store = Store(artifacts / ".cache")
    plan = Plan(_config(words), store, FileMemo(store.root / "digests.db"))
    console.show_explanation(explain_plan(plan))


@app.command()
def show(
    what: Annotated[
        str, typer.Argument(metavar="models|layers|datasets|augmentations|settings|config|runs")
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECIPE|NAME] [section.key=value ...]", help="of models: which"),
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="HxWxC", help="of models: pictures")] = None,
    classes: Annotated[int | None, typer.Option(metavar="N", help="of models")] = None,
    artifacts: Artifacts = Path("artifacts"),
) -> None:
    """List what there is to choose from, the settings a recipe comes to, or past runs.

    `show models NAME` tells all of one network; `--size 224x224x3 --classes 1000` counts anew.
    """
    from pipeline import console

    if what == "models":
        from pipeline.show_models import show_models

        return show_models(words or (), size, classes, console.console)
    if size or classes is not None:
        raise ConfigError(f"--size and --classes are for `show models`, not `show {what}`")
    return console.show(what, lambda: _config(words), artifacts)


@app.command()
def init(
    pictures: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="or a .csv or .npz; nothing is written there")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="default: NAME.yaml here")
    ] = None,
    name: Annotated[str | None, typer.Option(help="default: as the folder is called")] = None,
) -> None:
    """Look at pictures and write a recipe for them, with its reasons as comments."""
    from pipeline import console
    from pipeline.draft import init as draft

    console.show_draft(draft(pictures, out, name))


@app.command()
def clean(
    keep: Annotated[int, typer.Option(min=0, help="results of each step to keep, last used first")],
    artifacts: Artifacts = Path("artifacts"),
) -> None:
    """Remove cached results that were not used lately; published ones stay."""
    from pipeline.guard import locked
    from pipeline.store import Store

    with locked(artifacts):
        store = Store(artifacts / ".cache")
        store.sweep()
        removed, size = store.clean(keep)
    typer.echo(f"{removed} cached results removed, {size / 1e6:.1f} MB")


@app.command()
def benchmark(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE.tflite ...", exists=True, dir_okay=False)
    ],
    threads: Annotated[int, typer.Option(min=1)] = 1,
    adb: Annotated[bool, typer.Option("--adb", help="on the Android phone plugged in")] = False,
    serial: Annotated[str | None, typer.Option(help="of --adb: which phone")] = None,
    benchmark_model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="of --adb: what times there"
        ),
    ] = None,
) -> None:
    """Measure .tflite files, whoever made them: bytes, operations, latency. LiteRT only.

    With --adb they are timed on an Android phone, by its build of LiteRT's `benchmark_model`.
    """
    from pipeline import console
    from pipeline.measure import phone, side_by_side
    from pipeline.progress import native_noise_to

    if not adb and (serial or benchmark_model):
        raise ConfigError("--serial and --benchmark-model are for `benchmark --adb`")
    if adb:
        with native_noise_to(Path(os.devnull)):
            found = phone.measure(files, threads, serial, benchmark_model)
        return console.show_phone(found)
    with native_noise_to(Path(os.devnull)):
        rows = side_by_side.measure(files, threads)
    return console.show_measurements(rows)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="RUN", help="id, name, or a report.json")],
    second: Annotated[str, typer.Argument(metavar="RUN")],
    artifacts: Artifacts = Path("artifacts"),
) -> None:
    """Put two runs side by side: each variant, and which settings differ."""
    from pipeline import console
    from pipeline.publish import find_run

    console.show_comparison(*(find_run(artifacts, said) for said in (first, second)))


@app.command()
def audit(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE.tflite ...", exists=True, dir_okay=False)
    ],
    form: Annotated[
        str | None,
        typer.Option("--as", metavar="FORM", help="what they are to be; default: by their names"),
    ] = None,
) -> None:
    """Look into .tflite files, whoever made them: are they really int8? Exit 7 if they are not."""
    from pipeline import console
    from pipeline.measure.audit import FORMS, claimed, problems
    from pipeline.measure.audit import audit as look_into
    from pipeline.progress import native_noise_to

    if form is not None and form not in FORMS:
        raise ConfigError(f"--as {form}: one of {', '.join(FORMS)}")
    wrong = 0
    for path in files:
        with native_noise_to(Path(os.devnull)):
            found = look_into(path)
        said = list(problems(found, form or claimed(path.name)))
        console.show_audit(found, said)
        wrong += bool(said)
    if wrong:
        raise GateError(f"{wrong} of {len(files)} files are not what they are said to be")


def _config(words: list[str] | None) -> Any:
    from pipeline.config import DEFAULT_RECIPE, Config

    words = words or []
    has_recipe = bool(words) and ("=" not in words[0] or Path(words[0]).is_file())
    recipe, overrides = (words[0], words[1:]) if has_recipe else (DEFAULT_RECIPE, words)
    return Config.load(recipe, overrides)


def main() -> int:
    """Run the command line; an error is one line on standard error and an exit code."""
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal without these letters gets others
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = app(standalone_mode=False)
    except PipelineError as error:
        return _fail(f"error: {error}", error.exit_code)
    except TyperException as error:
        return _fail(f"error: {error.format_message()}", ConfigError.exit_code)
    except OSError as error:
        return _fail(f"error: {error}", ResourceError.exit_code)
    except Interrupted:
        return _fail("terminated; finished stages are kept, run again to go on", 143)
    if code == INTERRUPTED:
        return _fail("interrupted; finished stages are kept, run again to go on", code)
    return code if isinstance(code, int) else 0


def _fail(line: str, code: int) -> int:
    line = harmless(" ".join(line.split()))
    print(line if len(line) <= LONGEST else f"{line[:LONGEST]}...", file=sys.stderr)  # noqa: T201  # this is the program's output
    return code


if __name__ == "__main__":
    sys.exit(main())
