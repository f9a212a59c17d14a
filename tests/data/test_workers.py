import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from joblib.externals.loky import get_reusable_executor

from pipeline.data import workers
from pipeline.data.decoding import Rules
from pipeline.data.sources import Found
from pipeline.data.workers import AHEAD, CHUNK, decode_chunk, decoded, decoded_here
from pipeline.settings import Ingest
from tests.front_door import ROOT
from tests.picture_sets import write_folder

RULES = Rules.of(Ingest(), files=False)


def numbered(count):
    """Pictures whose only pixel is their number's last byte."""
    for number in range(count):
        yield Found(f"number {number}", 0, np.full((1, 1), number % 256, np.uint8))


def numbers(outcomes):
    """What came back, by the place it has: the pixel, or the reason for none."""
    return [
        (found.where, outcome if isinstance(outcome, str) else int(outcome.pixels[0, 0, 0]))
        for found, outcome in outcomes
    ]


def expected(count, lost=()):
    return [(f"number {n}", "crashes its decoder" if n in lost else n % 256) for n in range(count)]


def kill_at(*places):
    """Decode, but end the whole process at some pictures, as a crashing decoder does."""

    def work(pictures, rules):
        for picture in pictures:
            if int(picture.where.split()[1]) in places:
                os.kill(os.getpid(), signal.SIGKILL)
        return decode_chunk(pictures, rules)

    return work


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, 20 * CHUNK + 3])
def test_every_picture_comes_back_in_the_order_given(count):
    assert numbers(decoded(numbered(count), RULES, processes=2)) == expected(count)


def test_order_is_kept_where_some_pictures_take_longer():
    def slow_first(pictures, rules):
        if pictures[0].where == "number 0":
            time.sleep(0.3)
        return decode_chunk(pictures, rules)

    outcomes = decoded(numbered(6 * CHUNK), RULES, slow_first, processes=2)
    assert numbers(outcomes) == expected(6 * CHUNK)


def test_the_same_comes_of_all_cores_of_one_and_of_none(tmp_path, digits):
    folder = write_folder(tmp_path, digits[0][:40], digits[1][:40])
    (folder / "0" / "broken.png").write_bytes(b"\x89PNG")
    paths = sorted(folder.rglob("*.png"))

    def found():
        return (Found(path.name, 0, str(path)) for path in paths)

    def told(outcomes):
        return [
            (one.where, outcome if isinstance(outcome, str) else outcome.pixels.tobytes())
            for one, outcome in outcomes
        ]

    here = told(decoded_here(found(), RULES))
    assert [where for where, _ in here] == [path.name for path in paths]
    assert [where for where, outcome in here if isinstance(outcome, str)] == ["broken.png"]
    for processes in (None, 1):
        assert told(decoded(found(), RULES, processes=processes)) == here


def test_work_is_done_in_other_processes():
    def tell(pictures, rules):
        return [str(os.getpid()) for _ in pictures]

    pids = {outcome for _, outcome in decoded(numbered(200), RULES, tell, processes=2)}
    assert 1 <= len(pids) <= 2
    assert str(os.getpid()) not in pids


@pytest.mark.parametrize("lost", [(0,), (CHUNK + 3, CHUNK + 4), (199,)])
def test_a_picture_that_ends_its_process_is_lost_alone(lost):
    outcomes = decoded(numbered(200), RULES, kill_at(*lost), processes=2)
    assert numbers(outcomes) == expected(200, lost)


def test_a_process_that_dies_once_by_chance_loses_no_picture(tmp_path):
    def die_once(pictures, rules):
        mark = tmp_path / "died"
        if pictures[0].where == f"number {CHUNK}" and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return decode_chunk(pictures, rules)

    assert numbers(decoded(numbered(100), RULES, die_once, processes=2)) == expected(100)
    assert (tmp_path / "died").exists()


def test_a_mistake_of_ours_is_raised_not_taken_for_a_bad_picture():
    def wrong(pictures, rules):
        raise ZeroDivisionError("of ours")

    with pytest.raises(ZeroDivisionError, match="of ours"):
        list(decoded(numbered(3), RULES, wrong, processes=2))


def test_a_source_is_read_no_further_ahead_than_said_however_slow_its_reader():
    given = 0

    def counting():
        nonlocal given
        for found in numbered(5000):
            given += 1
            yield found

    outcomes = decoded(counting(), RULES, processes=2)
    for taken in range(1, 3 * CHUNK):
        next(outcomes)
        if taken % CHUNK == 1:
            time.sleep(0.2)  # time enough for the processes to go on by themselves
        assert given <= taken + (AHEAD * 2 + 1) * CHUNK
    outcomes.close()


def test_processes_with_nothing_to_do_end(monkeypatch):
    get_reusable_executor().shutdown()
    monkeypatch.setattr(workers, "IDLE", 0.5)
    before = {child.pid for child in psutil.Process().children()}
    assert numbers(decoded(numbered(40), RULES, processes=3)) == expected(40)
    begun = {child for child in psutil.Process().children() if child.pid not in before}
    decoding = [child for child in begun if "popen_loky" in " ".join(child.cmdline())]
    assert decoding
    assert psutil.wait_procs(decoding, timeout=15)[1] == []


def test_no_process_outlives_the_one_that_began_it():
    code = """
import psutil
from tests.data.test_workers import RULES, decoded, numbered
outcomes = decoded(numbered(1000), RULES, processes=2)
next(outcomes)
print(*(child.pid for child in psutil.Process().children(recursive=True)))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) >= 2
    left = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    assert psutil.wait_procs(left, timeout=10)[1] == []


def test_processes_end_with_the_one_that_started_them_however_it_ends():
    code = """
import os, time
from pipeline.data.decoding import Rules
from pipeline.data.sources import Found
from pipeline.data.workers import decoded
from pipeline.settings import Ingest

def wait(pictures, rules):
    time.sleep(60)

def pictures():
    for number in range(100):
        if number == 40:
            import psutil
            kids = [kid.pid for kid in psutil.Process().children() if "Loky" in str(kid.cmdline())]
            print(*kids, flush=True)
        yield Found(str(number), 0, b"")

next(decoded(pictures(), Rules.of(Ingest(), files=True), wait, processes=2))
"""
    started = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    with started:
        kids = [int(pid) for pid in started.stdout.readline().split()]
        assert len(kids) == 2
        assert all(map(psutil.pid_exists, kids))
        started.kill()
    ended, left = psutil.wait_procs([psutil.Process(k) for k in kids if psutil.pid_exists(k)], 10)
    assert not [process for process in left if process.status() != psutil.STATUS_ZOMBIE], ended


@pytest.mark.slow
def test_a_process_that_ends_for_idleness_as_work_comes_loses_nothing(monkeypatch):
    monkeypatch.setattr(workers, "IDLE", 0.02)
    for pause in np.linspace(0.005, 0.04, 25):
        time.sleep(pause)
        assert numbers(decoded(numbered(40), RULES, processes=2)) == expected(40)
