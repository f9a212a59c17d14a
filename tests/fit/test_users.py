"""Callbacks of the user's own, named in the recipe."""

import json
import sys

import keras
import pytest

from pipeline.errors import ConfigError
from pipeline.fit import users
from pipeline.settings import Train
from tests.front_door import SMALL

WHISPER = """
import keras

class Whisper(keras.callbacks.Callback):
    def __init__(self, file="heard.txt"):
        super().__init__()
        self.file = file

    def on_epoch_end(self, epoch, logs=None):
        with open(self.file, "a") as heard:
            print(epoch, sorted(logs), file=heard)

class Other:
    pass

def fails():
    pass
"""
BASE = keras.callbacks.Callback


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a module of the user's, where the command is given."""
    (tmp_path / "whispers.py").write_text(WHISPER)
    (tmp_path / "broken.py").write_text("import nothing_of_this_name")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("whispers", "broken"):
        sys.modules.pop(name, None)


def made(*callbacks):
    return users.make_callbacks(Train(callbacks=callbacks), BASE)


def test_a_callback_is_made_with_its_arguments(here):
    plain, given = made("whispers:Whisper", {"whispers:Whisper": {"file": "other.txt"}})
    assert isinstance(plain, BASE)
    assert (plain.file, given.file) == ("heard.txt", "other.txt")
    assert made() == []


def test_its_file_is_one_the_key_depends_on(here):
    settings = Train(callbacks=("whispers:Whisper", "keras.callbacks:TerminateOnNaN"))
    found = dict(users.files(settings))
    assert found["whispers"] == here / "whispers.py"
    assert found["keras.callbacks"].is_file()
    assert not dict(users.files(Train(callbacks=("nowhere.at.all:X",))))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("whispers", "a callback is given as `module:Class`"),
        ("whispers:", "a callback is given as `module:Class`"),
        ("nowhere:Whisper", "No module named 'nowhere'"),
        ("broken:Whisper", "No module named 'nothing_of_this_name'"),
        ("whispers:Wisper", "did you mean 'Whisper'?"),
        ("whispers:Other", "is no keras.callbacks.Callback"),
        ("whispers:fails", "is no keras.callbacks.Callback"),
        ({"whispers:Whisper": {"fiel": 1}}, "unexpected keyword argument 'fiel'"),
    ],
)
def test_what_is_no_callback_is_said_in_one_line(said, why, here):
    with pytest.raises(ConfigError) as caught:
        made(said)
    text = str(caught.value)
    assert text.startswith("train.callbacks: ")
    assert why in text
    assert "\n" not in text


def test_it_is_called_in_a_run_and_training_is_done_anew_when_it_is_edited(here, inside):
    words = ("run", *SMALL, "train.epochs=2", "train.callbacks=[whispers:Whisper]")
    until = ("--until", "train")
    done = inside(*words, *until, artifacts=here / "artifacts")
    assert done.code == 0, done.err
    lines = (here / "heard.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["0", "1"]
    assert "val_accuracy" in lines[0]
    (here / "whispers.py").write_text(WHISPER + "\n# heard again\n")
    told = inside("explain", *words[1:], artifacts=here / "artifacts")
    train = next(line for line in told.out.splitlines() if line.startswith("train"))
    assert "file changed: whispers" in train
    (manifest,) = (here / "artifacts" / ".cache" / "train").glob("*/manifest.json")
    assert json.loads(manifest.read_text())["metrics"]["resumed_from_epoch"] is None
