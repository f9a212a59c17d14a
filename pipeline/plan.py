"""The plan of a run: which steps there are, what identifies each, and which are done already."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.fingerprint import (
    FileMemo,
    code,
    digest,
    digest_lines,
    fingerprint,
    versions,
    words,
)
from pipeline.graph import BY_NAME, Step
from pipeline.lazy import load, nearest
from pipeline.settings import AUDIT, LAYERS, Section
from pipeline.store import Entry, Store

Problem = Mapping[str, str]  # of a variant's step: status ("failed" or "refused") and reason


@dataclass(frozen=True)
class Identity:
    """What a step's result depends on, and the key made of it."""

    key: str
    settings: Section
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Status:
    """What is known of a step before a run: its entry if it is done, its identity if it can be
    told, or the steps it waits for.
    """

    step: Step
    identity: Identity | None
    entry: Entry | None
    waits_for: tuple[str, ...] = ()


class Plan:
    """The steps of a config over a store, in an order in which they can be done."""

    def __init__(self, config: Config, store: Store, memo: FileMemo) -> None:
        self.store, self.memo = store, memo
        self.resolved = config.resolve()
        self.steps = tuple(step for step, _ in self.resolved.values())

    def until(self, stage: str | None) -> tuple[Step, ...]:
        """The steps up to the last one of a stage; all of them for None.

        Members of an ensemble are trained on the way to it, and are no end of their stage.
        """
        if stage is None:
            return self.steps
        last = max(
            number
            for number, step in enumerate(self.steps)
            if step.stage == stage and step.member is None
        )
        return self.steps[: last + 1]

    def add(self, step: Step, settings: Section) -> None:
        """Add a step that is of no variant and that no other reads."""
        self.resolved[step.id] = (step, settings)
        self.steps = (*self.steps, step)

    def towards(self, *wanted: str) -> tuple[Step, ...]:
        """The steps with these ids and all that they read, in order."""
        needed = set(wanted)
        for step in reversed(self.steps):
            if step.id in needed:
                needed.update(step.inputs.values())
        return tuple(step for step in self.steps if step.id in needed)

    def require(self, stage: str) -> None:
        """Raise `ConfigError` for a stage that this run has no step of."""
        known = dict.fromkeys(step.stage for step in self.steps)
        if stage in known:
            return
        if stage in BY_NAME:
            raise ConfigError(f"no variant of this run has {stage!r}; it has {', '.join(known)}")
        raise ConfigError(f"unknown stage {stage!r}: {nearest(stage, known)}")

    def identify(
        self, step: Step, entries: Mapping[str, Entry], problems: Mapping[str, Problem]
    ) -> Identity:
        """Gather what a step's result depends on; its inputs that exist are in `entries`.

        Raises:
            DataError: a file outside that it reads is missing or cannot be read.
        """
        stage = BY_NAME[step.stage]
        settings = self.resolved[step.id][1]
        if step.stage == "report":
            settings = settings.model_copy(update={"problems": problems})
        values = settings.model_dump(mode="json")
        inputs = {
            role: _read_by(step, entries[source])
            for role, source in step.inputs.items()
            if source in entries
        }
        references = [f"pipeline.stages.{step.stage}", *filter(None, (stage.outside, stage.begin))]
        chosen = words(values)
        if "augment" in step.inputs:  # what it trains on passes through these operations
            chosen |= words(self.resolved["augment"][1].model_dump(mode="json"))
        facts = {
            "settings": values,
            "inputs": inputs,
            "outside": digest_lines(self.outside(step, settings)),
            "code": code(references, chosen),
            "versions": versions(),
        }
        essence = facts | {"inputs": {role: digest(files) for role, files in inputs.items()}}
        return Identity(digest({"stage": step.stage, **essence}), settings, facts)

    def outside(self, step: Step, settings: Section) -> Iterator[tuple[str, str]]:
        """Names and digests of the user's files that a step reads, in the order of its source."""
        files = BY_NAME[step.stage].outside
        if files:
            yield from fingerprint(load(files)(settings), self.memo.digest)

    def survey(self, force: frozenset[str] = frozenset()) -> list[Status]:
        """Tell of each step whether it is done, to be done, or waits for one that is to be done."""
        entries: dict[str, Entry] = {}
        statuses: list[Status] = []
        for step in self.steps:
            missing = tuple(source for source in step.inputs.values() if source not in entries)
            if missing:
                statuses.append(Status(step, None, None, missing))
                continue
            identity = self.identify(step, entries, {})
            entry = None
            if step.stage not in force:
                entry = self.store.find(step.stage, identity.key)
            if entry is not None:
                entries[step.id] = entry
            statuses.append(Status(step, identity, entry))
        return statuses


def _read_by(step: Step, entry: Entry) -> dict[str, str]:
    """Digests of the files of an input that may change a step's result.

    What a stage says to people is in no model: a stray picture in the audit, or a diagram drawn
    another way, is to train nothing anew.
    """
    if step.stage == "report":
        return dict(entry.files)
    told = {AUDIT, LAYERS}
    return {
        name: found
        for name, found in entry.files.items()
        if name not in told and not name.startswith("figures/")
    }
