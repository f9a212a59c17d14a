"""On a phone that is a folder: what adb is asked, what is printed, what is said when it fails."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.errors import ConfigError, ConversionError, IntegrityError, ResourceError
from pipeline.measure import adb, phone
from pipeline.measure.flatbuffer import inspect
from tests.front_door import ROOT, call, command
from tests.measure.fake_adb import BENCHMARK_MODEL, FakePhone

OLD = """STARTING!
count=50 first=137789 curr=137254 min=137079 max=143416 avg=137722 std=896

count=50 first=14400 curr=14600 min=14000 max=15000 avg=14575.2 std=95

Inference timings in us: Init: 5685, First inference: 18535, Warmup (avg): 14462.3, \
Inference (avg): 14575.2
"""
SLOW = """INFO: count=1 curr=1.5e+06
INFO: count=1 curr=1.25e+06
INFO: Inference timings in us: Init: 5685, First inference: 1.5e+06, Warmup (avg): 1.5e+06, \
Inference (avg): 1.25e+06
"""
EQUAL = SLOW.replace("count=1 curr=1.25e+06", "count=812 curr=7(all same)")


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    found = FakePhone(tmp_path / "phone")
    monkeypatch.setenv("PATH", found.path)
    monkeypatch.setattr(phone, "ROUNDS", 4)
    return found


@pytest.fixture
def files(tflite_nets):
    return [tflite_nets["float32"], tflite_nets["int8"]]


@pytest.mark.parametrize(
    ("text", "turn"),
    [
        (OLD, phone.Turn(14575.2, 50, 5685, 18535)),
        (SLOW, phone.Turn(1.25e6, 1, 5685, 1.5e6)),
        (EQUAL, phone.Turn(7, 812, 5685, 1.5e6)),
    ],
)
def test_what_benchmark_model_prints_is_read(text, turn):
    assert phone.parse(text) == turn


@pytest.mark.parametrize("text", ["", "ERROR: Failed to load model", SLOW[:60], OLD[:200]])
def test_what_was_not_timed_is_no_number(text):
    assert phone.parse(text) is None


def test_files_are_timed_in_turns_and_compared_within_rounds(plugged, files):
    plugged.install()
    found = phone.measure(files, threads=2)
    assert (found.model, found.android, found.processor) == ("Pocket 7", "14", "arm64-v8a")
    first, second = found.rows
    kilobytes = [path.stat().st_size // 1000 for path in files]
    assert [row["bytes"] // 1000 for row in found.rows] == kilobytes
    for row, base in zip(found.rows, kilobytes, strict=True):
        times = row["latency_us"]
        assert (times["lowest"], times["mean"], times["highest"]) == (base, 1.5 * base, 2 * base)
        assert (times["first"], times["init"], times["runs"]) == (18535, 5685, 4 * 51)
    share = kilobytes[1] / kilobytes[0]
    assert (first["latency_ratio"], second["latency_ratio"]) == (1, share)
    assert second["latency_ratio_range"] == (share, share)
    graphs = [word for words in plugged.calls for word in words if word.startswith("--graph=")]
    rounds = [tuple(graphs[at : at + 2]) for at in range(0, len(graphs), 2)]
    assert len(rounds) == 4
    assert all(len(set(one)) == 2 for one in rounds)
    assert len(set(rounds)) == 2, "in turns, in an order that changes"


def test_nothing_that_was_put_there_is_left(plugged, files):
    plugged.install()
    phone.measure(files)
    assert plugged.left == []
    assert sum("push" in words for words in plugged.calls) == 2
    phone.measure(files, program=plugged.tmp / "benchmark_model")
    assert plugged.left == []


def test_a_benchmark_model_of_ones_own_is_put_there_and_used(plugged, files, tmp_path):
    own = tmp_path / "android_aarch64_benchmark_model"
    own.write_text(BENCHMARK_MODEL)  # as downloaded: not executable
    assert len(phone.measure(files, program=own).rows) == 2
    run = [words[3] for words in plugged.calls if any("--graph" in word for word in words)]
    assert all(one.startswith("/data/local/tmp/pix2pocket-") for one in run)
    assert plugged.left == []


@pytest.mark.parametrize(
    "name", ["my model.tflite", 'it\'s "int8".tflite', "$(touch owned).tflite", "-p;touch owned"]
)
def test_names_are_never_read_by_a_shell(plugged, files, tmp_path, monkeypatch, name):
    plugged.install()
    monkeypatch.chdir(tmp_path)
    shutil.copy(files[1], Path("int8.tflite"))
    Path("int8.tflite").rename(name)
    (row,) = phone.measure([Path(name)]).rows
    assert row["file"] == name
    shell = [words for words in plugged.calls if "shell" in words]
    assert not any(name in word for words in shell for word in words)
    assert not list(tmp_path.rglob("owned"))


def errors(plugged):
    """Each way in which there is no phone to be had: what is wrong, and what is said."""
    return {
        "none": ({}, "adb sees no phone: plug one in and allow USB debugging on it"),
        "unauthorized": ({"A": "unauthorized"}, "phone A is unauthorized: unlock it and allow"),
        "offline": ({"A": "offline"}, "phone A is offline: unplug it"),
        "permissions": (
            {"A": "no permissions (user in plugdev group; are your udev rules wrong?)"},
            "phone A is no permissions (user in plugdev group; are your udev rules wrong?): see",
        ),
        "several": ({"A": "device", "B": "device"}, "several phones: say --serial, one of A, B"),
    }[plugged]


@pytest.mark.parametrize("case", ["none", "unauthorized", "offline", "permissions", "several"])
def test_a_phone_that_cannot_be_had_is_one_line_and_exit_5(plugged, files, case):
    phones, says = errors(case)
    plugged.plug(phones)
    done = call("benchmark", *files, "--adb")
    assert (done.code, done.out, len(done.errors)) == (5, "", 1)
    assert done.errors[0].startswith(f"error: {says}")


def test_without_adb_that_is_said(files, tmp_path):
    done = call("benchmark", *files, "--adb", env={"PATH": str(tmp_path)})
    assert (done.code, done.errors) == (
        5,
        ["error: no adb on PATH: install Android's platform tools"],
    )


def test_one_of_several_phones_is_named(plugged, files):
    plugged.install()
    plugged.plug({"A": "unauthorized", "B": "device"})
    assert phone.measure(files[:1], serial="B").model == "Pocket 7"
    with pytest.raises(ResourceError, match="phone A is unauthorized"):
        phone.measure(files, serial="A")
    with pytest.raises(ResourceError, match="adb sees no phone C; there is A, B"):
        phone.measure(files, serial="C")


def test_a_phone_without_benchmark_model_needs_one_to_be_given(plugged, files):
    with pytest.raises(ResourceError, match="no /data/local/tmp/benchmark_model on phone ABC123"):
        phone.measure(files)
    assert plugged.left == []


def test_a_benchmark_model_for_other_processors_is_named(plugged, files):
    plugged.program(plugged.tmp / "benchmark_model", "\x7fELF no program at all")
    (plugged.tmp / "benchmark_model").chmod(0o644)
    with pytest.raises(ResourceError, match="does not run on this phone, which is arm64-v8a"):
        phone.measure(files)
    assert plugged.left == []


def test_a_file_that_it_does_not_take_is_named(plugged, files):
    plugged.install("#!/bin/sh\necho 'ERROR: Failed to apply XNNPACK delegate.' >&2\nexit 1\n")
    with pytest.raises(ConversionError, match=r"\.tflite: .* cannot time it: ERROR: Failed to"):
        phone.measure(files)
    assert plugged.left == []


def test_a_phone_that_is_unplugged_on_the_way_is_named(plugged, files):
    plugged.install(f"#!/bin/sh\ntouch '{plugged.base}/unplugged'\n" + BENCHMARK_MODEL[10:])
    with pytest.raises(ResourceError, match="phone ABC123: adb: device 'ABC123' not found"):
        phone.measure(files)


def test_a_phone_without_room_is_named(plugged, files):
    plugged.install()
    (plugged.base / "full").touch()
    with pytest.raises(ResourceError, match=r"cannot take .*No space left on device"):
        phone.measure(files)
    assert plugged.left == []


def test_a_phone_that_does_not_answer_is_not_waited_for(plugged, files, monkeypatch):
    plugged.install("#!/bin/sh\nexec sleep 30\n")
    monkeypatch.setattr(phone, "TURN_SECONDS", 0.5)
    with pytest.raises(ResourceError, match=r"adb gave no answer in 0\.5 s to: -s ABC123 shell"):
        phone.measure(files)
    assert plugged.left == []


def test_files_are_looked_at_here_first(plugged, files, tmp_path):
    plugged.install()
    (tmp_path / "odd.tflite").write_bytes(b"TFL3" * 4)
    with pytest.raises(IntegrityError):
        phone.measure([files[0], tmp_path / "odd.tflite"])
    with pytest.raises(ConfigError, match="each file is to be named once"):
        phone.measure([files[0], files[0]])
    assert not any("push" in words for words in plugged.calls)


def test_ctrl_c_cleans_up(plugged, files):
    started = plugged.base / "started"
    plugged.install(f"#!/bin/sh\ntouch '{started}'\nexec sleep 100\n")
    words = command("benchmark", *files, "--adb")
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True) as one:
        while not started.exists() and one.poll() is None:
            time.sleep(0.05)
        assert len(plugged.left) == 1
        os.killpg(one.pid, signal.SIGINT)
        _, said = one.communicate(timeout=60)
    assert (one.returncode, len(said.splitlines())) == (130, 1)
    assert plugged.left == []


def test_the_table_names_the_phone(plugged, files):
    plugged.install()
    done = call("benchmark", *files, "--adb", "--threads", 2, "--serial", "ABC123")
    assert (done.code, done.err) == (0, "")
    ops = inspect(files[1]).ops
    forms = f" {ops['int8']}/0/{ops['other']} "
    for word in ("1.00x", f"{files[1].stat().st_size / 1000:.1f} kB", forms, "18.5 ms"):
        assert word in done.out
    assert "on Pocket 7, Android 14, arm64-v8a, 2 threads" in " ".join(done.out.split())


def test_options_of_adb_are_for_adb(files):
    done = call("benchmark", *files, "--serial", "A")
    assert (done.code, len(done.errors)) == (2, 1)
    assert "--serial and --benchmark-model are for `benchmark --adb`" in done.errors[0]


def test_phones_are_listed_whatever_else_adb_says(plugged):
    plugged.plug({"emulator-5554": "device", "192.168.1.2:5555": "offline"})
    assert adb.devices(str(plugged.programs / "adb")) == {
        "emulator-5554": "device",
        "192.168.1.2:5555": "offline",
    }
