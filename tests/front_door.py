"""A way to call the front door, and to read what it said."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline import Config

ROOT = Path(__file__).parent.parent
SMALL = (
    "train.epochs=4",
    "prune.epochs=3",
    "build.width=8",
    "benchmark.rounds=2",
    "benchmark.runs=5",
)


def stages_of(*words):
    """The stages that a run of the default recipe has, with what is said over it, in order."""
    steps = Config.load(overrides=words).resolve().values()
    return list(dict.fromkeys(step.stage for step, _ in steps))


@dataclass
class Done:
    """A finished command: exit code, both outputs, seconds."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def errors(self) -> list[str]:
        return self.err.strip().splitlines()


def command(*arguments, artifacts=None, project=ROOT):
    """The front door's command line, of this project or of a copy of it."""
    words = [sys.executable, str(project / "run_pipeline.py"), *map(str, arguments)]
    return words if artifacts is None else [*words, "--artifacts", str(artifacts)]


def call(*arguments, artifacts=None, project=ROOT, cwd=ROOT, env=None, timeout=300):
    """Run the front door in a process of its own."""
    words = command(*arguments, artifacts=artifacts, project=project)
    started = time.monotonic()
    done = subprocess.run(
        words,
        cwd=cwd,
        env=os.environ | (env or {}),
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return Done(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


def picture_of(folder):
    """Every file below a folder with its bytes: equal pictures mean nothing has changed."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def steps(done):
    """What a run said of each step: "cached", "ran", "failed" or "refused"."""
    said = {}
    for line in done.err.splitlines():
        mark, _, rest = line.partition(" ")
        if mark in {"✓", "·", "✗"}:
            step, word = rest.split()[:2]
            said[step] = {"✓": "ran", "·": "cached", "✗": word.rstrip(":")}[mark]
    return said


def ran(done):
    return [step for step, what in steps(done).items() if what == "ran"]
