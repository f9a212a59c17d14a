"""Checkpoints: generations of a fit on disk, each whole or not there. No Keras in here.

    <folder>/epoch-00007-00000-81f0c52ad7c3be0e.npz

A generation is one file with the digest of its bytes in its name. It is written under another name,
synced and renamed. The one before it stays until then and a while longer, so that a damaged newest
one costs an epoch and not the fit. (Several files in a folder of their own cost more than twice as
many syncs, which is what an epoch of a tiny network takes.)
"""

import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.progress import say

KEPT = 2
STATE = "state"  # the name of the array that holds the text of a generation's state
GENERATION = re.compile(r"epoch-(\d{5,})-(\d{5,})-([0-9a-f]{16})\.npz")

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Generation:
    """A fit after `epoch` whole epochs and `step` batches of the next.

    `arrays` and `state` (what JSON can hold) are what its writer needs to go on.
    """

    epoch: int
    step: int
    arrays: Arrays
    state: Mapping[str, Any]

    def name(self, digest: str) -> str:
        """The name of its file."""
        return f"epoch-{self.epoch:05}-{self.step:05}-{digest}.npz"


class Checkpoints:
    """The generations of one fit in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, generation: Generation) -> None:
        """Write a generation; the newest before it stays, older ones go.

        Raises:
            OSError: it could not be written; those before it are as they were.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / ".draft"
        try:
            _write(draft, generation)
            draft.rename(self.folder / generation.name(_digest(draft)))
            _sync(self.folder)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        for old in self._newest_first()[KEPT:]:
            old.unlink(missing_ok=True)

    def newest(self) -> Generation | None:
        """Read the newest generation that is as it was written; say which were passed over."""
        for path in self._newest_first():
            found = _read(path)
            if found is not None:
                return found
            say(f"  {path}: damaged; going on from the one before it", "yellow")
        return None

    def _newest_first(self) -> list[Path]:
        """By epoch and batch; of one place that was saved twice, by the time of saving."""
        found = [path for path in self.folder.glob("epoch-*") if GENERATION.fullmatch(path.name)]
        return sorted(
            found, key=lambda path: (*_place(path), path.stat().st_mtime_ns), reverse=True
        )


def _write(path: Path, generation: Generation) -> None:
    """Write a generation, and have it on disk."""
    text = np.frombuffer(json.dumps(generation.state).encode(), np.uint8)
    with path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **{STATE: text}, **generation.arrays)
        stream.flush()
        os.fsync(stream.fileno())


def _read(path: Path) -> Generation | None:
    """Read a generation; None where it is not what its name says."""
    try:
        if _digest(path) not in path.name:
            return None
        with np.load(path, allow_pickle=False) as arrays:
            held = dict(_named(arrays))
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    state = json.loads(held.pop(STATE).tobytes())
    epoch, step = _place(path)
    return Generation(epoch, step, held, state)


def _named(arrays: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    for name in arrays.files:
        yield name, arrays[name]


def _place(path: Path) -> tuple[int, int]:
    """Epoch and step, from the name of a file."""
    _, epoch, step, *_ = path.stem.split("-")
    return int(epoch), int(step)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()[:16]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
