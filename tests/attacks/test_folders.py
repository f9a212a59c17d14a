import os
import socket
import subprocess

import pytest

from pipeline.stages import ingest
from tests.attacks import corpus
from tests.attacks.watching import accepted, refused


@pytest.mark.parametrize("dataset", ["folder", "table", "arrays", "idx"])
def test_a_path_that_leads_nowhere_is_refused_by_its_name(take, tmp_path, dataset):
    refused(take(tmp_path / "gone", dataset=dataset), str(tmp_path / "gone"), "no such f")


@pytest.mark.parametrize("dataset", ["folder", "table", "arrays", "idx"])
def test_an_empty_path_is_not_the_working_folder(take, dataset):
    refused(take("''", dataset=dataset), "ingest.path", "empty", code=2)
    if dataset != "idx":  # which is Fashion-MNIST where no path is said
        refused(take("", dataset=dataset), "ingest.path: ", "needs the path", code=2)


@pytest.mark.parametrize("dataset", ["folder", "table", "arrays", "idx"])
def test_the_home_of_nobody_is_no_mistake_of_ours(take, dataset):
    refused(take("~nobody-of-that-name/x", dataset=dataset), "~nobody-of-that-name/x")


@pytest.mark.parametrize("dataset", ["folder", "table", "arrays", "idx"])
def test_a_pipe_in_place_of_the_source_is_refused_and_not_waited_for(take_apart, tmp_path, dataset):
    os.mkfifo(tmp_path / "pipe")
    refused(take_apart(tmp_path / "pipe", dataset=dataset), "pipe: not a")


def test_an_endless_device_is_no_table(take):
    refused(take("/dev/zero", dataset="table"), "/dev/zero: not a regular file")


def test_an_empty_folder_says_what_belongs_there(take_apart, tmp_path):
    (tmp_path / "photos").mkdir()
    refused(take_apart(tmp_path / "photos"), "photos: no folders in it", "one of pictures for each")


def test_pictures_without_class_folders_are_no_set(take, tmp_path, sound):
    refused(take(sound / "nine"), "nine: no folders in it")


def test_a_single_class_is_refused(take_apart, tmp_path):
    photos = corpus.sound(tmp_path / "photos", classes=("eight",))
    refused(take_apart(photos), "one class only (eight)")


def test_an_empty_class_is_refused_by_its_name(take_apart, sound):
    (sound / "empty").mkdir()
    refused(take_apart(sound), "class 'empty' has no picture")


def test_a_class_whose_pictures_are_all_broken_is_refused_by_its_name(take, sound):
    (sound / "broken").mkdir()
    (sound / "broken" / "one.png").write_bytes(b"")
    refused(take(sound), "class 'broken' has no picture that can be read")


@pytest.mark.parametrize("count", [1, 2])
def test_a_class_too_small_to_split_says_how_to_mend_it(take, sound, count):
    (sound / "rare").mkdir()
    for number in range(count):
        corpus.gray(6, number).save(sound / "rare" / f"{number}.png")
    taken = refused(take(sound), f"class 'rare' has {count} different pictures", "add some")
    assert "ingest.classes" in taken.line


def test_a_class_of_copies_is_as_small_as_its_different_pictures(take, sound):
    (sound / "rare").mkdir()
    for number in range(30):
        corpus.gray(6, number % 2).save(sound / "rare" / f"{number}.png")
    refused(take(sound), "class 'rare' has 2 different pictures")


def test_three_pictures_are_one_for_each_split(take, sound):
    (sound / "rare").mkdir()
    for number in range(3):
        corpus.gray(6, number).save(sound / "rare" / f"{number}.png")
    taken = accepted(take(sound))
    rare = next(row for row in taken.audit["classes"] if row["name"] == "rare")
    assert [rare[part] for part in ("train", "validation", "test")] == [1, 1, 1]


def test_a_circle_of_links_is_set_aside_wherever_it_starts(take_apart, sound):
    (sound / "loop").symlink_to(sound)
    (sound / "nine" / "up").symlink_to(sound)
    (sound / "nine" / "self").symlink_to("self")
    taken = accepted(take_apart(sound))
    assert taken.facts["classes"] == list(corpus.CLASSES)
    assert taken.said() == {
        "loop": "a link back to a folder it lies in",
        "nine/self": "a link that leads nowhere",
        "nine/up": "a link back to a folder it lies in",
    }


def test_a_link_that_leaves_the_folder_is_set_aside_wherever_it_lies(take_apart, sound, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    corpus.gray(1, 0).save(outside / "secret.png")
    (sound / "seven" / "link.png").symlink_to(outside / "secret.png")
    (sound / "seven" / "up.png").symlink_to("../../outside/secret.png")
    (sound / "seven" / "folder").symlink_to(outside)
    (sound / "class").symlink_to(outside)
    taken = accepted(take_apart(sound))
    assert taken.facts["classes"] == list(corpus.CLASSES)
    assert set(taken.said()) == {"class", "seven/folder", "seven/link.png", "seven/up.png"}
    assert set(taken.said().values()) == {"a link that leaves the folder"}


def test_a_link_inside_the_folder_is_a_picture_like_any(take, sound):
    (sound / "pool").mkdir()
    for number in range(4):
        corpus.gray(6, number).save(sound / "pool" / f"{number}.png")
        (sound / "six").mkdir(exist_ok=True)
        (sound / "six" / f"{number}.png").symlink_to(f"../pool/{number}.png")
    taken = accepted(take(sound, "ingest.classes=[eight, nine, seven, six]"))
    assert len(taken.pictures("six")) == 4
    assert taken.audit["quarantined"] == []


def test_a_maze_of_links_ends(take_apart, sound):
    """Twelve folders, each with links to all others, have more ways through than can be walked."""
    rooms = [sound / "nine" / f"room{number}" for number in range(12)]
    for room in rooms:
        room.mkdir()
    for room in rooms:
        for other in rooms:
            if other != room:
                (room / other.name).symlink_to(other)
    taken = take_apart(sound, "ingest.max_bad_fraction=0.99")
    reasons = set(accepted(taken).said().values())
    assert "a link to a folder, below another such link" in reasons


@pytest.fixture
def deep(sound):
    """Nest folders of one name in class nine and leave a picture in the last of them."""

    def nest(name, depth):
        here = os.open(sound / "nine", os.O_RDONLY)
        for _ in range(depth):
            os.mkdir(name, dir_fd=here)
            deeper = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = deeper
        picture = os.open("deep.png", os.O_WRONLY | os.O_CREAT, dir_fd=here)
        os.write(picture, corpus.encoded(corpus.gray(6, 0), "PNG"))
        os.close(picture)
        os.close(here)

    yield nest
    subprocess.run(["rm", "-rf", sound / "nine"], check=True)  # deeper than pytest can remove


def test_folders_may_lie_deeper_than_pythons_stack(take, sound, deep):
    deep("d", 1100)
    assert len(accepted(take(sound)).pictures("nine")) == corpus.EACH + 1


def test_folders_deeper_than_a_path_can_say_are_set_aside(take, sound, deep):
    deep("d" * 200, 30)
    [(where, reason)] = accepted(take(sound)).said().items()
    assert where.startswith("nine/ddd")
    assert reason == "cannot be listed: File name too long"


def test_what_is_neither_file_nor_folder_is_set_aside(take_apart, sound, monkeypatch):
    os.mkfifo(sound / "nine" / "pipe.jpg")
    (sound / "nine" / "folder.jpg").mkdir()
    monkeypatch.chdir(sound / "nine")  # a socket's path is at most 108 bytes
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.png")
        taken = accepted(take_apart(sound))
    assert taken.said() == {
        "nine/pipe.jpg": "not a regular file",
        "nine/socket.png": "not a regular file",
    }


def test_a_folder_named_train_may_hold_a_class_named_test(take, tmp_path):
    photos = corpus.sound(tmp_path / "photos" / "train", classes=("test", "train", "other")).parent
    taken = accepted(take(photos))
    assert taken.facts["classes"] == ["other", "test", "train"]
    assert taken.facts["train"] > taken.facts["test"] > 0


def test_two_folders_of_one_split_are_refused(take, tmp_path):
    for split in ("train", "Training", "test"):
        corpus.sound(tmp_path / "photos" / split, each=3)
    refused(take(tmp_path / "photos"), "Training, train: two folders for the train split")


def test_too_much_set_aside_stops_the_run_and_names_the_first(take_apart, sound):
    for number in range(20):
        (sound / "nine" / f"bad{number:02d}.jpg").write_bytes(b"")
    taken = refused(take_apart(sound), "20 of 140 pictures were set aside", "0.05")
    assert "nine/bad00.jpg: empty, 0 bytes" in taken.line


def test_a_picture_replaced_while_it_is_read_is_noticed(inside, sound, tmp_path, monkeypatch):
    take_in = ingest.take_in

    def replaced_meanwhile(catalog, rules, collection):
        aside = take_in(catalog, rules, collection)
        corpus.gray(1, 1).save(sound / "nine" / "003.png")
        return aside

    monkeypatch.setattr(ingest, "take_in", replaced_meanwhile)
    words = ("ingest.dataset=folder", f"ingest.path={sound}", "--until", "ingest")
    done = inside("run", *words, artifacts=tmp_path / "artifacts")
    assert done.code == 3
    assert done.errors == ["error: ingest: its files changed while they were read; run again"]
    assert not list((tmp_path / "artifacts" / ".cache" / "ingest").glob("*/manifest.json"))
