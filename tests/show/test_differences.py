"""Where a file parts from float32: in the page, in Markdown, in json and in csv."""

import csv
import json

import pytest

from pipeline.show import differences, numbers, places
from pipeline.show.html import to_html
from pipeline.show.markdown import to_markdown
from pipeline.show.rows import DETAILS, measured, table
from pipeline.show.schema import Report
from pipeline.show.sheet import to_csv
from pipeline.show.variant import Variant
from tests.show.conftest import HOSTILE, INT8, changes, variant
from tests.show.test_report import Page, cells

MANY = [f"class {number}" for number in range(100)]


def section(page):
    return page.partition('<section id="differences">')[2].partition("</section>")[0]


def of_many(facts, lost, gained=0):
    """A report of a hundred classes, of which int8 changes the first `lost`."""
    less = [number + 1 if number < lost else 0 for number in range(100)]
    row = variant("int8", 36_104, 355 / 360, 12.3, classes=changes(MANY, less, [gained] * 100))
    facts["variants"][1] = row
    return Report.model_validate(facts)


def row_of(**said):
    said = {"gained": 2, "lost": 3, "agreement": 0.9} | said
    return Variant.model_validate(variant("int8", 9000, 0.9, 9.0, **said))


@pytest.mark.parametrize(
    ("names", "recommended", "looked_at"),
    [
        (["float32", "int8", "qat"], "qat", ["qat", "int8"]),
        (["float32", "int8", "qat"], "int8", ["int8"]),
        (["float32", "int8"], "float32", ["int8"]),
        (["float32", "float16"], "float32", ["float32"]),
        (["float32"], None, ["float32"]),
        (["float32", "qat"], "qat", ["qat"]),
    ],
)
def test_the_recommended_file_and_int8_are_looked_at(names, recommended, looked_at):
    assert differences.looked_at(names, recommended) == looked_at


def test_classes_that_lose_most_come_first_and_those_that_do_not_change_are_counted(report):
    int8 = report.variants[1]
    found = differences.changed(int8)
    assert [one.name for one in found] == ["2", "5", "8"]
    assert [one.drop_pp for one in found] == pytest.approx([200 / 36, 100 / 36, -200 / 36])
    assert differences.unchanged(int8).startswith("The other 7 classes are recognised")
    pair = int8.model_copy(update={"classes": int8.classes[1:3]})
    assert differences.unchanged(pair).startswith("The other class is recognised")
    still = int8.model_copy(update={"classes": int8.classes[:1]})
    assert differences.unchanged(still).startswith("The only class is recognised")
    none = int8.model_copy(update={"classes": int8.classes[2:3]})
    assert differences.unchanged(none) == ""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "int8 loses 3 test pictures that float32 reads right and gains 2 that float32"),
        ({"lost": 1}, "int8 loses 1 test picture that"),
        ({"lost": 0}, "int8 loses no test pictures that"),
        ({"lost": 0, "gained": 0}, "int8 gets the same test pictures right as float32: none"),
        ({"lost": 0, "gained": 0, "agreement": 1.0}, "answers every test picture as float32 does"),
    ],
)
def test_what_was_lost_and_gained_is_said_in_a_sentence(report, said, told):
    first, second = differences.told(report, row_of(**said))
    assert told in first
    assert second == (
        "The probabilities of int8 are off by 1.23 % in the mean (ECE), those of float32 by 1.23 %."
    )


def test_float32_by_itself_is_not_held_against_itself(report):
    assert differences.told(report, report.variants[0]) == [
        "The probabilities of float32 are off by 1.23 % in the mean (ECE)."
    ]


def test_page_markdown_json_and_csv_say_the_same_of_each_class(report, figures_dir):
    shown = section(to_html(report, figures_dir))
    names, (lost, gained) = [str(number) for number in range(10)], INT8
    expected = [
        [names[k], numbers.points(100 * (lost[k] - gained[k]) / 36), f"{lost[k]}", f"{gained[k]}"]
        for k in (2, 5, 8)
    ]
    expected = [[*row, "36"] for row in expected]
    assert cells(shown, "table-changes-1") == expected
    assert "table-changes-2" not in shown, "the recommended file is int8"
    text = to_markdown(report)
    for row in expected:
        assert f"| {' | '.join(row)} |" in text
    written = json.loads(report.to_json())["variants"]
    assert written[1]["classes"] == changes(names, lost, gained)
    assert "classes" not in written[0]
    rows = list(csv.DictReader(to_csv(report).splitlines()))
    for k, one in enumerate(written[1]["classes"]):
        for key in ("drop_pp", "lost", "gained"):
            assert float(rows[1][f"class_{k}_{key}"]) == one[key]
    assert rows[0]["class_2_lost"] == rows[3]["class_2_lost"] == "", "nothing was compared there"
    for sentence in differences.told(report, report.variants[1]):
        assert sentence in Page(shown).texts
        assert sentence in text


def test_unrounded_drops_stand_in_the_page(report, figures_dir):
    page = Page(section(to_html(report, figures_dir)))
    drops = [facts["data-value"] for tag, facts in page.tags if facts.get("data-key") == "drop_pp"
             and tag == "td"]  # fmt: skip
    assert drops == [str(one.drop_pp) for one in differences.changed(report.variants[1])]


def test_of_a_hundred_classes_the_page_shows_few_and_folds_the_rest_away(facts, figures_dir):
    report = of_many(facts, lost=30)
    shown = section(to_html(report, figures_dir))
    above, _, folded = shown.partition("<details>")
    first = [row[0] for row in cells(above, "table-changes-1")]
    assert first == [f"class {number}" for number in range(29, 21, -1)]
    assert "<summary>22 more classes changed</summary>" in folded
    assert len(cells(folded, "table-changes-more-1")) == 22
    assert "The other 70 classes are recognised" in shown
    text = to_markdown(report)
    assert "| class 22 |" in text
    assert "| class 21 |" not in text.partition("## Class by class")[0]
    assert "22 more classes changed; they are in report.json." in text


def test_where_no_class_changed_a_sentence_stands_in_place_of_the_table(facts, figures_dir):
    report = of_many(facts, lost=0)
    for text in (section(to_html(report, figures_dir)), to_markdown(report)):
        assert "All 100 classes are recognised on the same pictures as before." in text
    assert "table-changes" not in section(to_html(report, figures_dir))


def test_top_k_and_calibration_stand_among_the_details_and_of_the_trained_model(
    report, figures_dir
):
    found = {one.key: one for one in measured(DETAILS, table(report), report)}
    assert found["top_k_accuracy"].heading == "top 5"
    page = to_html(report, figures_dir)
    row = Page(page).rows["int8"]
    assert row["calibration_error"] == ("0.0123456", "1.23 %")
    assert row["top_k_accuracy"] == ("0.99876543", "99.88 %")
    assert (row["gained"], row["lost"]) == (("2", "2"), ("3", "3"))
    sheet = next(csv.DictReader(to_csv(report).splitlines()))
    assert (sheet["top_k_k"], sheet["top_k_accuracy"]) == ("5", "0.99876543")
    assert sheet["calibration_error"] == "0.0123456"
    for text in (page, to_markdown(report)):
        assert "The class is among the 5 likeliest on 98.77 %." in text
        assert "Its expected calibration error (ECE) is 2.35 %." in text


def test_where_there_is_no_top_k_there_is_no_column(facts, figures_dir):
    facts["evaluation"] |= {"top_k": None}
    for row in facts["variants"][:3]:
        row["top_k"] = None
    report = Report.model_validate(facts)
    assert "top_k_accuracy" not in {one.key for one in measured(DETAILS, table(report), report)}
    for text in (to_html(report, figures_dir), to_markdown(report)):
        assert "likeliest on" not in text
        assert "top 5" not in text


def test_an_earlier_report_that_knows_none_of_it_is_read(facts, figures_dir):
    facts["evaluation"] = {
        key: value
        for key, value in facts["evaluation"].items()
        if key not in {"top_k", "calibration_error"}
    }
    for row in facts["variants"][:3]:
        for key in ("gained", "lost", "calibration_error", "top_k", "classes"):
            row.pop(key, None)
    report = Report.model_validate(facts)
    for text in (to_html(report, figures_dir), to_markdown(report)):
        assert "Where the accuracy went" not in text
        assert "ECE" not in text


def test_of_several_labels_it_is_exact_match_that_went(facts, figures_dir):
    facts["dataset"]["multi_label"] = True
    report = Report.model_validate(facts)
    for text in (to_html(report, figures_dir), to_markdown(report)):
        assert "Where the exact match went" in text
        assert "int8 loses 3 test pictures that float32 gets wholly right" in text


def test_hostile_classes_are_text_in_each_format(hostile, figures_dir):
    page = section(to_html(hostile, figures_dir))
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page
    assert "\u202egnp.exe" in page
    text = to_markdown(hostile).partition("## Where the accuracy went")[2]
    text = text.partition("## Class by class")[0]
    assert r"| a\|b\\nc | +2.78 pp |" in text
    header = next(csv.reader(to_csv(hostile).splitlines(keepends=True)))
    assert not [cell for cell in header if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    assert f"class_{HOSTILE[0]}_drop_pp" in header
    assert r"class_a|b\nc_lost" in header


def test_figures_stand_with_the_file_they_are_of(facts, figures_dir):
    curves = (figures_dir / "training_curves.png").read_bytes()
    facts["recommended"] = "prune+int8"
    shown = [
        places.numbered(kind, number, name)
        for number, name in enumerate(("prune+int8", "int8"), 1)
        for kind in places.DIFFERENCES
    ]
    for picture in shown:
        (figures_dir / picture.file).write_bytes(curves)
    facts["figures"] = [picture.model_dump() for picture in shown]
    report = Report.model_validate(facts)
    page = section(to_html(report, figures_dir))
    first, _, second = page.partition("<h3><bdi>int8</bdi></h3>")
    for kind in places.DIFFERENCES:
        assert f'id="figure-{kind}-1.png"' in first
        assert f'id="figure-{kind}-2.png"' in second
        assert f"{kind}-2.png" not in first
        assert f"{kind}-1.png" not in second
        assert f"](figures/{kind}-2.png)" in to_markdown(report).partition("### int8")[2]
    assert cells(first, "table-changes-1")[0][0] == "3"
    assert cells(second, "table-changes-2")[0][0] == "2"
    assert [one.title for one in shown][2] == "Change of the confusion: prune+int8"
