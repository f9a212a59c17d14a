import gc
import signal
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from pipeline.errors import ConversionError, IntegrityError
from pipeline.measure import amx, latency, timing
from pipeline.measure.latency import time_files

PICTURES = np.zeros((3, 8, 8, 1), np.uint8)


class Clockwork:
    """Stands for LiteRT: a file named `2.0` takes 2000 ns, twice that in every other round."""

    visits: ClassVar[list[str]] = []
    collecting: ClassVar[list[bool]] = []

    def __init__(self, path, threads):
        self.base, self.name, self.calls = float(path.name) * 1000, path.name, 0

    def invoke_once(self, image):
        if self.visits[-1:] != [self.name]:
            self.visits.append(self.name)
        self.collecting.append(gc.isenabled())
        self.calls += 1
        crowd = 1 + (self.calls - 1) // 14 % 2  # 4 to warm up and 10 timed make a round
        return self.base * crowd


def here(work):
    """Timed in this process, which is left as it is."""
    starts = {name: [5000, 1000, 2000] for name in work.files}
    return timing.Outcome(timing.blocks(work), starts, (0,), "none")


@pytest.fixture
def clockwork(monkeypatch):
    monkeypatch.setattr(timing, "LiteRT", Clockwork)
    monkeypatch.setattr(latency, "_apart", here)
    monkeypatch.setattr(Clockwork, "visits", [])
    monkeypatch.setattr(Clockwork, "collecting", [])
    return Clockwork


def timed(names, **options):
    files = {name: Path(name) for name in names}
    return time_files(files, PICTURES, reference=names[0], rounds=6, runs=10, warmup=4, **options)


def test_ratios_do_not_suffer_from_a_machine_that_slows_down_for_a_while(clockwork):
    found = timed(["4.0", "1.0", "6.0"])
    assert [found[name].ratio for name in ("4.0", "1.0", "6.0")] == [1.0, 0.25, 1.5]
    assert found["1.0"].ratio_range == (0.25, 0.25)


def test_percentiles_are_microseconds_over_all_timed_runs(clockwork):
    found = timed(["4.0", "1.0"], threads=2)["1.0"]
    assert (found.p50, found.p90, found.p99) == (1.5, 2.0, 2.0)  # half of the rounds at 1, half 2
    assert (found.runs, found.threads) == (60, 2)
    assert (found.quietest, found.cold_start) == (1.0, 2.0)


def test_files_take_turns_in_changing_order(clockwork):
    timed(["1.0", "2.0", "3.0"])
    rounds = [tuple(clockwork.visits[i : i + 3]) for i in range(0, len(clockwork.visits), 3)]
    assert len(set(rounds)) > 1
    assert len(clockwork.visits) >= 6 * 2  # in turns, not one file after the other


def test_nothing_is_collected_while_the_clock_runs(clockwork):
    assert gc.isenabled()
    timed(["1.0"])
    assert not any(clockwork.collecting)
    assert gc.isenabled()


def test_slow_files_are_timed_less_often(clockwork, monkeypatch):
    monkeypatch.setattr(timing, "_BLOCK_SECONDS", 0.0)
    assert timed(["1.0"])["1.0"].runs == 6


def test_a_reference_that_is_not_there_is_refused(clockwork):
    with pytest.raises(ValueError, match="reference 'float32'"):
        time_files({"int8": Path("1.0")}, PICTURES)
    with pytest.raises(ValueError, match="need pictures"):
        time_files({"float32": Path("1.0")}, PICTURES[:0])


def test_real_files_are_timed(tflite_nets, digit_images):
    files = {form: tflite_nets[form] for form in ("float32", "int8")}
    found = time_files(files, digit_images[:10], rounds=3, runs=10, warmup=2, starts=3)
    assert list(found) == ["float32", "int8"]
    assert found["float32"].ratio == 1.0
    for row in found.values():
        assert 0 < row.p50 <= row.p90 <= row.p99
        assert row.ratio_range[0] <= row.ratio <= row.ratio_range[1]
        assert row.quietest <= row.p50
        assert row.cold_start > row.quietest
        assert (row.runs, row.threads) == (30, 1)
        assert row.load >= 0
        assert row.amx == ("off" if amx.has_amx() else "none")


def test_where_files_are_timed_tensorflow_is_not(tflite_nets, digit_images, monkeypatch):
    spied = "; assert not {'tensorflow', 'keras'} & {*__import__('sys').modules}"
    monkeypatch.setattr(latency, "_TIMING", latency._TIMING + spied)
    assert time_files({"float32": tflite_nets["float32"]}, digit_images[:1], rounds=1)


def test_what_is_wrong_with_a_file_is_said_as_ever(tflite_nets, digit_images, tmp_path):
    with pytest.raises(IntegrityError, match=r"gone\.tflite: no such file"):
        time_files({"float32": tmp_path / "gone.tflite"}, digit_images[:1])
    with pytest.raises(ConversionError, match="wants pictures uint8"):
        time_files({"float32": tflite_nets["float32"]}, PICTURES[:, :4])


def test_a_file_that_kills_the_process_does_not_kill_ours(monkeypatch):
    dies = "import os, sys; print('out of luck', file=sys.stderr, flush=True); os.abort()"
    monkeypatch.setattr(latency, "_TIMING", dies)
    with pytest.raises(
        ConversionError, match=rf"wild: .* with -{int(signal.SIGABRT)}: out of luck"
    ):
        time_files({"wild": Path("1.0")}, PICTURES, reference="wild")


def test_a_module_of_the_same_name_beside_the_user_is_not_taken(
    tflite_nets, digit_images, monkeypatch, tmp_path
):
    for name in ("random", "numpy", "pipeline"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stray file was imported')\n")
    monkeypatch.chdir(tmp_path)
    assert time_files({"float32": tflite_nets["float32"]}, digit_images[:1], rounds=1)


def test_files_are_found_from_wherever_we_are(tflite_nets, digit_images, monkeypatch):
    path = tflite_nets["float32"]
    monkeypatch.chdir(path.parent)
    assert time_files({"float32": Path(path.name)}, digit_images[:1], rounds=1)
