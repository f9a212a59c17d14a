"""What KerasTuner's oracles say next, through kills; trials are made up, nothing is trained."""

import itertools
import json
import threading

import keras_tuner
import pytest

from pipeline.errors import ConfigError, IntegrityError
from pipeline.search import kept, oracles
from pipeline.search.trials import Trial, Trials, number_of
from pipeline.settings import Search

SPACE = {
    "build.width": {"int": [8, 64, 8]},
    "train.learning_rate": {"log": [1e-4, 1e-2]},
    "augment.policy": {"choice": ["light", "strong", [{"flip": None}]]},
}
SMALL = {"build.width": {"int": [8, 24, 8]}, "train.batch": {"choice": [32, 64]}}
ALGORITHMS = {
    "random": Search(algorithm="random", space=SPACE, trials=12, max_bytes=40),
    "bayesian": Search(algorithm="bayesian", space=SPACE, trials=9, max_bytes=40),
    "grid": Search(algorithm="grid", space=SPACE, trials=12, max_bytes=40),
    "hyperband": Search(algorithm="hyperband", space=SPACE, trials=14, max_bytes=40),
}
EPOCHS = 4


class Killed(Exception):
    """The process is gone."""


class Pretence:
    """A search whose trials have a score by formula, and which may be killed."""

    def __init__(self, search, folder):
        self.search, self.folder = search, folder
        self.trials, self.lines, self.tried = Trials(folder / "trials"), [], []

    def begin(self):
        oracle = oracles.make(self.search, EPOCHS)
        oracle.watch(self.search, self.folder / "oracle.json", self.trials, self.lines.append)
        return oracle

    def outcome(self, trial):
        values, epochs = oracles.values(self.search, trial)
        width = values.get("build.width", 8)
        said = {"trial": number_of(trial.trial_id), "values": values, "epochs": epochs}
        if self.search.max_bytes and width > self.search.max_bytes:
            return Trial(**said, status="refused", bytes=width, latency_us=1.0, macs=1, seconds=0)
        if values.get("augment.policy") == "strong" and width == 16:
            return Trial(**said, status="failed", seconds=0, reason="made up")
        rate = values.get("train.learning_rate", 1e-3)
        score = 0.9 - abs(rate - 3e-3) - abs(width - 24) / 1000 + (epochs or 0) / 1000
        return Trial(
            **said, status="trained", val_accuracy=score, bytes=width, latency_us=1.0, seconds=0
        )

    def run(self, oracle, kill_at=None, name="tuner0"):
        """Work until the end, or until the event `kill_at`: before or after a trial is written."""
        events = itertools.count()

        def alive():
            if kill_at is not None and next(events) >= kill_at:
                raise Killed

        while True:
            given = oracle.create_trial(name)
            if given.status in {"STOPPED", "IDLE"}:
                return given.status
            alive()
            found = self.trials.find(number_of(given.trial_id))
            if found is None:
                found = self.outcome(given)
                self.tried.append(found.trial)
                self.trials.keep(found)
            alive()
            end(oracle, given, found)
            alive()


def end(oracle, given, found):
    given.status = "COMPLETED" if found.status == "trained" else "FAILED"
    oracle.end_trial(given)


def points(pretence):
    return [(one.status, one.values, one.epochs) for one in pretence.trials.all()]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_killed_anywhere_tries_what_an_undisturbed_one_does(algorithm, tmp_path):
    search = ALGORITHMS[algorithm]
    whole = Pretence(search, tmp_path / "whole")
    assert whole.run(whole.begin()) == "STOPPED"
    events = 3 * len(whole.trials.all())
    for kill_at in range(0, events, 13 if algorithm == "bayesian" else 5):
        cut = Pretence(search, tmp_path / f"cut{kill_at}")
        with pytest.raises(Killed):
            cut.run(cut.begin(), kill_at)
        assert cut.run(cut.begin()) == "STOPPED"
        assert points(cut) == points(whole)
        assert sorted(cut.tried) == sorted(set(cut.tried)), "one was tried twice"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_trials_count_what_was_trained_and_no_point_is_tried_twice(algorithm, tmp_path):
    search = ALGORITHMS[algorithm]
    pretence = Pretence(search, tmp_path)
    pretence.run(pretence.begin())
    found = pretence.trials.all()
    assert sum(one.status == "trained" for one in found) == search.trials
    tried = [json.dumps([one.values, one.epochs]) for one in found]
    assert len(set(tried)) == len(tried)
    assert {one.status for one in found} >= {"trained", "refused"} or algorithm == "grid"
    assert [one.trial for one in pretence.lines] == list(range(1, len(found) + 1))


def test_seed_0_is_a_seed_and_another_seed_another_search(tmp_path):
    def drawn(seed, folder):
        search = ALGORITHMS["random"].model_copy(update={"seed": seed})
        pretence = Pretence(search, tmp_path / folder)
        pretence.run(pretence.begin())
        return points(pretence)

    assert drawn(0, "a") == drawn(0, "b") != drawn(1, "c")


def test_a_grid_killed_while_a_trial_ends_goes_on_to_its_end(tmp_path, monkeypatch):
    """At whichever write: what it has tried and what it tries next are in one file."""
    search = Search(algorithm="grid", space=SMALL, trials=50)
    written = kept.write
    for kill_at in range(1, 12):
        cut = Pretence(search, tmp_path / str(kill_at))
        writes = itertools.count(1)

        def write(path, text, writes=writes, kill_at=kill_at):
            written(path, text)
            if next(writes) == kill_at:
                raise Killed

        monkeypatch.setattr(kept, "write", write)
        with pytest.raises(Killed):
            cut.run(cut.begin())
        monkeypatch.setattr(kept, "write", written)
        assert cut.run(cut.begin()) == "STOPPED"
        assert len(cut.trials.all()) == 6
        assert sorted(cut.tried) == sorted(set(cut.tried)), "one was tried twice"


def test_a_grid_of_fractions_is_in_order_with_both_ends(tmp_path):
    space = {
        "train.label_smoothing": {"float": [0, 0.3, 0.1]},
        "train.learning_rate": {"log": [1, 9]},
    }
    pretence = Pretence(Search(algorithm="grid", space=space, trials=50), tmp_path)
    pretence.run(pretence.begin())
    found = [tuple(one.values.values()) for one in pretence.trials.all()]
    assert len(found) == 40
    assert {one[0] for one in found} == {0, 0.1, 0.2, 0.3}
    assert [one[1] for one in found[:10]] == sorted(one[1] for one in found[:10])
    assert (found[0], found[9], found[-1]) == ((0, 1), (0, 9), (0.3, 9))


def test_no_point_is_tried_twice_as_it_is_written_down(tmp_path):
    search = Search(
        algorithm="random", space={"train.label_smoothing": {"float": [0, 0.1]}}, trials=400
    )
    pretence = Pretence(search, tmp_path)
    pretence.run(pretence.begin())
    tried = [one.values["train.label_smoothing"] for one in pretence.trials.all()]
    assert tried == [round(one, 5) for one in tried]
    assert len(set(tried)) == len(tried) == 400


def test_a_chief_that_begins_anew_takes_the_end_of_a_trial_from_what_is_written(tmp_path):
    pretence = Pretence(ALGORITHMS["random"], tmp_path)
    given = pretence.begin().create_trial("attic")
    found = pretence.outcome(given).model_copy(update={"status": "trained", "val_accuracy": 0.5})
    pretence.trials.keep(found)
    again = pretence.begin()
    given.status = "FAILED"  # whatever a message says
    again.end_trial(given)
    assert again.trials[given.trial_id].score == 0.5
    assert again.trials[given.trial_id].status == "COMPLETED"


def test_who_finds_nothing_new_waits_for_what_is_under_way(tmp_path):
    search = Search(algorithm="random", space={"train.batch": {"choice": [8, 16]}}, trials=9)
    pretence = Pretence(search, tmp_path)
    oracle = pretence.begin()
    lost, other = oracle.create_trial("attic"), oracle.create_trial("worker1")
    pretence.trials.keep(pretence.outcome(other))
    end(oracle, other, pretence.trials.find(number_of(other.trial_id)))
    assert oracle.create_trial("worker1").status == "IDLE"
    assert "worker1" not in oracle.dismissed
    oracle.let_go("attic")
    assert oracle.create_trial("worker1").trial_id == lost.trial_id
    pretence.trials.keep(pretence.outcome(lost))
    end(oracle, lost, pretence.trials.find(number_of(lost.trial_id)))
    assert oracle.create_trial("worker1").status == "STOPPED"
    assert oracle.dismissed == {"worker1"}


def test_what_failed_once_fails_in_every_thread(tmp_path):
    pretence = Pretence(ALGORITHMS["random"], tmp_path)
    oracle = pretence.begin()
    given = oracle.create_trial("a")
    problems = []

    def call(method, *arguments):
        try:
            method(*arguments)
        except IntegrityError as error:
            problems.append(error)

    for method, argument in ((oracle.end_trial, given), (oracle.create_trial, "b")):
        thread = threading.Thread(target=call, args=(method, argument))
        thread.start()
        thread.join(10.0)
        assert not thread.is_alive(), "it waits for a lock that nobody gives back"
    call(oracle.let_go, "a")
    assert len(problems) == 3


def test_a_grid_is_all_there_is(tmp_path):
    pretence = Pretence(Search(algorithm="grid", space=SMALL, trials=50), tmp_path)
    assert pretence.run(pretence.begin()) == "STOPPED"
    tried = {
        (one.values["build.width"], one.values["train.batch"]) for one in pretence.trials.all()
    }
    assert tried == set(itertools.product((8, 16, 24), (32, 64)))


@pytest.mark.parametrize("algorithm", ["random", "bayesian"])
def test_a_small_space_is_searched_to_its_end(algorithm, tmp_path):
    pretence = Pretence(Search(algorithm=algorithm, space=SMALL, trials=50), tmp_path)
    assert pretence.run(pretence.begin()) == "STOPPED"
    assert len(pretence.trials.all()) == 6


def test_a_bayesian_search_goes_where_it_is_good(tmp_path):
    """Chance comes first; the best, which lies at the edge of the space, is found after it."""
    search = Search(space={"train.learning_rate": {"float": [1e-4, 0.5]}}, trials=18)
    pretence = Pretence(search, tmp_path)
    pretence.run(pretence.begin())
    scores = [one.val_accuracy for one in pretence.trials.all()]
    width = 0.9 - 16 / 1000  # the space has none: what is left is a formula of the rate alone
    assert max(scores[:3]) < width - 0.02
    assert max(scores) > width - 0.004


def test_a_search_that_is_refused_all_along_ends(tmp_path):
    search = ALGORITHMS["bayesian"].model_copy(update={"max_bytes": 1, "refusals": 7})
    pretence = Pretence(search, tmp_path)
    assert pretence.run(pretence.begin()) == "STOPPED"
    assert [one.status for one in pretence.trials.all()] == ["refused"] * 7


def test_more_trials_may_be_asked_for_later(tmp_path):
    first = Pretence(ALGORITHMS["random"], tmp_path)
    first.run(first.begin())
    more = Pretence(ALGORITHMS["random"].model_copy(update={"trials": 15}), tmp_path)
    more.run(more.begin())
    found = more.trials.all()
    assert sum(one.status == "trained" for one in found) == 15
    assert not set(more.tried) & set(first.tried)


def test_two_workers_share_the_trials_and_the_last_one_is_not_begun_twice(tmp_path):
    pretence = Pretence(ALGORITHMS["random"].model_copy(update={"trials": 3}), tmp_path)
    oracle = pretence.begin()
    under_way = {name: oracle.create_trial(name) for name in ("a", "b")}
    assert oracle.create_trial("a").trial_id == under_way["a"].trial_id  # a worker that came back
    third = oracle.create_trial("c")
    assert third.status == "RUNNING"
    assert oracle.create_trial("d").status == "IDLE"  # it may be wanted, if one is refused
    assert len({one.trial_id for one in (*under_way.values(), third)}) == 3


def test_hyperband_promotes_the_best_to_all_the_epochs(tmp_path):
    pretence = Pretence(ALGORITHMS["hyperband"], tmp_path)
    pretence.run(pretence.begin())
    trained = [one for one in pretence.trials.all() if one.status == "trained"]
    longest = [one for one in trained if one.epochs == EPOCHS]
    assert longest
    short = [one for one in trained if one.epochs == min(one.epochs for one in trained)]
    best = max(short, key=lambda one: one.val_accuracy)
    assert best.values in [one.values for one in trained if one.epochs > best.epochs]


def test_a_hyperband_goes_on_where_a_space_is_too_small_to_fill_it(tmp_path):
    """It begins with 5 at 2 epochs, of which 2 go on; here there are 3 within the limit."""
    space = {"build.width": {"int": [8, 44, 4]}}
    search = ALGORITHMS["hyperband"].model_copy(update={"space": space, "max_bytes": 16})
    pretence = Pretence(search, tmp_path)
    assert pretence.run(pretence.begin()) == "STOPPED"
    trained = [one for one in pretence.trials.all() if one.status == "trained"]
    by_epochs = {epochs: [t for t in trained if t.epochs == epochs] for epochs in (1, 2, 4)}
    longest = by_epochs[EPOCHS]
    assert longest
    shorter = [one for one in trained if one.epochs < EPOCHS]
    best = max(shorter, key=lambda one: one.val_accuracy)
    assert best.values in [one.values for one in longest]


def test_a_hyperband_goes_on_where_a_later_round_loses_one(tmp_path):
    search = ALGORITHMS["hyperband"].model_copy(update={"trials": 16, "max_bytes": None})

    class Losing(Pretence):
        lost = 0

        def outcome(self, trial):
            found = super().outcome(trial)
            if found.epochs == 3 and not self.lost:
                self.lost = found.trial
                return found.model_copy(update={"status": "failed", "val_accuracy": None})
            return found

        def begin(self):
            oracle = oracles.make(self.search, 9)
            oracle.watch(self.search, self.folder / "oracle.json", self.trials, self.lines.append)
            return oracle

    pretence = Losing(search, tmp_path)
    assert pretence.run(pretence.begin()) == "STOPPED"
    assert pretence.lost
    assert [one for one in pretence.trials.all() if (one.epochs, one.status) == (9, "trained")]


def test_a_hyperband_promotes_what_it_would_with_nothing_lost(tmp_path):
    """Ours against KerasTuner's: the same trials where each round is full."""
    search = ALGORITHMS["hyperband"].model_copy(update={"max_bytes": None})
    space = {"train.learning_rate": SPACE["train.learning_rate"]}
    search = search.model_copy(update={"space": space})
    ours = Pretence(search, tmp_path / "ours")
    ours.run(ours.begin())

    class Theirs(Pretence):
        def begin(self):
            oracle = super().begin()
            populate = keras_tuner.oracles.HyperbandOracle.populate_space
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(oracles._Halving, "populate_space", populate)
                self.run(oracle)
            return oracle

    theirs = Theirs(search, tmp_path / "theirs")
    theirs.begin()
    assert points(ours) == points(theirs)


def test_what_a_worker_that_is_gone_was_at_is_anothers(tmp_path):
    pretence = Pretence(ALGORITHMS["random"].model_copy(update={"trials": 2}), tmp_path)
    oracle = pretence.begin()
    lost, other = oracle.create_trial("attic"), oracle.create_trial("worker1")
    assert oracle.let_go("attic") == number_of(lost.trial_id)
    assert oracle.let_go("attic") is None
    pretence.trials.keep(pretence.outcome(other))
    end(oracle, other, pretence.trials.find(number_of(other.trial_id)))
    again = oracle.create_trial("worker1")
    assert again.trial_id == lost.trial_id
    # The lost one comes back, and tells what has been told, or is told by another, all the same.
    pretence.trials.keep(pretence.outcome(lost))
    for _ in range(2):
        end(oracle, lost, pretence.trials.find(number_of(lost.trial_id)))
    assert not oracle.ongoing_trials
    assert oracle.end_order.count(lost.trial_id) == 1
    assert [one.trial for one in pretence.lines].count(number_of(lost.trial_id)) == 1


def test_a_trial_that_comes_back_before_another_has_taken_it_is_not_tried_again(tmp_path):
    pretence = Pretence(ALGORITHMS["random"].model_copy(update={"trials": 5}), tmp_path)
    oracle = pretence.begin()
    lost = oracle.create_trial("attic")
    oracle.let_go("attic")
    pretence.trials.keep(pretence.outcome(lost))
    end(oracle, lost, pretence.trials.find(number_of(lost.trial_id)))
    assert oracle.create_trial("worker1").trial_id != lost.trial_id


def test_a_trial_that_cuts_a_search_off_twice_is_dangerous(tmp_path):
    pretence = Pretence(ALGORITHMS["random"], tmp_path)
    first = pretence.begin().create_trial("tuner0")
    assert not pretence.begin().is_dangerous
    assert pretence.begin().create_trial("tuner0").trial_id == first.trial_id
    again = pretence.begin()
    assert again.is_dangerous
    given = again.create_trial("tuner0")
    pretence.trials.keep(pretence.outcome(given))
    end(again, given, pretence.trials.find(number_of(given.trial_id)))
    assert not pretence.begin().is_dangerous


def test_a_trial_removed_by_hand_is_missed(tmp_path):
    pretence = Pretence(ALGORITHMS["random"], tmp_path)
    pretence.run(pretence.begin())
    (tmp_path / "trials" / "0002.json").unlink()
    with pytest.raises(IntegrityError, match="trial 2 is gone; give the search another name="):
        pretence.begin()


def test_failures_end_a_search_after_three_at_least(tmp_path):
    one = ALGORITHMS["random"].model_copy(update={"trials": 1, "max_bytes": None})
    space = {"build.width": {"int": [16, 16 + 1]}, "augment.policy": {"choice": ["strong", "b"]}}
    assert (one.most_failures, ALGORITHMS["random"].most_failures) == (3, 12)
    asked = one.model_copy(update={"failures": 1, "trials": 4, "space": space})
    pretence = Pretence(asked, tmp_path)
    assert pretence.run(pretence.begin()) == "STOPPED"
    assert [found.status for found in pretence.trials.all()].count("failed") == 1


def test_a_hyperband_that_would_finish_none_is_refused():
    search = ALGORITHMS["hyperband"].model_copy(update={"trials": 20})
    with pytest.raises(ConfigError, match="trains 52 until one has them all, not 20"):
        oracles.make(search, 60)
