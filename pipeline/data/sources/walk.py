"""Walking a folder: every file below it, no link that leaves it, no circle, no maze."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.sources import Remark
from pipeline.data.sources.places import printable
from pipeline.errors import DataError

JUNK = {"thumbs.db", "desktop.ini", "__macosx"}


@dataclass(frozen=True, slots=True)
class File:
    """A regular file: `parts` are the folders from the root down to it, with its own name last."""

    parts: tuple[str, ...]
    path: str

    @property
    def where(self) -> str:
        """Its path below the root, as it can be printed."""
        return printable("/".join(self.parts))


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder being walked: where it is, the real folders above it, whether a link led here."""

    root: str
    path: str
    parts: tuple[str, ...]
    above: tuple[str, ...]
    linked: bool


def walk(root: Path) -> Iterator[File | Remark]:
    """Yield what lies below a folder, sorted by name; a `Remark` for what is no file to be read.

    Links to files and folders inside the root are followed, but not one to a folder below another
    such link: a few of those, each leading to all others, would never end. Hidden and system files
    are left out.
    """
    top = _top(root)
    waiting = [_found(top)]  # not recursive: folders may lie deeper than Python's stack
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
        elif isinstance(found, _Place):
            waiting.append(_found(found))
        else:
            yield found


def folders(root: Path, below: tuple[str, ...] = ()) -> list[str]:
    """Names of the folders in a root, or in one below it, which `walk` enters, sorted.

    Raises:
        DataError: it cannot be listed.
    """
    place = _top(root)
    for name in below:
        place = next(found for found in _places(place) if found.parts[-1] == name)
    return [found.parts[-1] for found in _places(place)]


def _top(root: Path) -> _Place:
    real = os.path.realpath(root)
    return _Place(real, real, (), (real,), linked=False)


def _places(place: _Place) -> list[_Place]:
    try:
        entries = _entries(place)
    except OSError as error:
        raise DataError(f"{place.path}: cannot be listed: {error.strerror}") from error
    sorted_out = (_sorted_out(place, entry) for entry in entries)
    return [found for found in sorted_out if isinstance(found, _Place)]


def _found(place: _Place) -> Iterator[File | Remark | _Place]:
    try:
        entries = _entries(place)
    except OSError as error:
        yield Remark(printable("/".join(place.parts)), f"cannot be listed: {error.strerror}")
        return
    for entry in entries:
        yield _sorted_out(place, entry)


def _entries(place: _Place) -> list[os.DirEntry[str]]:
    with os.scandir(place.path) as found:
        return sorted(
            (entry for entry in found if not hidden(entry.name)), key=lambda entry: entry.name
        )


def _sorted_out(place: _Place, entry: os.DirEntry[str]) -> File | Remark | _Place:
    """Tell what an entry is: a file, a folder, or a remark on what is neither."""
    parts = (*place.parts, entry.name)
    try:
        problem = _problem(place, entry)
        if problem is None and entry.is_dir():
            link = entry.is_symlink()
            real = os.path.realpath(entry.path) if link else f"{place.above[-1]}/{entry.name}"
            above = (*place.above, real)
            return _Place(place.root, entry.path, parts, above, place.linked or link)
        if problem is None and entry.is_file():
            return File(parts, entry.path)
    except OSError as error:
        problem = f"cannot be reached: {error.strerror}"
    return Remark(printable("/".join(parts)), problem or "not a regular file")


def _problem(place: _Place, entry: os.DirEntry[str]) -> str | None:
    """Say what is wrong with a link; None where nothing is, or it is none."""
    if not entry.is_symlink():
        return None
    target = os.path.realpath(entry.path)
    if target in place.above:
        return "a link back to a folder it lies in"
    if not inside(place.root, target):
        return "a link that leaves the folder"
    try:
        entry.stat()
    except OSError:
        return "a link that leads nowhere"
    if place.linked and entry.is_dir():
        return "a link to a folder, below another such link"
    return None


def inside(root: str, path: str) -> bool:
    """Tell whether a path, both without links in them, lies below a folder."""
    return os.path.commonpath((root, path)) == root and path != root


def hidden(name: str) -> bool:
    """Tell names that systems leave in folders: no picture, and no harm."""
    return name.startswith(".") or name.lower() in JUNK
