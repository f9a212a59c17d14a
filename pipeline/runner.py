"""The runner: does the steps of a plan that are not done, one after another."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, DataError, PipelineError, ResourceError, naming
from pipeline.graph import BY_NAME, Step
from pipeline.guard import lacking, one_line, out_of_resources, unexpected
from pipeline.lazy import load
from pipeline.plan import Identity, Plan, Problem
from pipeline.progress import say
from pipeline.settings import REFERENCE, Metrics, Section, nth
from pipeline.stop import Stop
from pipeline.store import Entry

log = logging.getLogger("pipeline")
Alone = Callable[[str], AbstractContextManager[Any]]


@dataclass
class Outcome:
    """What a run leaves to its caller: entries by step id, and the report if it got so far."""

    entries: dict[str, Entry] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    problems: dict[str, Problem] = field(default_factory=dict)
    report: Mapping[str, Any] | None = None
    folder: Path | None = None


class Runner:
    """One pass over a plan.

    `alone` keeps other processes from a step while it is looked for and done, by its key.
    """

    def __init__(
        self,
        plan: Plan,
        stop: Stop,
        force: frozenset[str] = frozenset(),
        verify: bool = False,
        alone: Alone = nullcontext,
    ) -> None:
        self.plan, self.force, self.verify, self.stop = plan, force, verify, stop
        self.alone = alone
        self.outcome = Outcome()

    def do(self, steps: Sequence[Step]) -> Outcome:
        """Do these steps, in an order in which they can be done.

        One that fails stops no other variant or replica: what went wrong is among the `problems`.
        """
        self._check(steps, "check")
        for step in steps:
            problem = self._inherited_problem(step)
            if problem:
                self._note_problem(step, problem)
                continue
            identity = self.plan.identify(step, self.outcome.entries, self._variant_problems())
            self.plan.memo.save()
            with self.alone(identity.key):
                entry = self._found(step, identity) or self._attempt(step, identity)
            if entry is not None:
                self.plan.store.touch(entry)
                self.outcome.entries[step.id] = entry
                if step.stage == "ingest":
                    self._check(steps, "check_pictures", self._pictures)
                if step.stage == "build":
                    given = [one for one in steps if step.id in one.built.values()]
                    self._check(given, "check_network", self._networks)
        return self.outcome

    def _found(self, step: Step, identity: Identity) -> Entry | None:
        """What is there of a step already."""
        if step.stage in self.force:
            return None
        entry = self.plan.store.find(step.stage, identity.key, self.verify)
        if entry is not None:
            log.info("%s: cached as %s", step.id, identity.key[:12])
            say(f"· {step.id:<28} cached", "dim")
        return entry

    def _check(
        self,
        steps: Sequence[Step],
        function: str,
        shown: Callable[[Step], Sequence[Any] | None] = lambda step: (),
    ) -> None:
        """Let every stage that may run refuse its settings before there is work to lose.

        `check(settings)` is called before the first stage, `check_pictures(settings, folder)` as
        soon as ingest has split them, `check_network(settings, folders)` as soon as the layers of
        all models it is given are known: `folders` are inputs by role, with networks as built in
        place of trained ones. `shown` gives what is called with besides the settings, or None where
        that is not known. Equal questions of a stage are asked once.
        """
        wanted = {step.id for step in steps}
        asked: list[tuple[str, Section, Sequence[Any]]] = []
        for status in self.plan.survey(self.force):
            step, section = self.plan.resolved[status.step.id]
            if status.entry is not None or step.id not in wanted:
                continue
            arguments = shown(step)
            if arguments is None or (step.stage, section, arguments) in asked:
                continue
            asked.append((step.stage, section, arguments))
            check = getattr(_module(step), function, None)
            if check is not None:
                with naming(step.stage):
                    check(section, *arguments)
        self.stop.heed()

    def _pictures(self, step: Step) -> Sequence[Any] | None:
        """The pictures a step reads, as soon as ingest has split them."""
        entry = self.outcome.entries.get(step.inputs.get("ingest", ""))
        return None if entry is None else [entry.folder]

    def _networks(self, step: Step) -> Sequence[Any] | None:
        """Where the layers of the models a step is given were built, if all of them are."""
        entries = self.outcome.entries
        if not step.built or not entries.keys() >= set(step.built.values()):
            return None
        return [{role: entries[source].folder for role, source in step.built.items()}]

    def _attempt(self, step: Step, identity: Identity) -> Entry | None:
        """Run a step; a failing variant or replica is noted and stops no other.

        Anything else is raised.
        """
        try:
            return self._execute(step, identity)
        except (ResourceError, DataError):
            raise
        except Exception as error:
            self.stop.heed()
            if out_of_resources(error):
                raise ResourceError(lacking(step.id, error)) from error
            if step.replica == 1 and step.path in {"", REFERENCE}:
                if isinstance(error, PipelineError):
                    raise
                raise PipelineError(unexpected(step.id, error)) from error
            log.exception("%s failed", step.id)
            status = "refused" if isinstance(error, ConfigError) else "failed"
            self._note_problem(step, {"status": status, "reason": one_line(error)})
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
            self.stop.heed()
            files = self.plan.outside(step, identity.settings)
            if self.plan.store.note_outside(draft, files) != identity.facts["outside"]:
                raise DataError(f"{step.id}: its files changed while they were read; run again")
            seconds = time.monotonic() - started
            facts = {"step": step.id, **identity.facts, "seconds": seconds, "metrics": metrics}
            entry = self.plan.store.publish(draft, step.stage, identity.key, facts)
        self.outcome.ran.append(step.id)
        told = {name: value for name, value in metrics.items() if value is not None}
        said = ", ".join(f"{name} {_short(value)}" for name, value in told.items())
        log.info("%s: done in %.1f s: %s", step.id, seconds, said)
        say(f"✓ {step.id:<28} {seconds:6.1f} s  {said}")
        return entry

    def _inherited_problem(self, step: Step) -> Problem | None:
        problems = self.outcome.problems
        needed = (source for source in step.inputs.values() if source not in step.spared)
        return next((problems[source] for source in needed if source in problems), None)

    def _note_problem(self, step: Step, problem: Problem) -> None:
        self.outcome.problems[step.id] = problem
        say(f"✗ {step.id:<28} {problem['status']}: {problem['reason']}", "red")

    def _variant_problems(self) -> dict[str, Problem]:
        """Problems by variant, of a later replica as `int8#2`.

        Those of the last step of its path, or of the step in which its replica was measured.
        """
        steps = {step.id: step for step in self.plan.steps}
        found: dict[str, Problem] = {}
        for name, problem in self.outcome.problems.items():
            for file in (steps[source] for source in (name, *steps[name].inputs.values())):
                if file.is_file:
                    found.setdefault(nth(file.path, file.replica), problem)
        return found


def _module(step: Step) -> Any:
    return import_module(f"pipeline.stages.{step.stage}")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
