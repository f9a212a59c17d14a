"""Workers: decode pictures on all cores, in order, in bounded memory, whatever a file does.

Decoders are native code: one that crashes takes its process with it, not the run, and only the
picture that did it is set aside.
"""

import ctypes
import os
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from itertools import islice

from loky import cpu_count, get_reusable_executor
from loky.process_executor import TerminatedWorkerError

from pipeline.data.decoding import Decoded, Rules, decode
from pipeline.data.opening import Unreadable
from pipeline.data.sources import Found

CHUNK = 16  # pictures handed to a process at once
AHEAD = 4  # chunks under way, for each process
IDLE = 10  # seconds after which a process with nothing to do ends
warnings.filterwarnings(  # one ends just as it is handed a job: the pool starts another for it
    "ignore", "A worker stopped while some jobs were given to the executor", UserWarning
)
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # for each of them

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's names, from its malloc.h

Outcome = Decoded | str  # a picture, or the reason why there is none
Work = Callable[[Sequence[Found], Rules], list[Outcome]]


def decode_chunk(pictures: Sequence[Found], rules: Rules) -> list[Outcome]:
    """Decode some pictures; a reason stands where one cannot be read."""
    outcomes: list[Outcome] = []
    for picture in pictures:
        try:
            outcomes.append(decode(picture.content, rules))
        except Unreadable as error:
            outcomes.append(str(error))
    return outcomes


def _end_with(parent: int) -> None:
    """In a process of the pool: end when the one that started it is gone, be it killed.

    Ctrl-C reaches all processes of a terminal; what becomes of these, their parent decides.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()


def _in_worker(work: Work, pictures: Sequence[Found], rules: Rules) -> list[Outcome]:
    _keep_memory()
    return work(pictures, rules)


@cache
def _keep_memory() -> None:
    """Have glibc use freed pixels again, not hand them back each time: a third of the time."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 << 20)
        mallopt(M_TRIM_THRESHOLD, 128 << 20)


def decoded_here(pictures: Iterable[Found], rules: Rules) -> Iterator[tuple[Found, Outcome]]:
    """Decode in this process: for pixels, with which nothing can go wrong."""
    for picture in pictures:
        yield picture, decode_chunk([picture], rules)[0]


def decoded(
    pictures: Iterable[Found], rules: Rules, work: Work = decode_chunk, processes: int | None = None
) -> Iterator[tuple[Found, Outcome]]:
    """Decode in `processes` (default: all cores), and yield in the order given.

    `pictures` is read at most `AHEAD` chunks for each process beyond what has been yielded.
    """
    waiting = iter(pictures)
    processes = processes or cpu_count()
    under_way: deque[tuple[list[Found], Future[list[Outcome]]]] = deque()
    while True:
        while len(under_way) < AHEAD * processes and (chunk := list(islice(waiting, CHUNK))):
            under_way.append((chunk, _submitted(work, chunk, rules, processes)))
        if not under_way:
            return
        chunk, promise = under_way.popleft()
        try:
            yield from zip(chunk, promise.result(), strict=True)
        except TerminatedWorkerError:
            for lost in (chunk, *(other for other, _ in under_way)):
                yield from _one_by_one(lost, rules, work, processes)
            under_way.clear()


def _one_by_one(
    pictures: Sequence[Found], rules: Rules, work: Work, processes: int
) -> Iterator[tuple[Found, Outcome]]:
    """Decode each picture in a process that may die of it."""
    for picture in pictures:
        try:
            [outcome] = _submitted(work, [picture], rules, processes).result()
        except TerminatedWorkerError:
            outcome = "crashes its decoder"
        yield picture, outcome


def _submitted(
    work: Work, pictures: Sequence[Found], rules: Rules, processes: int
) -> Future[list[Outcome]]:
    """Hand pictures to the pool, which is made anew where a process of it died."""
    while True:
        pool = get_reusable_executor(
            processes,
            timeout=IDLE,
            env=ONE_THREAD,
            initializer=_end_with,
            initargs=(os.getpid(),),
        )
        with suppress(TerminatedWorkerError):  # it died just now: of what was handed in before
            promise: Future[list[Outcome]] = pool.submit(_in_worker, work, pictures, rules)
            return promise
