"""A sound corpus to spoil, and two ways to set it in."""

import shutil
from pathlib import Path

import pytest

from tests.attacks import corpus
from tests.attacks.watching import watch
from tests.front_door import call


@pytest.fixture(scope="session")
def sound_once(tmp_path_factory):
    return corpus.sound(tmp_path_factory.mktemp("corpus") / "photos")


@pytest.fixture
def sound(sound_once, tmp_path):
    """A folder of 3 classes with 40 pictures each, to put one attack into."""
    return Path(shutil.copytree(sound_once, tmp_path / "photos"))


def taker(door, tmp_path, artifacts):
    def take_in(source, *words, dataset="folder", size=16):
        path, sized = f"ingest.path={source}", f"ingest.size={size}"
        return watch(door, tmp_path, artifacts, f"ingest.dataset={dataset}", path, sized, *words)

    return take_in


@pytest.fixture
def take(inside, tmp_path, tmp_path_factory):
    """Take in a source below `tmp_path`, in this process."""
    return taker(inside, tmp_path, tmp_path_factory.mktemp("results") / "artifacts")


@pytest.fixture
def take_apart(tmp_path, tmp_path_factory):
    """Take in a source below `tmp_path`, in a process of its own."""
    return taker(call, tmp_path, tmp_path_factory.mktemp("results") / "artifacts")
