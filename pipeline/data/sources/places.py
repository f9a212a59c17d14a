"""Places: the file or folder that `ingest.path` names, and names as they can be printed."""

import os
import stat
import unicodedata
from pathlib import Path

from pipeline.errors import DataError, harmless

SHOWN = 200  # characters of a name
LARGE = 1 << 28  # bytes unpacked, from which a packed file is looked at
PACKED_AT_MOST = 200  # times smaller than its content; beyond, it is a bomb


def place(path: Path) -> Path:
    """A path with `~` filled in, where there is such a user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # Path's own raises for an unknown user


def require_folder(path: Path, what: str) -> None:
    """Raise `DataError` unless a path leads to a folder; `what` says what belongs there."""
    if not stat.S_ISDIR(_mode(path, "folder", what)):
        raise DataError(f"{path}: not a folder; {what}")


def require_file(path: Path, what: str) -> None:
    """Raise `DataError` unless a path leads to a regular file: a pipe would never end."""
    mode = _mode(path, "file", what)
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise DataError(f"{path}: {kind}; {what}")


def _mode(path: Path, kind: str, what: str) -> int:
    try:
        return path.stat().st_mode
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such {kind}; {what}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be reached: {error.strerror}; {what}") from error
    except ValueError as error:
        raise DataError(f"{path}: {error}; {what}") from error


def printable(name: str) -> str:
    """A name as text: bytes that are no UTF-8 and control characters spelled out, NFC."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return harmless(unicodedata.normalize("NFC", text))


def shown(name: str) -> str:
    """A name as it can be printed, cut where it has no end."""
    text = printable(name)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
