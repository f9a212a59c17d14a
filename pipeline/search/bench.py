"""Where candidates are tried, one after another, and what came of each is written down."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline.config import Config
from pipeline.errors import DataError, ResourceError
from pipeline.fingerprint import FileMemo
from pipeline.guard import lacking, one_line, out_of_memory, out_of_resources
from pipeline.plan import Plan
from pipeline.progress import aside
from pipeline.runner import Runner
from pipeline.search.examine import Examiner, Refused
from pipeline.search.space import CANDIDATE, Values, candidate
from pipeline.search.trials import Trial, Trials, number_of
from pipeline.settings import Search
from pipeline.stop import Stop
from pipeline.store import Store

log = logging.getLogger("pipeline")
IDLE_SECONDS = 0.2  # before an oracle that waits for others is asked again
LOCKS = ".locks"  # a folder in the store's
TIMINGS = "timings"  # a folder of the search's: of each file, what it came to


@dataclass(frozen=True)
class Bench:
    """A search's folder, and the store in which its candidates' steps lie as those of any run.

    What is said of a step goes to the `log`. Other processes may use folder and store as well.
    """

    config: Config
    folder: Path
    store: Store
    stop: Stop
    log: Path

    @property
    def search(self) -> Search:
        """Its settings; the seed is the run's."""
        return self.config.search.model_copy(update={"seed": self.config.seed})

    @property
    def trials(self) -> Trials:
        """What has ended."""
        return Trials(self.folder / "trials")

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Let one process at a time do a step: the others find it done."""
        locks = self.store.root / LOCKS
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / key):
            yield

    @property
    def is_idle(self) -> bool:
        """Whether no process is at a step, here or on a machine that shares the store."""
        for path in (self.store.root / LOCKS).glob("*"):
            try:
                with FileLock(path, timeout=0):
                    continue
            except Timeout:
                return False
        return True

    def work(self, oracle: Any, name: str) -> None:
        """Try what an oracle says until it says no more; `name` is that of this process.

        The oracle is one of ours, or KerasTuner's client of one that is elsewhere.
        """
        from pipeline.search import oracles

        search = self.search
        while True:
            given = oracle.create_trial(name)
            if given.status == "STOPPED":
                return
            if given.status == "IDLE":
                time.sleep(IDLE_SECONDS)
                self.stop.heed()
                continue
            found = self.tried(number_of(given.trial_id), *oracles.values(search, given))
            given.status = "COMPLETED" if found.status == "trained" else "FAILED"
            oracle.end_trial(given)

    def tried(self, number: int, values: Values, epochs: int | None) -> Trial:
        """Try a candidate and write down what became of it; what is written already stands.

        Raises:
            ResourceError, DataError: what no other candidate would go without, as room on the
                disk; memory, of which others may need less, is no such thing.
        """
        held = self.trials.find(number)
        if held is not None and (held.values, held.epochs) == (values, epochs):
            return held
        said: dict[str, Any] = {"trial": number, "values": dict(values), "epochs": epochs}
        started = time.monotonic()
        with aside(self.log):
            said |= self._outcome(number, values, epochs)
        found = Trial(**said, seconds=round(time.monotonic() - started, 2))
        return self.trials.keep(found)

    def _outcome(self, number: int, values: Values, epochs: int | None) -> Mapping[str, Any]:
        """Status, what was measured, and the reason where it was not trained."""
        log.info("trial %d: %s", number, values)
        examiner = Examiner(self.search, self.folder / TIMINGS)
        try:
            plan = Plan(
                candidate(self.config, values, epochs),
                self.store,
                FileMemo(self.store.root / "digests.db"),
            )
            return {
                "status": "trained",
                **examiner.examine(Runner(plan, self.stop, alone=self.alone)),
            }
        except Refused as refused:
            return {"status": "refused", "reason": str(refused), **refused.facts}
        except (ResourceError, DataError) as error:
            if not out_of_memory(error.__cause__):
                raise
            log.exception("trial %d lacks memory", number)
            return {"status": "failed", "reason": one_line(error)}
        except Exception as error:
            self.stop.heed()
            if isinstance(error, OSError) and out_of_resources(error):
                raise ResourceError(lacking(f"trial {number}", error)) from error
            log.exception("trial %d failed", number)
            reason = one_line(error).removeprefix(f"{CANDIDATE}: ")
            return {"status": "failed", "reason": reason}
