"""Several processes on one search: KerasTuner's chief, which says what to try, and its workers.

They find each other as all of KerasTuner's do, by three environment variables, and speak its gRPC.
What came of a trial lies in the search's folder, which all of them share.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, DataError, ResourceError
from pipeline.progress import say
from pipeline.search import wire
from pipeline.search.bench import Bench
from pipeline.search.kept import Kept
from pipeline.search.oracles import values
from pipeline.search.roles import ID, IP, PORT, address
from pipeline.search.trials import Trial, number_of

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # where a chief that listens so is met; not bound
PARENT = "PIX2POCKET_CHIEF"  # the process that a worker of this machine must not outlive
FRONT_DOOR = Path(__file__).resolve().parent.parent.parent / "run_pipeline.py"
LIVES = 3  # workers that one trial may take with it
SECONDS = 0.2  # between two looks at the workers
GRACE = 30.0  # seconds that a worker has to end its epoch
# Exit codes of what would end any other worker as well: the recipe, the pictures, the disk.
HOPELESS = {error.exit_code: error for error in (ConfigError, DataError, ResourceError)}


def help_out(bench: Bench) -> None:
    """Be a worker: try what the chief says until it says no more."""
    if parent := os.environ.get(PARENT):
        threading.Thread(target=_mourn, args=(int(parent),), daemon=True).start()
    bench.work(wire.Client(), os.environ[ID])


def _mourn(parent: int) -> None:
    """End with the process that started this one, even if that could not say goodbye."""
    while os.getppid() == parent:
        time.sleep(SECONDS)
    os._exit(1)


def lead(bench: Bench, oracle: Kept, recipe: Path) -> None:
    """Be the chief: serve the oracle, start workers for a recipe, and replace those that die.

    Raises:
        ResourceError: the port is taken, or workers die as soon as they are started.
        ConfigError, DataError, ResourceError: what ended a worker would end any other.
    """
    ip, wanted = address()
    with wire.served(oracle, ip, wanted) as (servicer, port):
        crew = _Crew(bench, oracle, recipe, {IP: ANYWHERE.get(ip, ip), PORT: str(port)})
        try:
            crew.start()
            while not crew.is_done(servicer):
                bench.stop.heed()
                time.sleep(SECONDS)
        finally:
            crew.end()


@dataclass
class _Worker:
    """A process of ours; `losses` counts the times it died over a trial, or between two."""

    name: str
    process: subprocess.Popen[bytes]
    losses: dict[str, int] = field(default_factory=dict)


@dataclass
class _Crew:
    """The workers of this machine."""

    bench: Bench
    oracle: Kept
    recipe: Path
    address: Mapping[str, str]
    workers: list[_Worker] = field(default_factory=list)

    def start(self) -> None:
        """Start as many as the recipe says."""
        for place in range(1, self.bench.search.workers + 1):
            name = f"worker{place}"
            self.workers.append(_Worker(name, self._process(name)))

    def is_done(self, servicer: wire.Servicer) -> bool:
        """Whether all have ended, here and elsewhere.

        The dead are replaced. Of those elsewhere that have gone, the trial is another's.
        """
        servicer.heed()
        for worker in self.workers:
            code = worker.process.poll()
            if code and worker.name not in self.oracle.dismissed:
                self._replace(worker, code)
        elsewhere = servicer.known | set(self.oracle.ongoing_trials)
        elsewhere -= {worker.name for worker in self.workers} | self.oracle.dismissed
        gone = {name for name in elsewhere if servicer.silent(name) > wire.SILENCE}
        for name in sorted(gone):
            number = self.oracle.let_go(name)
            servicer.forget(name)
            told = f"; trial {number} is another's now" if number else ""
            say(f"  {name} has not been heard of for {wire.SILENCE:.0f} s{told}", "yellow")
        running = any(worker.process.poll() is None for worker in self.workers)
        return not running and not self.oracle.ongoing_trials and elsewhere == gone

    def end(self) -> None:
        """End those that still run: asked to first, then at once."""
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.process.terminate()
        latest = time.monotonic() + GRACE
        for worker in self.workers:
            try:
                worker.process.wait(max(0.0, latest - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def _replace(self, worker: _Worker, code: int) -> None:
        """Start a worker anew, under its name: the chief gives it the trial it had."""
        log = self._log(worker.name)
        if code in HOPELESS:
            lines = log.read_text(errors="replace").strip().splitlines() or [f"exit code {code}"]
            raise HOPELESS[code](f"{worker.name}: {lines[-1].removeprefix('error: ')}")
        trial = self.oracle.ongoing_trials.get(worker.name)
        over = trial.trial_id if trial else f"behind {len(self.oracle.ended)} trials"
        lost = worker.losses[over] = worker.losses.get(over, 0) + 1
        if lost == LIVES:
            if trial is None:
                raise ResourceError(f"{worker.name} dies before it tries anything more; see {log}")
            self._give_up(trial, code)
        worker.process = self._process(worker.name)

    def _give_up(self, trial: Any, code: int) -> None:
        """Count a trial as failed that takes every worker with it, as for want of memory."""
        if trial.trial_id in self.oracle.ended:
            return
        tried, epochs = values(self.bench.search, trial)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        reason = f"{LIVES} workers died over it, the last by {how}"
        self.bench.trials.keep(
            Trial(
                trial=number_of(trial.trial_id),
                status="failed",
                values=dict(tried),
                epochs=epochs,
                seconds=0.0,
                reason=reason,
            )
        )
        self.oracle.end_trial(trial)

    def _process(self, name: str) -> subprocess.Popen[bytes]:
        threads = max(1, (os.cpu_count() or 1) // self.bench.search.workers)
        env = {
            **os.environ,
            **self.address,
            ID: name,
            PARENT: str(os.getpid()),
            "TF_NUM_INTRAOP_THREADS": str(threads),
        }
        artifacts = self.bench.store.root.parent
        words = [FRONT_DOOR, "search", self.recipe, "--artifacts", artifacts]
        with self._log(name).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *map(str, words)],
                env=env,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is the chief's, which ends them in its time
            )

    def _log(self, name: str) -> Path:
        return self.bench.folder / f"{name}.log"
