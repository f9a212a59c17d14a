"""KerasTuner's oracles, which say what to try next: one an algorithm, and what they draw from."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from pipeline.errors import ConfigError
from pipeline.search.kept import Kept, alone
from pipeline.search.space import Values, ladder
from pipeline.settings import Search
from pipeline.settings.searching import short

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import keras_tuner
    from keras_tuner.engine.hyperparameters import HyperParameters
    from keras_tuner.engine.trial import Trial, TrialStatus

DRAWS, STARTS = 1000, 4  # points at which the Gaussian process is asked, and gone on from
RESTARTS = 4  # of a fit of the Gaussian process: KerasTuner's 20 take seconds
EPOCHS = "tuner/epochs"  # what Hyperband calls those of a trial
CLOSED = "closed"  # of a bracket for which there is nothing new


class RandomOracle(Kept, keras_tuner.oracles.RandomSearchOracle):
    """Anything, by chance."""


class _Promising(keras_tuner.oracles.BayesianOptimizationOracle):
    """KerasTuner's, with its point of the lowest bound found in a tenth of the time.

    It goes down from 50 points drawn at random, 2 seconds for four settings; here from the best few
    of many more.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Say what to try: at first by chance, then where the bound is lowest.

        Source: Srinivas et al., 2010, "Gaussian process optimization in the bandit setting".
        """
        scored = sum(trial.status == TrialStatus.COMPLETED for trial in self.trials.values())
        if scored < self.num_initial_points:
            return dict(self._random_populate_space())
        self.gpr.fit(*map(np.nan_to_num, self._vectorize_trials()))
        bounds = self._get_hp_bounds()
        drawn = self._random_state.uniform(*bounds.T, size=(DRAWS, len(bounds)))
        starts = drawn[np.argsort(self._bound(drawn), kind="stable")[:STARTS]]
        ends = [minimize(lambda x: self._bound(x[None])[0], one, bounds=bounds) for one in starts]
        lowest = min(ends, key=lambda end: float(end.fun))
        return {"status": TrialStatus.RUNNING, "values": self._vector_to_values(lowest.x)}

    def _bound(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """How low the negative score may be at points `(N, settings)`, each 0..1: `(N,)`."""
        mean, deviation = self.gpr.predict(points, return_std=True)
        return np.asarray(mean - self.beta * deviation)

    def _make_gpr(self) -> Any:
        process = super()._make_gpr()
        process.n_restarts_optimizer = RESTARTS
        return process


class BayesianOracle(Kept, _Promising):
    """What a Gaussian process holds most promising; what was refused counts as the worst seen.

    KerasTuner's leaves it out, and would come back to it for ever.
    """

    def _vectorize_trials(self) -> Any:
        worst = min((one.score for one in self.trials.values() if one.score is not None), default=0)
        refused = [self.trials[name] for name, how in self.ended.items() if how == "refused"]
        for trial in refused:
            trial.status, trial.score = TrialStatus.COMPLETED, worst
        try:
            return super()._vectorize_trials()
        finally:
            for trial in refused:
                trial.status, trial.score = TrialStatus.FAILED, None

    def get_state(self) -> dict[str, Any]:
        """With where its random numbers stand."""
        name, keys, *rest = self._random_state.get_state()
        return {**super().get_state(), "random_state": [name, keys.tolist(), *rest]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take one up."""
        super().set_state(state)
        name, keys, *rest = state["random_state"]
        self._random_state.set_state((name, np.array(keys, np.uint32), *rest))


class _Halving(keras_tuner.oracles.HyperbandOracle):
    """KerasTuner's, which goes on where a round cannot be filled: that of a small space, or of one
    that has lost a trial. What is missing counts as what is thrown out.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Say what to try: what is best in a round that is over, or something new.

        Source: Li et al., 2018, "Hyperband: a novel bandit-based approach to hyperparameter
        optimization".
        """
        self._remove_completed_brackets()
        for bracket in self._brackets:
            said: dict[str, Any] | None = self._filled(trial_id, bracket)
            said = said or self._promoted(trial_id, bracket)
            if said:
                return said
        if not any(CLOSED in bracket for bracket in self._brackets):
            self._increment_bracket_num()
            self._start_new_bracket()
            said = self._filled(trial_id, self._brackets[-1])
            if said:
                return said
        return {"status": TrialStatus.IDLE if self.ongoing_trials else TrialStatus.STOPPED}

    def _filled(self, trial_id: str, bracket: dict[str, Any]) -> dict[str, Any] | None:
        """Something new for the first round of a bracket; None where it is full, or nothing is."""
        wanted = self._get_size(bracket["bracket_num"], 0)
        if CLOSED in bracket or len(bracket["rounds"][0]) >= wanted:
            return None
        said: dict[str, Any] = self._random_trial(trial_id, bracket)
        if said["status"] == TrialStatus.RUNNING:
            return said
        bracket[CLOSED] = True  # all there is was tried
        return None

    def _promoted(self, trial_id: str, bracket: dict[str, Any]) -> dict[str, Any] | None:
        """The best of a round, once it is known to be among those that go on."""
        number, rounds = bracket["bracket_num"], bracket["rounds"]
        grown = CLOSED in bracket or len(rounds[0]) >= self._get_size(number, 0)
        for place in range(1, len(rounds)):
            before, wanted = (self._get_size(number, one) for one in (place - 1, place))
            past = [self.trials[info["id"]] for info in rounds[place - 1]]
            gone_on = {info["past_id"] for info in rounds[place]}
            left = [
                trial
                for trial in past
                if trial.status == TrialStatus.COMPLETED and trial.trial_id not in gone_on
            ]
            lost = sum(trial.status == TrialStatus.FAILED for trial in past)
            missing = max(0, before - len(past)) if grown else 0
            if left and len(left) + lost + missing > before - wanted:
                best = max(left, key=lambda trial: trial.score)
                rounds[place].append({"past_id": best.trial_id, "id": trial_id})
                values = dict(best.hyperparameters.values) | {
                    "tuner/trial_id": best.trial_id,
                    EPOCHS: self._get_epochs(number, place),
                    "tuner/initial_epoch": self._get_epochs(number, place - 1),
                    "tuner/bracket": number,
                    "tuner/round": place,
                }
                return {"status": TrialStatus.RUNNING, "values": values}
            grown = grown and not any(trial.status == TrialStatus.RUNNING for trial in past)
        return None


class HyperbandOracle(Kept, _Halving):
    """Many for a few epochs, the best of them for more; over and over until there are enough.

    One that was refused or broke in the first round leaves its place to another.
    """

    @alone
    def end_trial(self, trial: Trial) -> None:
        """Take a result."""
        if self.became(trial).status != "trained":
            for bracket in self._brackets:
                first = bracket["rounds"][0]
                first[:] = [one for one in first if one["id"] != trial.trial_id]
        super().end_trial(trial)

    @property
    def first_bracket(self) -> int:
        """How many trials it takes until one has been trained for all epochs."""
        most = self._get_num_brackets() - 1
        return sum(self._get_size(most, number) for number in range(most + 1))


class GridOracle(Kept, keras_tuner.oracles.GridSearchOracle):
    """All there are, in order."""

    def get_state(self) -> dict[str, Any]:
        """With what of the grid was tried."""
        line = self._ordered_ids
        return {
            **super().get_state(),
            "tried": line._memory,
            "next": [[here, after] for here, after in line._next_index.items()],
            "last": line._last_index,
            "waiting": self._populate_next,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Take one up."""
        super().set_state(state)
        line = self._ordered_ids
        line._memory = state["tried"]
        line._data_to_index = {name: place for place, name in enumerate(state["tried"])}
        line._next_index.update(dict(state["next"]))
        line._last_index = state["last"]
        self._populate_next = state["waiting"]


def make(search: Search, epochs: int) -> Kept:
    """Make the oracle of a search whose trials have up to so many epochs.

    Raises:
        ConfigError: Hyperband would train none for all its epochs.
    """
    common: dict[str, Any] = {
        "objective": keras_tuner.Objective(search.objective, "max"),
        "hyperparameters": hyperparameters(search),
        "allow_new_entries": False,
        "tune_new_entries": False,
        "seed": _spread(search.seed),
        "max_consecutive_failed_trials": None,  # never: we count them ourselves
    }
    match search.algorithm:
        case "random":
            return RandomOracle(max_trials=None, **common)
        case "bayesian":
            first = min(3 * len(search.space), max(3, search.trials // 2))
            return BayesianOracle(max_trials=None, num_initial_points=first, **common)
        case "grid":
            return GridOracle(max_trials=None, **common)
    oracle = HyperbandOracle(
        max_epochs=epochs, factor=search.factor, hyperband_iterations=None, **common
    )
    if search.trials < oracle.first_bracket:
        raise ConfigError(
            f"search.trials: hyperband of {epochs} epochs by {search.factor} trains "
            f"{oracle.first_bracket} until one has them all, not {search.trials}: more trials, "
            "fewer search.epochs, or a larger search.factor"
        )
    return oracle


def _spread(seed: int) -> int:
    """A seed for KerasTuner: 0 is none there, and of two that are neighbours one draws what the
    other draws, only later.
    """
    return int(np.random.SeedSequence(seed).generate_state(1)[0]) + 1


def hyperparameters(search: Search) -> HyperParameters:
    """The space as KerasTuner has it; choices by what they are called, fractions by their place.

    Its own steps of fractions stop short of the end, its grid of ten has eleven in no order.
    """
    found = HyperParameters()
    for key, said in search.space.items():
        steps = ladder(said, whole=search.algorithm == "grid")
        if steps:
            found.Int(key, 0, len(steps) - 1)
            continue
        for kind, values in said.items():
            match kind:
                case "int":
                    found.Int(key, *values)
                case "float":
                    found.Float(key, *map(float, values))
                case "log":
                    found.Float(key, *map(float, values), sampling="log")
                case "choice":
                    found.Choice(key, [short(value) for value in values])
    return found


def values(search: Search, trial: Trial) -> tuple[Values, int | None]:
    """The settings a trial stands for, and its epochs where the algorithm sets them."""
    said = trial.hyperparameters.values
    found = {}
    for key, range_ in search.space.items():
        names = {short(value): value for value in range_.get("choice", ())}
        steps = ladder(range_, whole=search.algorithm == "grid")
        found[key] = names[said[key]] if names else steps[said[key]] if steps else said[key]
    return found, said.get(EPOCHS)
