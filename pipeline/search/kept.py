"""What KerasTuner's oracles have in common here: one state, kept so that no kill can confuse it.

As they come, they write several files in place, one after another: a kill in between leaves halves
of two states, an ended trial is run again, what a grid has tried and where a Bayesian search's
random numbers stand is forgotten. Here all of it is one file, put in its place at once.
"""

import functools
import json
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import keras_tuner
    from keras_tuner.engine.hyperparameters import HyperParameters
    from keras_tuner.engine.trial import Trial, TrialStatus

from pipeline.errors import IntegrityError
from pipeline.search.space import rounded
from pipeline.search.trials import DAMAGED, Status, Trials, number_of, read, write
from pipeline.search.trials import Trial as Tried
from pipeline.settings import Search

CUTS = 2  # ends of a process in the midst of a trial, after which it is tried in one of its own
COLLISIONS = 1000  # draws of what was tried before, after which there is nothing else to try
Told = Callable[[Tried], None]
P = ParamSpec("P")
R = TypeVar("R")


def alone(method: Callable[P, R]) -> Callable[P, R]:
    """Let one thread at a time call; once a call has failed, all fail by the same error.

    KerasTuner's own lock, which lies below, is kept for ever by a call that fails.
    """

    @functools.wraps(method)
    def called(*args: P.args, **named: P.kwargs) -> R:
        oracle: Any = args[0]
        with oracle.lock:
            if oracle.problem is not None:
                raise oracle.problem
            try:
                return method(*args, **named)
            except Exception as error:
                oracle.problem = error
                raise

    return called


class Kept(keras_tuner.Oracle):
    """What all of them have in common; comes in front of an oracle of KerasTuner's."""

    def watch(self, search: Search, file: Path, trials: Trials, told: Told) -> None:
        """Say how far to look, where the state lies, and where what became of a trial is written.

        A state that is there is gone on from: trials that had begun and not ended come first.
        `told` is called with each trial that ends.
        """
        self.search, self.file, self.written, self.told = search, file, trials, told
        self.lock, self.problem = threading.RLock(), None
        self.dismissed: set[str] = set()  # workers that know that all is over
        self._ending = False
        self.ended: dict[str, Status] = {}
        self.cuts: dict[str, int] = {}
        self.verbose = 0
        self._max_collisions = COLLISIONS
        held = read(file)
        if held is not None:
            self._take_up(held)

    def count(self, status: Status) -> int:
        """How many trials ended so."""
        return sum(one == status for one in self.ended.values())

    @property
    def is_over(self) -> bool:
        """Whether as many were trained as asked for, or as many refused or broken as bearable."""
        return (
            self.count("trained") >= self.search.trials
            or self.count("refused") >= self.search.most_refusals
            or self.count("failed") >= self.search.most_failures
        )

    @property
    def is_dangerous(self) -> bool:
        """Whether a trial that comes next has cut off this search again and again.

        The plug may have been pulled, or the network may crash whatever process trains it.
        """
        return any(self.cuts.get(name, 0) >= CUTS for name in self._retry_queue)

    @alone
    def let_go(self, tuner_id: str) -> int | None:
        """Give what a worker was at to another, and return its number; None if it was idle."""
        trial = self.ongoing_trials.pop(tuner_id, None)
        if trial is None:
            return None
        self._retry_queue.append(trial.trial_id)
        return number_of(trial.trial_id)

    @alone
    def create_trial(self, tuner_id: str) -> Trial:
        """Give the next trial; IDLE while it hangs on those under way, STOPPED at the end."""
        given = self._given(tuner_id)
        if given.status == TrialStatus.STOPPED:
            if self.ongoing_trials and not self.is_over:  # one of them may come back to be tried
                return Trial(HyperParameters(), status=TrialStatus.IDLE)
            self.dismissed.add(tuner_id)
        else:
            self.dismissed.discard(tuner_id)
        return given

    def _given(self, tuner_id: str) -> Trial:
        if tuner_id in self.ongoing_trials or (self._retry_queue and not self.is_over):
            return super().create_trial(tuner_id)
        if self.is_over:
            return Trial(HyperParameters(), status=TrialStatus.STOPPED)
        if self.count("trained") + len(self.ongoing_trials) >= self.search.trials:
            return Trial(HyperParameters(), status=TrialStatus.IDLE)
        return super().create_trial(tuner_id)

    @alone
    def end_trial(self, trial: Trial) -> None:
        """Take what is written of a trial; what was refused or broke has no score.

        One that is told again, as by a worker that was away for a while, is known already.
        """
        if trial.trial_id in self.ended:
            return
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        found = self.became(trial)
        self.ended[trial.trial_id] = found.status
        trial.status = TrialStatus.FAILED
        if found.status == "trained":
            objective = self.search.objective
            self.update_trial(trial.trial_id, {objective: found.score(objective)})
            trial.status = TrialStatus.COMPLETED
        self._ending = True  # nothing is saved on the way: some go on changing after that
        super().end_trial(trial)
        self._ending = False
        self.save()
        self.told(found)

    def became(self, trial: Trial) -> Tried:
        """What its worker has written of a trial before it said that it was over."""
        found = self.written.find(number_of(trial.trial_id))
        if found is None:
            raise IntegrityError(
                f"{self.written.folder}: trial {number_of(trial.trial_id)} has ended, and nothing "
                "is there of it: all workers share one --artifacts"
            )
        return found

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Say what to try; where that was tried already, something drawn at random."""
        with warnings.catch_warnings(), threadpool_limits(1):  # more are no faster here
            warnings.simplefilter("ignore", ConvergenceWarning)  # of a Gaussian process with little
            said: dict[str, Any] = super().populate_space(trial_id)
        if said.get("values"):
            said["values"] = self._rounded(said["values"])
        if said["status"] != TrialStatus.RUNNING or not self._duplicate(said["values"]):
            return said
        drawn = self._random_values()
        status = TrialStatus.RUNNING if drawn else TrialStatus.STOPPED
        return {"status": status, "values": drawn}

    def _rounded(self, values: Mapping[str, Any]) -> dict[str, Any]:
        space = self.search.space
        return {
            key: rounded(value, space[key]) if isinstance(value, float) and key in space else value
            for key, value in values.items()
        }

    def _random_values(self) -> dict[str, Any] | None:
        """Draw what was not tried, as it will be written down."""
        for _ in range(COLLISIONS):
            drawn: dict[str, Any] | None = super()._random_values()
            if drawn is None:
                return None
            drawn = self._rounded(drawn)
            if not self._duplicate(drawn):
                return drawn
        return None

    def save(self) -> None:
        """Put the whole state in its file, unless a trial is about to end."""
        if self._ending:
            return
        trials = [trial.get_state() for trial in self.trials.values()]
        ours = {"ended": self.ended, "cuts": self.cuts}
        write(self.file, json.dumps({**self.get_state(), "trials": trials, **ours}))

    def _save_trial(self, trial: Trial) -> None:
        """Nothing: `save`, which is called next, writes all of them."""

    def _take_up(self, held: Mapping[str, Any]) -> None:
        self.trials = {one["trial_id"]: Trial.from_state(one) for one in held["trials"]}
        self.set_state(dict(held))
        self.ended, self.cuts = held["ended"], held["cuts"]
        for trial_id in self.ended:
            number = number_of(trial_id)
            if self.written.find(number) is None:
                raise IntegrityError(f"{self.written.folder}: trial {number} is gone; {DAMAGED}")
        under_way = [
            name for name in self.start_order if self.trials[name].status == TrialStatus.RUNNING
        ]
        self._retry_queue = under_way[::-1]  # it is taken from the end
        for name in under_way:
            self.cuts[name] = self.cuts.get(name, 0) + 1
        self.ongoing_trials: dict[str, Trial] = {}
