"""The engine: take a config through its steps, doing only what is not done already."""

import errno
import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock

from pipeline import publish
from pipeline.config import Config
from pipeline.errors import ConfigError, DataError, Interrupted, PipelineError, ResourceError
from pipeline.fingerprint import FileMemo
from pipeline.graph import BY_NAME, Step
from pipeline.lazy import load, nearest
from pipeline.plan import Identity, Plan, Problem
from pipeline.progress import say
from pipeline.settings import REFERENCE, Metrics, Section
from pipeline.store import Entry, Store

log = logging.getLogger("pipeline")

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE}


@dataclass
class Outcome:
    """What a run leaves to its caller: entries by step id, and the report if it got so far."""

    entries: dict[str, Entry] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    problems: dict[str, Problem] = field(default_factory=dict)
    report: Mapping[str, Any] | None = None
    folder: Path | None = None


def run(
    config: Config,
    *,
    artifacts: Path | str = "artifacts",
    until: str | None = None,
    force: Sequence[str] = (),
    verify: bool = False,
) -> Outcome:
    """Run every step that is not done, publish `<artifacts>/<name>/`, return the report.

    Args:
        until: the last stage to run; nothing is published then, unless it is "report".
        force: stages to run though they are done.
        verify: read every cached byte before it is trusted.

    Raises:
        PipelineError: of the class that says what went wrong; earlier results stay as they were.
    """
    for stage in filter(None, (until, *force)):
        if stage not in BY_NAME:
            raise ConfigError(f"unknown stage {stage!r}: {nearest(stage, BY_NAME)}")
    root = Path(artifacts)
    with ExitStack() as stack:
        stack.enter_context(locked(root))
        stack.enter_context(_terminable())
        stack.enter_context(_logging(publish.log_file(root, config.name)))
        store = Store(root / ".cache")
        store.sweep()
        publish.repair(root, config.name)
        memo = FileMemo(root / ".cache" / "digests.json")
        outcome = _Run(Plan(config, store, memo), frozenset(force), verify).until(until)
        memo.save()
        if "report" in outcome.entries:
            publish.publish(root, config.name, outcome.entries)
            outcome.folder = root / config.name
            outcome.report = publish.load_report(outcome.entries["report"].folder / "report.json")
    return outcome


class _Run:
    """One pass over a plan."""

    def __init__(self, plan: Plan, force: frozenset[str], verify: bool) -> None:
        self.plan, self.force, self.verify = plan, force, verify
        self.outcome = Outcome()

    def until(self, stage: str | None) -> Outcome:
        steps = self.plan.until(stage)
        self._check(steps)
        for step in steps:
            problem = self._inherited_problem(step)
            if problem:
                self._note_problem(step, problem)
                continue
            identity = self.plan.identify(step, self.outcome.entries, self._variant_problems())
            entry = None
            if step.stage not in self.force:
                entry = self.plan.store.find(step.stage, identity.key, self.verify)
            if entry is None:
                entry = self._attempt(step, identity)
            else:
                log.info("%s: cached as %s", step.id, identity.key[:12])
                say(f"· {step.id:<28} cached", "dim")
            if entry is not None:
                self.plan.store.touch(entry)
                self.outcome.entries[step.id] = entry
        return self.outcome

    def _check(self, steps: Sequence[Step]) -> None:
        """Let every stage that may run refuse its settings before the first one starts."""
        wanted = {step.id for step in steps}
        for status in self.plan.survey(self.force, self.verify):
            if status.entry is None and status.step.id in wanted:
                check = getattr(_module(status.step), "check", None)
                if check is not None:
                    check(self.plan.resolved[status.step.id][1])

    def _attempt(self, step: Step, identity: Identity) -> Entry | None:
        """Run a step; a failing variant is noted and stops no other, anything else is raised."""
        try:
            return self._execute(step, identity)
        except (ResourceError, ConfigError, DataError):
            raise
        except Exception as error:
            ours = isinstance(error, PipelineError)
            if _out_of_resources(error):
                raise ResourceError(f"{step.id}: {error}; free some and run again") from error
            if step.path in {"", REFERENCE}:
                if ours:
                    raise
                what = f"{type(error).__name__}: {_one_line(error)}"
                raise PipelineError(
                    f"{step.id}: {what} (a mistake of ours? see the log)"
                ) from error
            log.exception("%s failed", step.id)
            self._note_problem(step, {"status": "failed", "reason": _one_line(error)})
            return None

    def _execute(self, step: Step, identity: Identity) -> Entry:
        function: Callable[[Section, Mapping[str, Path], Path], Metrics] = _module(step).run
        begin = BY_NAME[step.stage].begin
        inputs = {
            role: self.outcome.entries[source].folder
            for role, source in step.inputs.items()
            if source in self.outcome.entries
        }
        log.info("%s: running as %s with %s", step.id, identity.key[:12], identity.settings)
        started = time.monotonic()
        with self.plan.store.draft(step.stage, identity.key) as draft:
            if begin:
                load(begin)(identity.settings.seed)
            metrics = function(identity.settings, inputs, draft)
            seconds = time.monotonic() - started
            facts = {"step": step.id, **identity.facts, "seconds": seconds, "metrics": metrics}
            entry = self.plan.store.publish(
                draft, step.stage, identity.key, facts, identity.outside
            )
        self.outcome.ran.append(step.id)
        said = ", ".join(f"{name} {_short(value)}" for name, value in metrics.items())
        log.info("%s: done in %.1f s: %s", step.id, seconds, said)
        say(f"✓ {step.id:<28} {seconds:6.1f} s  {said}")
        return entry

    def _inherited_problem(self, step: Step) -> Problem | None:
        if not step.path:
            return None
        return next(
            (self.outcome.problems[s] for s in step.inputs.values() if s in self.outcome.problems),
            None,
        )

    def _note_problem(self, step: Step, problem: Problem) -> None:
        self.outcome.problems[step.id] = problem
        say(f"✗ {step.id:<28} {problem['status']}: {problem['reason']}", "red")

    def _variant_problems(self) -> dict[str, Problem]:
        """Problems by variant: those of the last step of its path."""
        last = {step.id: step.path for step in self.plan.steps if step.stage == "quantize"}
        return {
            last[step]: problem for step, problem in self.outcome.problems.items() if step in last
        }


def _module(step: Step) -> Any:
    from importlib import import_module

    return import_module(f"pipeline.stages.{step.stage}")


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the one lock of an artifacts folder."""
    lock = filelock.FileLock(root / ".lock")
    try:
        (root / ".cache").mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise ResourceError(
            f"{root}: another run is working there; wait for it, or give --artifacts another folder"
        ) from error
    except OSError as error:
        raise ResourceError(
            f"{root}: cannot be written: {error.strerror}; give --artifacts"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _terminable() -> Iterator[None]:
    """Make SIGTERM unwind, so that drafts are removed; only where signals can be handled."""

    def stop(*_: object) -> None:
        raise Interrupted

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread: the caller's program owns its signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _logging(path: Path) -> Iterator[None]:
    """Write this run's log; what goes wrong is there with its traceback."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="a", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    except BaseException as error:
        log.error("run ended: %s", _one_line(error), exc_info=error)
        raise
    finally:
        log.removeHandler(handler)
        handler.close()


def _out_of_resources(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in FULL)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 500 else text[:497] + "..."


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
