"""What can go wrong, in words every room shares: one class an exit code."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

BREAKS = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of pairs, line and paragraph ends
TURNS = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # of direction


def harmless(text: str) -> str:
    """Text on one line that no terminal obeys: what is no letter or sign is spelled out.

    Names of files and classes come from anywhere: one may hold a line end, or the escape sequence
    that clears the screen.
    """
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in BREAKS or character in TURNS
        else character
        for character in text
    )


class PipelineError(Exception):
    """A failure the user can act on; its text is one line: what, where, how to mend it."""

    exit_code = 1


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Say where an error comes from, if it does not say so itself."""
    try:
        yield
    except PipelineError as error:
        if str(error).startswith(where):
            raise
        raise type(error)(f"{where}: {error}") from error


class ConfigError(PipelineError):
    """A setting, a recipe or an argument is wrong."""

    exit_code = 2


class DataError(PipelineError):
    """The pictures or labels are missing, unreadable or contradict each other."""

    exit_code = 3


class TrainingError(PipelineError):
    """Training diverged or had nothing to learn from."""

    exit_code = 4


class ConversionError(PipelineError):
    """A model could not be transformed, mirrored, converted or run as converted."""

    exit_code = 4


class ResourceError(PipelineError):
    """Disk, memory or a lock is not to be had."""

    exit_code = 5


class GateError(PipelineError):
    """What was made is not what was asked for: a quality gate failed."""

    exit_code = 7


class IntegrityError(PipelineError):
    """A file is not what its digest says, or comes from where nothing is trusted."""

    exit_code = 6


class Interrupted(BaseException):
    """SIGTERM came: unwind as Ctrl-C does; no `except Exception` may swallow it."""
