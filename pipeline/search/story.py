"""What a person watching a search reads: a line a trial, and why it ended early."""

from collections import Counter
from collections.abc import Iterable
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
        trials, objective = self._trials.all(), self._search.objective
        if found.status != "trained":
            most = {"refused": self._search.most_refusals, "failed": self._search.most_failures}
            such = sum(trial.status == found.status for trial in trials)
            number = f"{such} of at most {most[found.status]}"
            return f"{begin}{found.status}: {found.reason}  ({values})  {number}"
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


def shortfall(search: Search, trials: Iterable[Trial]) -> str | None:
    """Why a search that is over has trained fewer than it was to; None where it has not."""
    counts = Counter(trial.status for trial in trials)
    if counts["trained"] >= search.trials:
        return None
    done = f"search: ended with {counts['trained']} of {search.trials} trained"
    if counts["refused"] >= search.most_refusals:
        return f"{done}: {counts['refused']} were over a limit (search.refusals allows more)"
    if counts["failed"] >= search.most_failures:
        return f"{done}: {counts['failed']} failed (search.failures allows more)"
    return f"{done}: there was nothing else to try"
