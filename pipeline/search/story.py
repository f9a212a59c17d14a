"""What a person watching a search reads: a line a trial."""

from statistics import fmean

from pipeline.search.trials import Trial, Trials, best
from pipeline.settings import Search
from pipeline.show.numbers import duration

MARKS = {"trained": "✓", "refused": "·", "failed": "✗"}


class Story:
    """Tells a trial from what came before it."""

    def __init__(self, search: Search, trials: Trials) -> None:
        self._search, self._trials = search, trials

    def line(self, found: Trial) -> str:
        """What was tried and what came of it; the best so far, and how long it may still take."""
        values = f"{found.said}, {found.epochs} epochs" if found.epochs else found.said
        begin = f"{MARKS[found.status]} trial {found.trial:<4} "
        if found.status != "trained":
            return f"{begin}{found.status}: {found.reason}  ({values})"
        trials, objective = self._trials.all(), self._search.objective
        trained = [trial for trial in trials if trial.status == "trained"]
        leader = best(trained, objective) or found
        size = f"{(found.bytes or 0) / 1000:,.1f} kB  {found.latency_us or 0:,.1f} us"
        done = f"{len(trained)}/{self._search.trials}"
        leads = f"best {leader.score(objective):.2%} (trial {leader.trial})"
        told = [
            f"{found.score(objective):.2%}",
            size,
            f"{found.seconds:.1f} s",
            values,
            done,
            leads,
        ]
        left = self._search.trials - len(trained)
        if left > 0:
            seconds = fmean(trial.seconds for trial in trained) * left / self._search.workers
            told.append(f"{duration(seconds)} left")
        return begin + "  ".join(told)
