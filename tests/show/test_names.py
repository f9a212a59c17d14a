"""Class names on figures: whatever a folder is called, it can be drawn and told apart."""

import pytest

from pipeline.show.names import class_labels, cut, visible


def test_a_plain_name_is_left_alone():
    assert class_labels(["cat", "T-shirt/top"]) == ["cat", "T-shirt/top"]


def test_a_long_name_keeps_both_of_its_ends():
    assert cut("automobile_front_left", 12) == "automobi…eft"
    assert all(len(cut("n02123045-tabby-cat", limit)) <= limit for limit in range(4, 25))


def test_names_that_look_the_same_once_cut_carry_their_number():
    labels = class_labels(["automobile_seen_from_left", "automobile_gone_from_left"], limit=12)
    assert [label[:2] for label in labels] == ["#0", "#1"]


def test_dollars_do_not_start_a_formula():
    assert class_labels(["$x_1$"]) == [r"\$x_1\$"]


@pytest.mark.parametrize("name", ["a\nb", "a\r\n\tb", "a\u2028 b", "a\x00b"])
def test_every_name_is_one_line(name):
    assert class_labels([name]) == ["a b"]


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "\U0001f408", "\U000f0000"])
def test_a_name_no_font_can_write_shows_its_number(name):
    assert class_labels(["cat", name]) == ["cat", "#1"]


def test_what_can_be_written_of_a_name_is_kept():
    assert class_labels(["\U0001f408 cat"]) == ["#0 cat"]


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("a\nb\x07", r"a\nb\x07"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\udcff.png", r"\udcff.png"),
        ("猫 عربي \U0001f468\u200d\U0001f469", "猫 عربي \U0001f468\u200d\U0001f469"),
    ],
)
def test_what_cannot_be_seen_is_written_out_and_the_rest_left_alone(name, seen):
    assert visible(name) == seen
