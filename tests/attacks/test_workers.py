"""Pictures that kill the process which decodes them: they are set aside, the others are read."""

import os
from functools import partial

import numpy as np
import pytest

from pipeline.data import intake
from pipeline.data.decoding import Rules
from pipeline.data.sources import Found
from pipeline.data.workers import decode_chunk, decoded
from pipeline.settings import Ingest
from tests.attacks import corpus
from tests.attacks.watching import accepted

RULES = Rules.of(Ingest(size=8), files=True)


def deadly(*names):
    """A way to decode that dies of pictures of some names, as a crash in native code would."""
    of_worker = decode_chunk

    def work(pictures, rules):
        import os
        import signal

        for picture in pictures:
            if any(name in picture.where for name in names):
                os.kill(os.getpid(), signal.SIGSEGV)
        return of_worker(pictures, rules)

    return work


@pytest.fixture
def pictures():
    """Sixty pictures, so that they fill several chunks in two processes."""
    files = [corpus.encoded(corpus.gray(number % 10, number // 10), "PNG") for number in range(60)]
    return [Found(f"picture {number:02d}.", 0, content) for number, content in enumerate(files)]


@pytest.mark.parametrize(
    "killers",
    [
        (0,),
        (59,),
        pytest.param((7, 8, 9), marks=pytest.mark.slow),
        pytest.param((0, 16, 17, 40, 59), marks=pytest.mark.slow),
    ],
)
def test_only_the_pictures_that_crash_are_lost_and_the_order_holds(pictures, killers):
    work = deadly(*(f"picture {number:02d}." for number in killers))
    outcomes = list(decoded(pictures, RULES, work, processes=2))
    assert [found.where for found, _ in outcomes] == [found.where for found in pictures]
    sound = decode_chunk(pictures, RULES)
    for number, (_, outcome) in enumerate(outcomes):
        if number in killers:
            assert outcome == "crashes its decoder"
        else:
            assert np.array_equal(outcome.pixels, sound[number].pixels)


def test_one_process_alone_survives_it_too(pictures):
    outcomes = list(decoded(pictures[:20], RULES, deadly("picture 03."), processes=1))
    assert [out for _, out in outcomes if isinstance(out, str)] == ["crashes its decoder"]


def test_every_picture_may_crash(pictures):
    outcomes = list(decoded(pictures[:5], RULES, deadly("picture"), processes=2))
    assert [outcome for _, outcome in outcomes] == ["crashes its decoder"] * 5


def test_the_run_goes_on_and_lists_them(take, sound, monkeypatch):
    work = deadly("nine/003.png", "seven/039.png")
    monkeypatch.setattr(intake, "decoded", partial(decoded, work=work))
    taken = accepted(take(sound))
    reason = "crashes its decoder"
    assert taken.said() == {"nine/003.png": reason, "seven/039.png": reason}
    assert taken.accounted == taken.audit["found"] == 120


def test_this_process_is_none_of_them(pictures):
    def work(pictures, rules):
        import os

        return [str(os.getpid())] * len(pictures)

    own = str(os.getpid())
    assert own not in {outcome for _, outcome in decoded(pictures, RULES, work, processes=1)}
