"""What is said of the pictures going in."""

import pytest

from pipeline.show.audit import Audit
from pipeline.show.findings import findings, notes
from pipeline.show.intake import listings, sheets_shown, size_range, used


def said(audit, **changes):
    return findings(Audit.model_validate(audit | changes))


def noted(audit, **changes):
    return notes(Audit.model_validate(audit | changes))


def test_where_nothing_is_wrong_one_line_says_so(clean):
    (line,) = said(clean)
    assert line.startswith("Nothing was set aside: every picture could be read")
    assert noted(clean) == ()
    assert listings(Audit.model_validate(clean)) == []


def test_all_that_is_wrong_is_said(troubled):
    text = "\n".join(said(troubled))
    assert "Nothing" not in text
    assert "3 pictures were set aside (0.18 % of those found)." in text
    assert "3 pictures stand more than once, pixel by pixel: 4 beyond the first." in text
    assert "1 stood in two splits at once; 2 copies were left out." in text
    assert "At least 5 pairs look alike: thumbnails in gray that differ by 2 of 255" in text
    assert "at least 2 stand in two splits: the accuracy may be too kind." in text
    assert "1 picture has two labels or more; all copies of it were set aside." in text
    assert "these classes are so small: 9." in text
    assert "The largest class, 0, has 16.4 times the pictures of the smallest, 9" in text
    assert "train.class_weights=balanced" in text


def test_the_top_of_the_report_says_what_no_one_should_miss(troubled):
    lines = noted(troubled)
    assert len(lines) == 5
    for part in ("set aside (", "left out", "too kind", "two labels", "16.4 times"):
        assert sum(part in line for line in lines) == 1


@pytest.mark.parametrize(
    ("imbalance", "in_section", "on_top"), [(3.0, 0, 0), (3.1, 1, 0), (9.9, 1, 0), (10.0, 1, 1)]
)
def test_imbalance_is_said_from_three_and_on_top_from_ten(clean, imbalance, in_section, on_top):
    lines = said(clean, imbalance=imbalance), noted(clean, imbalance=imbalance)
    found = [sum("class_weights" in line for line in some) for some in lines]
    assert found == [in_section, on_top]


def test_look_alikes_within_a_split_are_no_reason_for_doubt(clean):
    near = {"pairs": 1, "across_splits": 0, "rms": 2.0, "complete": True}
    assert noted(clean, near_duplicates=near) == ()
    assert said(clean, near_duplicates=near)[1].startswith("1 pair looks alike: ")


def test_copies_within_a_split_are_told_and_kept(clean):
    duplicates = {"groups": 1, "extra": 2, "across_splits": 0, "dropped": 0}
    assert said(clean, duplicates=duplicates) == [
        "Every picture could be read.",
        "1 picture stands more than once, pixel by pixel: 2 beyond the first.",
    ]
    assert noted(clean, duplicates=duplicates) == ()


@pytest.mark.parametrize(
    ("across", "dropped", "end"),
    [(1, 0, "two splits at once; none was left out."), (0, 1, "1 copy was left out.")],
)
def test_what_was_done_with_copies_is_said(clean, across, dropped, end):
    duplicates = {"groups": 1, "extra": 1, "across_splits": across, "dropped": dropped}
    assert said(clean, duplicates=duplicates)[-1].endswith(end)
    assert noted(clean, duplicates=duplicates)[0].endswith(end)


def test_many_moved_classes_are_cut_short(clean):
    line = said(clean, moved=[f"class {number}" for number in range(14)])[-1]
    assert line.endswith("class 8, class 9 and 4 more.")


def test_a_hostile_class_name_stays_short_and_on_its_line(clean):
    clean["classes"][0] |= {"name": "a\n\u202eb" + "x" * 200, "train": 9999}
    line = said(clean, imbalance=50)[-1]
    assert r"a\n\u202eb" in line
    assert len(line) < 200


def test_remarks_come_with_what_was_done(troubled):
    tables = {table.key: table for table in listings(Audit.model_validate(troubled))}
    assert list(tables) == ["quarantined", "noted", "passed_over"]
    assert [remark.where for remark in tables["passed_over"].remarks] == ["Thumbs.db"]


def test_counts_and_sizes(clean, troubled):
    assert used(Audit.model_validate(clean)) == 1800
    assert used(Audit.model_validate(troubled)) == 1800 - 180 + 11
    assert size_range(Audit.model_validate(clean)) == "8 × 8"
    assert size_range(Audit.model_validate(troubled)) == "100–4000 × 80–3000, 90 different"


def test_the_page_says_which_classes_have_no_sheet(clean):
    audit = Audit.model_validate(clean)
    assert sheets_shown(audit, 10) == "All 10 classes."
    assert sheets_shown(audit, 4).startswith(
        "The 4 classes with the fewest training pictures, of 10;"
    )


def test_what_is_set_already_is_not_advised(clean):
    audit = Audit.model_validate(clean | {"imbalance": 12.0})
    for say in (findings, notes):
        assert "with train.class_weights=balanced" in " ".join(say(audit))
        told = " ".join(say(audit, balanced=True))
        assert "training let each class count the same" in told
        assert "with train.class_weights" not in told
