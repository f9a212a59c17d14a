"""Several processes on one search: KerasTuner's chief, which says what to try, and its workers.

They find each other as all of KerasTuner's do, by three environment variables, and speak its gRPC.
What came of a trial lies in the search's folder, which all of them share.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.distribute.oracle_client import OracleClient
from keras_tuner.src.protos import get_service_grpc

from pipeline.errors import ConfigError, DataError, ResourceError
from pipeline.search.bench import Bench
from pipeline.search.kept import Kept
from pipeline.search.oracles import values
from pipeline.search.roles import ID, IP, PORT
from pipeline.search.trials import Trial, number_of

LOOPBACK = "127.0.0.1"  # the port asks nobody who they are: it is for this machine, unless told
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
    bench.work(OracleClient(None), os.environ[ID])


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
    ip = os.environ.get(IP, LOOPBACK)
    with served(oracle, ip, int(os.environ.get(PORT, "0"))) as (servicer, port):
        there = LOOPBACK if ip == "0.0.0.0" else ip  # compared, not bound
        crew = _Crew(bench, oracle, recipe, {IP: there, PORT: str(port)})
        try:
            crew.start()
            while not crew.is_done():
                servicer.heed()
                bench.stop.heed()
                time.sleep(SECONDS)
            servicer.heed()
        finally:
            crew.end()


class _Servicer(OracleServicer):
    """KerasTuner's, whose errors end the search: its oracle would keep its lock for ever."""

    def __init__(self, oracle: Kept) -> None:
        super().__init__(oracle)
        self.problem: BaseException | None = None

    def heed(self) -> None:
        """Raise what went wrong in a call."""
        if self.problem is not None:
            raise self.problem

    def _answer(self, name: str, request: Any, context: Any) -> Any:
        if self.problem is not None:
            context.abort(grpc.StatusCode.ABORTED, "the search has ended")
        try:
            return getattr(super(), name)(request, context)
        except Exception as error:  # noqa: BLE001  # raised by `heed`, in the main thread
            self.problem = error
            context.abort(grpc.StatusCode.INTERNAL, str(error))

    def CreateTrial(self, request: Any, context: Any) -> Any:
        """The next trial of a worker."""
        return self._answer("CreateTrial", request, context)

    def UpdateTrial(self, request: Any, context: Any) -> Any:
        """The score of a trial."""
        return self._answer("UpdateTrial", request, context)

    def EndTrial(self, request: Any, context: Any) -> Any:
        """A trial is over."""
        return self._answer("EndTrial", request, context)


@contextmanager
def served(oracle: Kept, ip: str, port: int) -> Iterator[tuple[_Servicer, int]]:
    """Answer workers at an address for a while; port 0 is any that is free.

    KerasTuner's own server sleeps 20 seconds at the end of a search.
    """
    alone = (("grpc.so_reuseport", 0),)  # or a second chief would share the port with the first
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=alone)
    servicer = _Servicer(oracle)
    get_service_grpc().add_OracleServicer_to_server(servicer, server)
    try:
        bound = server.add_insecure_port(f"{ip}:{port}")
    except RuntimeError as error:
        raise ResourceError(
            f"{ip}:{port}: the port is taken, or no address of this machine; set {PORT} to another"
        ) from error
    server.start()
    try:
        yield servicer, bound
    finally:
        server.stop(None).wait()


@dataclass
class _Worker:
    """A process of ours; `losses` counts the times it died over one trial."""

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

    def is_done(self) -> bool:
        """Whether all have ended, and no worker elsewhere has a trial; the dead are replaced."""
        for worker in self.workers:
            code = worker.process.poll()
            if code:
                self._replace(worker, code)
        running = any(worker.process.poll() is None for worker in self.workers)
        return not running and not self.oracle.ongoing_trials

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
        over = trial.trial_id if trial else ""
        lost = worker.losses[over] = worker.losses.get(over, 0) + 1
        if lost == LIVES:
            if trial is None:
                raise ResourceError(f"{worker.name} dies before it tries anything; see {log}")
            self._give_up(trial, code)
        worker.process = self._process(worker.name)

    def _give_up(self, trial: Any, code: int) -> None:
        """Count a trial as failed that takes every worker with it, as for want of memory."""
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
        trial.status = "FAILED"
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
                [sys.executable, *map(str, words)], env=env, stdout=log, stderr=log
            )

    def _log(self, name: str) -> Path:
        return self.bench.folder / f"{name}.log"
