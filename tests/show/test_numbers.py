"""Measured values as text."""

import pytest

from pipeline.show import numbers


@pytest.mark.parametrize(
    ("share", "text"),
    [(355 / 360, "98.61 %"), (0, "0.00 %"), (1, "100.00 %"), (None, "–")],
)
def test_a_share_reads_as_percent(share, text):
    assert numbers.percent(share) == text


def test_nearly_all_is_never_called_all():
    assert numbers.percent(99_999 / 100_000) == "99.99 %"
    assert numbers.percent(1 / 100_000) == "0.01 %"
    assert numbers.percent(0.1 + 0.9 - 1e-12) == "100.00 %"


def test_an_interval_stands_in_brackets_behind_its_value():
    assert numbers.with_interval(0.98611, (0.9679, 0.9941)) == "98.61 % [96.8–99.4]"


def test_points_carry_their_sign():
    texts = [numbers.points(value) for value in (0.2778, -1.5, 0.0, -0.001, None)]
    assert texts == ["+0.28 pp", "-1.50 pp", "0.00 pp", "0.00 pp", "–"]


@pytest.mark.parametrize(
    ("count", "text"),
    [(812, "812 B"), (36_104, "36.1 kB"), (999_600, "1.00 MB"), (115_004, "115 kB"), (0, "0 B")],
)
def test_bytes_have_three_figures(count, text):
    assert numbers.size(count) == text


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0.5, "0.50 µs"),
        (12.345, "12.3 µs"),
        (999.7, "1.00 ms"),
        (1234, "1.23 ms"),
        (0.0, "0.00 µs"),
    ],
)
def test_latency_has_three_figures(microseconds, text):
    assert numbers.latency(microseconds) == text


def test_a_tiny_chance_is_only_bounded():
    assert [numbers.chance(p) for p in (1e-9, 0.031, 0.625)] == ["< 0.001", "0.031", "0.62"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.42, "0.42 s"),
        (12.34, "12.3 s"),
        (59.97, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3789, "1 h 03 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds, text):
    assert numbers.duration(seconds) == text


def test_an_axis_says_round_sizes():
    assert [numbers.round_size(value) for value in (500, 50_000, 2e6)] == ["500 B", "50 kB", "2 MB"]
