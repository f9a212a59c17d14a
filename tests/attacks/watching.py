"""A front door that is watched from outside, and what it left."""

import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.attacks.corpus import snapshot
from tests.front_door import Done

PARTS = ("train", "validation", "test")
LISTS = ("quarantined", "passed_over")


@dataclass
class Taken:
    """What came of a source: the command, its log, and what ingest left where it left anything."""

    done: Done
    log: str
    folder: Path | None

    @property
    def line(self):
        """The error line of a refusal."""
        return self.done.errors[-1]

    @property
    def audit(self):
        return json.loads((self.folder / "audit.json").read_text(encoding="utf-8"))

    @property
    def facts(self):
        return json.loads((self.folder / "dataset.json").read_text(encoding="utf-8"))

    def said(self, kind="quarantined"):
        """Reasons by where they apply, of one list of the audit."""
        return {remark["where"]: remark["reason"] for remark in self.audit[kind]}

    def pictures(self, name):
        """Pictures of a class out of all splits, `(N, H, W, C)`."""
        images, labels = (
            np.concatenate([np.load(self.folder / f"{part}_{what}.npy") for part in PARTS])
            for what in ("images", "labels")
        )
        return images[labels == self.facts["classes"].index(name)]

    @property
    def accounted(self):
        """How many files have found their place in a split or a list."""
        audit, facts = self.audit, self.facts
        kept = sum(facts[part] for part in PARTS) + audit["duplicates"]["dropped"]
        return kept + sum(len(audit[kind]) for kind in LISTS)


def watch(door, source, artifacts, *words):
    """Run ingest through a door; no byte of the source changes and the screen stays clean."""
    before = snapshot(source)
    done = door("run", *words, "--until", "ingest", artifacts=artifacts)
    assert snapshot(source) == before, "the source was touched"
    log = "\n".join(path.read_text() for path in artifacts.glob(".history/*/run.log"))
    assert "Traceback" not in done.out + done.err
    for text in (done.out, done.err, log):
        assert not [c for c in text if unicodedata.category(c) == "Cc" and c != "\n"], text
    entries = [path for path in artifacts.glob(".cache/ingest/*") if path.name[0] != "."]
    return Taken(done, log, entries[0] if entries else None)


def accepted(taken):
    """Hold that ingest went through, and said so in its usual line."""
    assert taken.done.code == 0, taken.done.err
    assert [line[0] for line in taken.done.errors] == ["✓"], taken.done.err
    return taken


def refused(taken, *words, code=3):
    """Hold that ingest stopped with one line that holds some words, and left nothing."""
    assert taken.done.code == code, (taken.done.code, taken.done.err)
    assert len(taken.done.errors) == 1, taken.done.err
    assert taken.line.startswith("error: ")
    assert len(taken.line) < 1100
    for word in words:
        assert word in taken.line, taken.line
    assert taken.folder is None
    return taken
