"""Guard: what surrounds a run: its lock, its signals, its log, and errors in words."""

import errno
import logging
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from pipeline.errors import PipelineError, ResourceError, harmless
from pipeline.stop import STOP, Stop

log = logging.getLogger("pipeline")

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE}
TENSORFLOW_FULL = "ResourceExhaustedError"  # known by name: TensorFlow is not imported here


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the one lock of an artifacts folder."""
    lock = filelock.FileLock(root / ".lock")
    try:
        (root / ".cache").mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise ResourceError(
            f"{root}: another run is working there; wait for it, or give --artifacts another folder"
        ) from error
    except OSError as error:
        raise ResourceError(
            f"{root}: cannot be written: {error.strerror}; give --artifacts"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def terminable() -> Iterator[Stop]:
    """Handle both signals for a while; only where they can be, and not where one is ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield STOP  # the caller's program owns its signals
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, STOP)
    try:
        yield STOP
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        STOP.asked = None


class _Lines(logging.Formatter):
    """Log lines that end where they should: one name cannot write a second."""

    def format(self, record: logging.LogRecord) -> str:
        """Word a record; a traceback below it keeps its lines."""
        return "\n".join(map(harmless, super().format(record).split("\n")))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Word a record's first line."""
        return harmless(super().formatMessage(record))


class _Log(logging.FileHandler):
    """A log file that says nothing on the screen when its disk is full: the run will."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Leave the line out."""

    def close(self) -> None:
        """Close, whatever could not be written."""
        with suppress(OSError):
            super().close()


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Write this run's log; what goes wrong is there with its traceback.

    Raises:
        PipelineError: for whatever is none yet, so that a run's errors are all of that kind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _Log(path, mode="a", encoding="utf-8")
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    except BaseException as error:
        log.error("run ended: %s", one_line(error), exc_info=error)
        if not isinstance(error, Exception) or isinstance(error, PipelineError):
            raise
        if isinstance(error, OSError):
            raise ResourceError(lacking(str(path.parent), error)) from error
        raise PipelineError(unexpected(str(path), error)) from error
    finally:
        log.removeHandler(handler)
        handler.close()


def out_of_resources(error: BaseException) -> bool:
    """Tell whether disk, memory or a permission was lacking, whoever says so."""
    if isinstance(error, OSError):
        return error.errno in FULL or isinstance(error, shutil.Error)
    return out_of_memory(error)


def out_of_memory(error: BaseException | None) -> bool:
    """Tell whether memory was lacking, which another network may want less of."""
    return isinstance(error, MemoryError) or type(error).__name__ == TENSORFLOW_FULL


def lacking(where: str, error: BaseException) -> str:
    """Word such an error."""
    return f"{where}: {one_line(error)}; mend that and run again, earlier results are untouched"


def unexpected(where: str, error: BaseException) -> str:
    """Word an error that none of us raised."""
    what = f"{type(error).__name__}: {one_line(error)}"
    return f"{where}: {what} (a mistake of ours? the run's log has the traceback)"


def one_line(error: BaseException) -> str:
    """Its text without line breaks, cut where it has no end."""
    if isinstance(error, shutil.Error):  # a list of all copies that failed, the first will do
        return str(error.args[0][0][2])
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 500 else text[:497] + "..."
