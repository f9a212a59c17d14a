"""Signs of life: who is heard of, who has gone, and how long a worker waits for its chief."""

import threading
import time

import pytest

from pipeline.errors import IntegrityError, ResourceError
from pipeline.search import company, roles, wire
from pipeline.search.trials import number_of
from tests.search.test_oracles import ALGORITHMS, Pretence, end

TWO = ALGORITHMS["random"].model_copy(update={"trials": 2, "max_bytes": None})


@pytest.fixture
def pretence(tmp_path):
    return Pretence(TWO, tmp_path)


@pytest.fixture
def client(monkeypatch):
    """Make clients of a port, under a name."""

    def make(port, name="attic"):
        monkeypatch.setenv(roles.IP, roles.LOOPBACK)
        monkeypatch.setenv(roles.PORT, str(port))
        monkeypatch.setenv(roles.ID, name)
        return wire.Client()

    return make


def crew(oracle):
    """A chief's, without a worker of its own."""
    return company._Crew(bench=None, oracle=oracle, recipe=None, address={})


def wait_for(condition, seconds=20.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


def test_a_worker_that_trains_is_heard_of(pretence, client, monkeypatch):
    monkeypatch.setattr(wire, "SIGN", 0.1)
    with wire.served(pretence.begin(), roles.LOOPBACK, 0) as (servicer, port):
        attic = client(port)
        attic.create_trial("attic")
        time.sleep(1.0)  # it says nothing of its own for a while
        wait_for(lambda: servicer.silent("attic") < 0.5)
        servicer.heed()


def test_of_a_worker_that_has_gone_another_takes_the_trial(pretence, client, monkeypatch, capsys):
    monkeypatch.setattr(wire, "SIGN", 1000.0)
    oracle = pretence.begin()
    with wire.served(oracle, roles.LOOPBACK, 0) as (servicer, port):
        ours, attic = crew(oracle), client(port)
        lost = attic.create_trial("attic")
        assert not ours.is_done(servicer), "it is at a trial"
        monkeypatch.setattr(wire, "SILENCE", 0.3)
        time.sleep(0.5)
        assert ours.is_done(servicer), "nobody else is there, and the chief would wait for ever"
        told = f"trial {number_of(lost.trial_id)} is another's now"
        assert f"attic has not been heard of for 0 s; {told}" in capsys.readouterr().err
        monkeypatch.setattr(wire, "SILENCE", 60.0)
        cellar = client(port, "cellar")
        assert cellar.create_trial("cellar").trial_id == lost.trial_id
        assert not ours.is_done(servicer)
        for given in (lost, cellar.create_trial("cellar")):  # both come to their end
            pretence.trials.keep(pretence.outcome(given))
            end(attic, given, pretence.trials.find(number_of(given.trial_id)))
        assert len(pretence.lines) == 1
        assert not oracle.ongoing_trials
        servicer.heed()


def test_a_chief_ends_when_all_that_are_there_were_told(pretence, client):
    oracle = pretence.begin()
    with wire.served(oracle, roles.LOOPBACK, 0) as (servicer, port):
        attic, ours = client(port), crew(oracle)
        assert ours.is_done(servicer), "nobody has come yet"
        for _ in range(2):
            given = attic.create_trial("attic")
            pretence.trials.keep(pretence.outcome(given))
            end(attic, given, pretence.trials.find(number_of(given.trial_id)))
        assert not ours.is_done(servicer), "it has not asked again"
        assert attic.create_trial("attic").status == "STOPPED"
        assert ours.is_done(servicer)


def test_one_that_is_idle_is_told_as_well(pretence, client):
    oracle = pretence.begin()
    with wire.served(oracle, roles.LOOPBACK, 0) as (servicer, port):
        ours = crew(oracle)
        workers = {name: client(port, name) for name in ("a", "b", "late")}
        given = [workers[name].create_trial(name) for name in "ab"]
        assert workers["late"].create_trial("late").status == "IDLE"
        for one in given:
            pretence.trials.keep(pretence.outcome(one))
            end(workers["a"], one, pretence.trials.find(number_of(one.trial_id)))
        for name in "ab":
            assert workers[name].create_trial(name).status == "STOPPED"
        assert not ours.is_done(servicer)
        assert workers["late"].create_trial("late").status == "STOPPED"
        assert ours.is_done(servicer)


def test_a_worker_waits_for_its_chief_but_not_for_ever(pretence, client, monkeypatch, capsys):
    monkeypatch.setattr(wire, "AT_ONCE", 0.2)
    with wire.served(pretence.begin(), roles.LOOPBACK, 0) as (_, port):
        attic = client(port)
        attic.create_trial("attic")
    asked = []
    waiting = threading.Thread(target=lambda: asked.append(attic.create_trial("attic")))
    waiting.start()
    time.sleep(1.0)
    assert not asked
    with wire.served(pretence.begin(), roles.LOOPBACK, port):
        waiting.join(20.0)
        assert asked
        assert asked[0].trial_id == "0000", "the trial it had"
    assert f"waiting for the chief: 127.0.0.1:{port} does not" in capsys.readouterr().err
    monkeypatch.setattr(wire, "PATIENCE", 0.5)
    with pytest.raises(ResourceError, match=rf"127.0.0.1:{port}: no chief for .* start this again"):
        attic.create_trial("attic")


def test_what_went_wrong_at_the_chief_ends_its_workers(pretence, client):
    oracle = pretence.begin()
    with wire.served(oracle, roles.LOOPBACK, 0) as (servicer, port):
        attic = client(port)
        given = attic.create_trial("attic")
        given.status = "FAILED"
        with pytest.raises(ResourceError, match=r"the chief has ended: .*trial 1 has ended"):
            attic.end_trial(given)  # nothing was written of it
        with pytest.raises(ResourceError, match="the chief has ended"):
            attic.create_trial("attic")
        with pytest.raises(IntegrityError, match="nothing is there of it: all workers share one"):
            servicer.heed()


def test_an_address_of_six_is_one():
    try:
        with wire.served(None, "::1", 0) as (_, port):
            assert port > 0
    except ResourceError:
        pytest.skip("this machine has no IPv6")


def test_a_proxy_is_not_asked_for_this_machine(pretence, client, monkeypatch):
    for name in ("http_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(wire, "PATIENCE", 5.0)
    with wire.served(pretence.begin(), roles.LOOPBACK, 0) as (_, port):
        assert client(port).create_trial("attic").status == "RUNNING"


def test_signs_of_life_are_heard_while_a_trial_is_thought_of(pretence, client, monkeypatch):
    monkeypatch.setattr(wire, "SIGN", 0.1)
    oracle = pretence.begin()
    with wire.served(oracle, roles.LOOPBACK, 0) as (servicer, port):
        attic, cellar = client(port), client(port, "cellar")
        attic.create_trial("attic")
        with oracle.lock:  # as by a long fit
            asking = threading.Thread(target=cellar.create_trial, args=("cellar",))
            asking.start()
            time.sleep(1.5)
            wait_for(lambda: servicer.silent("attic") < 0.5)
            wait_for(lambda: servicer.silent("cellar") < 0.5)
        asking.join(20.0)


def test_a_worker_whose_last_word_is_a_crash_is_not_replaced(pretence, client, monkeypatch):
    class Ended:
        def poll(self):
            return -6

    oracle = pretence.begin()
    ours = crew(oracle)
    ours.workers.append(company._Worker("worker1", Ended()))
    monkeypatch.setattr(ours, "_replace", lambda worker, code: replaced.append(code))
    replaced = []
    with wire.served(oracle, roles.LOOPBACK, 0) as (servicer, port):
        worker = client(port, "worker1")
        for _ in range(2):
            given = worker.create_trial("worker1")
            pretence.trials.keep(pretence.outcome(given))
            end(worker, given, pretence.trials.find(number_of(given.trial_id)))
        ours.is_done(servicer)
        assert replaced == [-6]
        assert worker.create_trial("worker1").status == "STOPPED"
        replaced.clear()
        ours.is_done(servicer)
        assert not replaced


def test_one_that_trains_for_a_chief_begun_anew_is_waited_for(pretence, client, monkeypatch):
    monkeypatch.setattr(wire, "SIGN", 0.1)
    oracle = pretence.begin()
    with wire.served(oracle, roles.LOOPBACK, 0) as (servicer, port):
        attic, ours = client(port), crew(oracle)
        wait_for(lambda: "attic" in servicer.known)
        assert not ours.is_done(servicer), "it is there, and does not know that it is over"
        while attic.create_trial("attic").status != "STOPPED":
            given = attic.create_trial("attic")
            pretence.trials.keep(pretence.outcome(given))
            end(attic, given, pretence.trials.find(number_of(given.trial_id)))
        assert ours.is_done(servicer)
