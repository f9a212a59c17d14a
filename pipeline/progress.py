"""What a person watching sees: a line a step, one bar while training, plain lines elsewhere.

Everything of this kind goes to standard error; standard output is for results.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.errors import harmless


class _Screen:
    """Standard error as it is now, or `instead` of it while native code may write there."""

    instead: TextIO | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.instead or sys.stderr, name)


_screen = _Screen()
console = Console(file=cast(TextIO, _screen), highlight=False, soft_wrap=True, emoji=False)


def say(line: str, style: str | None = None) -> None:
    """Print one line, as it stands, whatever brackets it holds."""
    console.print(harmless(line), style=style, markup=False)


def bar() -> Progress:
    """Make a progress bar that shows only on a terminal."""
    return Progress(
        TextColumn("  {task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def native_noise_to(log: Path) -> Iterator[None]:
    """Send what C++ libraries write on standard error to a file, and keep the screen for us.

    TensorFlow's converter logs straight to file descriptor 2, past every Python setting.
    """
    screen = os.dup(2)
    sys.stderr.flush()
    with log.open("ab", buffering=0) as sink, _writer(screen) as ours:
        os.dup2(sink.fileno(), 2)
        _screen.instead = ours
        try:
            yield
        finally:
            with suppress(OSError):  # the log's disk may be full
                sys.stderr.flush()
            os.dup2(screen, 2)
            _screen.instead = None


@contextmanager
def aside(log: Path) -> Iterator[None]:
    """Send what we say to a file for a while: the steps of one of many runs."""
    before = _screen.instead
    with log.open("a", encoding="utf-8") as sink:
        _screen.instead = sink
        try:
            yield
        finally:
            _screen.instead = before


def _writer(descriptor: int) -> TextIO:
    """Write as `sys.stderr` does: a sign that the screen has no letter for is spelled out."""
    return os.fdopen(descriptor, "w", encoding=sys.stderr.encoding, errors="backslashreplace")
