"""The phase before the graph: look through a space for the most accurate network that fits."""

import json
import shlex
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import publish
from pipeline.config import Config
from pipeline.errors import ConfigError, ConversionError, TrainingError
from pipeline.fingerprint import FileMemo, digest_lines
from pipeline.guard import locked, logged, terminable
from pipeline.plan import Plan
from pipeline.progress import native_noise_to, say
from pipeline.search import roles, space
from pipeline.search.bench import Bench
from pipeline.search.pictures import draw
from pipeline.search.story import Story, shortfall
from pipeline.search.trials import (
    Trial,
    best,
    front,
    read,
    sweep,
    write,
    write_recipe,
    write_table,
)
from pipeline.settings import Search
from pipeline.settings.searching import Objective
from pipeline.stop import Stop
from pipeline.store import Store

FREE = {
    "trials",
    "refusals",
    "failures",
    "workers",
}  # what may be said anew of a search that goes on
SECTIONS = ("ingest", "augment", "build", "train", "quantize")  # what a candidate hangs on
RECIPE = "best.yaml"
STYLES = {"trained": None, "refused": "dim", "failed": "red"}
SECONDS = 0.5  # between two looks for a chief
ALONE = "tuner0"  # what KerasTuner calls a process that has no other


@dataclass(frozen=True)
class Found:
    """What a search came to: its folder, the best trial, those that no other beats, and all."""

    folder: Path
    objective: Objective
    best: Trial
    front: list[Trial]
    trials: list[Trial]

    @property
    def recipe(self) -> Path:
        """The recipe of the best, which `run` takes."""
        return self.folder / RECIPE


def search(
    config: Config, *, artifacts: Path | str = "artifacts", quiet: bool = False
) -> Found | None:
    """Look through `config.search.space`, or go on with it; leave `<artifacts>/<name>/search/`.

    There: `best.yaml`, a recipe that `run` takes; `trials.csv`; `front.png` and `settings.png`;
    `trials/`, one file each; `oracle.json`, what KerasTuner knows; `search.log`. A worker of a
    search that another process leads returns None.

    Raises:
        ConfigError: a range is empty or of no setting, or the folder is of another search.
        ConversionError: no candidate is within the limits.
        TrainingError: every candidate failed.
    """
    space.check(config)
    root, name = Path(artifacts), roles.worker()
    folder = root / config.name / publish.SEARCH
    log_file = folder / f"{name or publish.SEARCH}.log"
    store = Store(root / ".cache")
    with ExitStack() as stack:
        stop = stack.enter_context(terminable())
        if name is None:
            publish.require_ours(root, config.name)
            stack.enter_context(locked(root))
        else:
            _wait_for(folder / publish.SPACE, stop)
        _claim(folder, config, store)
        stack.enter_context(logged(log_file))
        if quiet:
            stack.enter_context(native_noise_to(log_file))
        bench = Bench(config, folder, store, stop, log_file)
        if name is not None:
            from pipeline.search import company

            company.help_out(bench)
            return None
        if bench.is_idle:  # workers on other machines outlive a chief that was killed
            store.sweep()
            sweep(folder)
        publish.repair(root)
        _conduct(bench)
        return _result(bench)


def _conduct(bench: Bench) -> None:
    """Try one candidate after another, in this process or in others."""
    from pipeline.search import oracles

    story = Story(bench.search, bench.trials)

    def told(found: Trial) -> None:
        say(story.line(found), STYLES[found.status])
        _publish(bench)

    oracle = oracles.make(bench.search, bench.search.epochs or bench.config.train.epochs)
    oracle.watch(bench.search, bench.folder / "oracle.json", bench.trials, told)
    if bench.search.workers == 1 and not roles.is_chief() and not oracle.is_dangerous:
        bench.work(oracle, ALONE)
        return
    from pipeline.search import company

    recipe = bench.folder / "recipe.yaml"
    whole = bench.config.model_dump(mode="json", exclude_unset=True)
    write_recipe(whole, ["What workers are started with."], recipe)
    company.lead(bench, oracle, recipe)


def _publish(bench: Bench) -> None:
    """Write what is known so far: the table, and a recipe of the best."""
    trials = bench.trials.all()
    write_table(trials, bench.folder / "trials.csv")
    winner = best(trials, bench.config.search.objective)
    if winner is None:
        return
    file = bench.folder / RECIPE
    score = winner.score(bench.config.search.objective)
    trained = sum(trial.status == "trained" for trial in trials)
    lines = [
        f"The best of {trained} networks that a search has trained (trial {winner.trial}).",
        "",
        f"  python run_pipeline.py run {shlex.quote(str(file))}",
        "",
        f"{bench.config.search.objective} {score:.2%} on validation in the search; its int8 file: "
        f"{winner.bytes:,} bytes, {winner.latency_us:,.1f} us, {winner.macs:,} MACs.",
    ]
    write_recipe(space.recipe(bench.config, winner.values), lines, file)


def _result(bench: Bench) -> Found:
    """The best, or an error that says why there is none."""
    trials, objective = bench.trials.all(), bench.config.search.objective
    winner = best(trials, objective)
    if trials:
        _publish(bench)  # a kill may have come in between, and files may have gone
    if winner is not None:
        draw(bench.search, trials, bench.folder)
        short = shortfall(bench.search, trials)
        if short:
            say(short, "yellow")
        return Found(bench.folder, objective, winner, front(trials, objective), trials)
    refused = [trial for trial in trials if trial.status == "refused"]
    failed = [trial for trial in trials if trial.status == "failed"]
    if refused:
        smallest = min(refused, key=lambda trial: trial.bytes or 0)
        fastest = min(refused, key=lambda trial: trial.latency_us or 0)
        raise ConversionError(
            f"search: none of {len(refused)} candidates is within the limits; the smallest has "
            f"{smallest.bytes:,} bytes (trial {smallest.trial}), the fastest takes "
            f"{fastest.latency_us:,.1f} us (trial {fastest.trial}): raise the limits, or let the "
            f"space go lower{f'; {len(failed)} more failed' if failed else ''}"
        )
    if failed:
        raise TrainingError(
            f"search: all {len(failed)} candidates failed; trial {failed[0].trial}: "
            f"{failed[0].reason}"
        )
    raise ConfigError("search: there was nothing to try")


def _wait_for(claim: Path, stop: Stop) -> None:
    """Wait until the chief has begun: machines are not started at once."""
    if not claim.is_file():
        say(f"  waiting for the chief, whose {claim} is not there yet")
    while not claim.is_file():
        time.sleep(SECONDS)
        stop.heed()


def _claim(folder: Path, config: Config, store: Store) -> None:
    """Write down what is searched, or find the same there.

    Raises:
        ConfigError: the folder is of another search; says what differs.
        DataError: the pictures are missing or cannot be read.
    """
    wanted, held = _identity(config, store), read(folder / publish.SPACE)
    if held is None:
        write(folder / publish.SPACE, json.dumps(wanted, indent=1))
        return
    differ = [key for key in sorted({*wanted, *held}) if wanted.get(key) != held.get(key)]
    if differ:
        is_beside_a_run = (folder.parent / publish.STAMP).is_file()
        raise ConfigError(
            f"{folder}: a search with other {', '.join(differ)} lies there; give another name=, "
            f"or remove {folder if is_beside_a_run else folder.parent}"
        )


def _identity(config: Config, store: Store) -> dict[str, Any]:
    """What makes one search another: settings, what the recipe says of a candidate, pictures."""
    said = config.model_dump(mode="json", exclude_defaults=True, include=set(SECTIONS))
    searched = config.search.model_dump(mode="json", exclude=FREE | Search.given)
    plan = Plan(config, store, FileMemo(store.root / "digests.db"))
    return {
        "seed": config.seed,
        "pictures": digest_lines(plan.outside(*plan.resolved["ingest"])),
        **said,
        **{f"search.{key}": said for key, said in searched.items()},
    }
