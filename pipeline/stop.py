"""Stop: SIGTERM and Ctrl-C as exceptions, raised at once or where the work under way can end.

A leaf: the engine takes the signals, and a room that has something to save heeds them in its time.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import Interrupted


class Stop:
    """Turns signals into exceptions that unwind, so that drafts are removed.

    It remembers them, since native code turns one that is raised while it calls back into Python
    into an error of its own.
    """

    def __init__(self) -> None:
        self.asked: type[BaseException] | None = None
        self._deferred = False

    def __call__(self, number: int, _: object) -> None:
        """Take a signal: Python calls this. While deferred, only a second one is raised at once."""
        again = self.asked is not None
        self.asked = Interrupted if number == signal.SIGTERM else KeyboardInterrupt
        if again or not self._deferred:
            raise self.asked

    def heed(self) -> None:
        """Raise what was asked; go on where nothing was."""
        if self.asked is not None:
            raise self.asked

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let what runs inside end its work: it looks at `asked` and calls `heed` when it can."""
        before, self._deferred = self._deferred, True
        try:
            yield
        finally:
            self._deferred = before


STOP = Stop()  # signals are the process's, so there is one
