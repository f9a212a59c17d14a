"""Checkpoints: generations of a fit on disk, each whole or not there. No Keras in here.

    <folder>/epoch-00007-00000/    arrays.npz  state.json  manifest.json

A generation is written under a temporary name, synced and renamed. The one before it stays until
then and a while longer, so that a damaged newest one costs an epoch and not the fit.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.progress import say

KEPT = 2
ARRAYS, STATE, MANIFEST = "arrays.npz", "state.json", "manifest.json"
GENERATION = re.compile(r"epoch-(\d{5,})-(\d{5,})")

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

    @property
    def name(self) -> str:
        """The name of its folder, which sorts by age."""
        return f"epoch-{self.epoch:05}-{self.step:05}"


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
        shutil.rmtree(draft, ignore_errors=True)
        try:
            draft.mkdir()
            _write(draft, generation)
            target = self.folder / generation.name
            if target.exists():
                shutil.rmtree(target)
            draft.rename(target)
            _sync(self.folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        for old in self._newest_first()[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)

    def newest(self) -> Generation | None:
        """Read the newest generation that is as it was written; say which were passed over."""
        for folder in self._newest_first():
            found = _read(folder)
            if found is not None:
                return found
            say(f"  {folder}: damaged; going on from the one before it", "yellow")
        return None

    def _newest_first(self) -> list[Path]:
        return sorted(
            (path for path in self.folder.glob("epoch-*") if GENERATION.fullmatch(path.name)),
            key=lambda path: tuple(map(int, path.name.split("-")[1:])),
            reverse=True,
        )


def _write(folder: Path, generation: Generation) -> None:
    """Write the files, the digests of the others last, and have them on disk."""
    with (folder / ARRAYS).open("wb") as stream:
        np.savez(stream, allow_pickle=False, **generation.arrays)
    (folder / STATE).write_text(json.dumps(generation.state))
    digests = {name: _digest(folder / name) for name in (ARRAYS, STATE)}
    (folder / MANIFEST).write_text(json.dumps(digests))
    for path in (*folder.iterdir(), folder):
        _sync(path)


def _read(folder: Path) -> Generation | None:
    """Read a generation; None where a file is missing or not what the manifest says."""
    try:
        digests = json.loads((folder / MANIFEST).read_text())
        if digests != {name: _digest(folder / name) for name in (ARRAYS, STATE)}:
            return None
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            held = dict(_named(arrays))
        state = json.loads((folder / STATE).read_text())
    except (OSError, ValueError):
        return None
    epoch, step = map(int, folder.name.split("-")[1:])
    return Generation(epoch, step, held, state)


def _named(arrays: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    for name in arrays.files:
        yield name, arrays[name]


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
