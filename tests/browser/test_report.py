"""report.html in a browser without a network: on a phone, on a laptop, in the dark, on paper."""

import csv
import re
from itertools import pairwise

import pytest

from tests.browser import looks
from tests.browser.conftest import HOSTILE, REASON, WIDTHS

pytestmark = pytest.mark.browser

SCHEMES = ("light", "dark")
FORMULA = ("=", "+", "-", "@")


@pytest.fixture(params=WIDTHS)
def page(request, visit, digits_report):
    return visit(digits_report.page, request.param)


def test_every_variant_and_every_figure_is_on_the_page(page, digits_report):
    variants = digits_report.facts["variants"]
    assert sorted(v["status"] for v in variants) == ["failed", *["ok"] * 3]
    rows = dict(page.evaluate(looks.ROWS, "bytes"))
    assert rows == {v["name"]: str(v["bytes"]) if v["status"] == "ok" else None for v in variants}
    assert REASON in page.locator('#table-answer [data-status="failed"]').inner_text()
    shown = {file: (width, alt) for file, width, alt in page.evaluate(looks.FIGURES)}
    assert len(digits_report.facts["figures"]) > 20
    assert set(shown) == {one["file"] for one in digits_report.facts["figures"]}
    for one in digits_report.facts["figures"]:
        width, alt = shown[one["file"]]
        assert width > 0, one
        assert alt == one["alt"] != ""


def test_the_page_is_never_scrolled_sideways(page):
    needed, there = page.evaluate(looks.WIDTHS)
    assert needed <= there
    page.evaluate(looks.OPEN_ALL)
    needed, there = page.evaluate(looks.WIDTHS)
    assert needed <= there


def test_a_heading_sorts_its_table_both_ways(page, digits_report):
    variants = digits_report.facts["variants"]
    done = [v for v in variants if v["status"] == "ok"]
    failed = [v["name"] for v in variants if v["status"] != "ok"]
    table = page.locator("#table-answer")
    for key, value in {
        "bytes": lambda v: v["bytes"],
        "latency_us_p50": lambda v: v["latency_us"]["p50"],
    }.items():
        heading = table.locator(f'thead th[data-key="{key}"]')
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == "ascending"
        up = [name for name, _ in page.evaluate(looks.ROWS, key)]
        assert up == [v["name"] for v in sorted(done, key=value)] + failed
        heading.get_by_role("button").press("Enter")
        assert heading.get_attribute("aria-sort") == "descending"
        down = [name for name, _ in page.evaluate(looks.ROWS, key)]
        assert down == [v["name"] for v in sorted(done, key=value, reverse=True)] + failed
        assert table.locator("th[aria-sort]").count() == 1
    heading = table.locator('thead th[data-key="name"]')
    heading.get_by_role("button").click()
    names = [name for name, _ in page.evaluate(looks.ROWS, "name")]
    assert names == sorted(v["name"] for v in variants)


def test_a_figure_is_enlarged_and_escape_closes_it(page):
    dialog = page.get_by_role("dialog", name="Figure, enlarged")
    assert not dialog.is_visible()
    button = page.get_by_role("button", name="Enlarge: Confusion")
    button.click()
    assert dialog.is_visible()
    large, small = (place.get_by_role("img") for place in (dialog, button))
    assert large.get_attribute("src") == small.get_attribute("src")
    assert large.get_attribute("alt") == small.get_attribute("alt")
    width = "image => image.getBoundingClientRect().width"
    assert large.evaluate(width) > small.evaluate(width)
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert button.evaluate("button => button === document.activeElement")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_can_be_read_on_what_is_behind_it(visit, digits_report, scheme):
    page = visit(digits_report.page, scheme=scheme)
    for other in SCHEMES:
        page.emulate_media(color_scheme=other)
        page.evaluate(looks.OPEN_ALL)
        found = page.evaluate(looks.CONTRASTS)
        assert len(found) > 500
        assert [one for one in found if one[0] < 4.5] == []


def test_light_and_dark_follow_the_system_until_somebody_chooses(visit, digits_report):
    page = visit(digits_report.page, scheme="dark")
    assert max(page.evaluate(looks.BRIGHTNESS)) < 0.25
    page.emulate_media(color_scheme="light")
    assert min(page.evaluate(looks.BRIGHTNESS)) > 0.9
    page.keyboard.press("Tab")
    chosen = page.get_by_role("button", name="Dark colours")
    assert chosen.evaluate("button => button === document.activeElement")
    page.keyboard.press("Enter")
    assert max(page.evaluate(looks.BRIGHTNESS)) < 0.25
    assert min(one[0] for one in page.evaluate(looks.CONTRASTS)) >= 4.5
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Light colours").click()
    assert min(page.evaluate(looks.BRIGHTNESS)) > 0.9
    assert min(one[0] for one in page.evaluate(looks.CONTRASTS)) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_paper_is_white_and_everything_on_it(visit, digits_report, scheme):
    page = visit(digits_report.page, scheme=scheme)
    switch = page.get_by_role("button", name=re.compile("colours"))
    for press in (False, True):  # dark by the system's wish, and by somebody's
        if press:
            page.emulate_media(media="screen")
            switch.click()
        page.emulate_media(media="print")
        assert min(page.evaluate(looks.BRIGHTNESS)) > 0.9
        assert min(one[0] for one in page.evaluate(looks.CONTRASTS)) >= 4.5
        assert not page.locator("#theme").is_visible()
    shut = page.evaluate(looks.SHUT)
    assert shut > 3
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.shut = ({looks.SHUT})(); }})")
    assert page.pdf().startswith(b"%PDF-")
    assert page.evaluate("shut") == 0
    assert page.evaluate(looks.SHUT) == shut


def test_it_can_be_used_without_seeing_it(page):
    for role in ("button", "region", "table"):
        every, named = page.get_by_role(role), page.get_by_role(role, name=re.compile(r"\S"))
        assert every.count() == named.count() > 0, role
    assert page.locator("img:not([src]), dialog img").count() == 1, "that of the dialog, shut"
    assert page.locator('figure img[alt=""], figure img:not([alt])').count() == 0
    levels = page.evaluate(
        "() => [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map((h) => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.locator("table th:not([scope])").count() == 0
    assert page.locator('.scroll:not([tabindex="0"])').count() == 0
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("main").count() == 1
    twice = "() => { const all = [...document.querySelectorAll('[id]')].map((one) => one.id);"
    assert page.evaluate(f"{twice} return all.filter((id, at) => all.indexOf(id) !== at); }}") == []


def test_without_scripts_it_is_all_there(visit, digits_report):
    page = visit(digits_report.page, java_script_enabled=False)
    assert page.locator("#table-answer tbody tr").count() == len(digits_report.facts["variants"])
    assert page.locator("figure img").count() == len(digits_report.facts["figures"])
    assert not page.locator("#theme").is_visible(), "a button that would do nothing"


def test_the_file_is_small_enough_to_be_sent(digits_report):
    assert (digits_report.folder / "report.html").stat().st_size < 3_000_000


@pytest.mark.parametrize("width", WIDTHS)
def test_class_names_that_try_something_do_nothing(visit, hostile_report, width):
    facts = hostile_report.facts
    assert set(facts["dataset"]["classes"]) == set(HOSTILE)
    page = visit(hostile_report.page, width)
    assert page.locator("script").count() == 1
    assert page.locator("[onerror], img[src='x'], b").count() == 0
    rows = page.locator("#table-classes tbody th")
    assert {row.strip() for row in rows.all_inner_texts()} == set(HOSTILE)
    page.evaluate(looks.OPEN_ALL)
    needed, there = page.evaluate(looks.WIDTHS)
    assert needed <= there
    shown = page.evaluate(looks.FIGURES)
    assert {file for file, _, _ in shown} == {one["file"] for one in facts["figures"]}
    assert min(width for _, width, _ in shown) > 0
    page.locator('#table-classes th[data-key="class"] button').click()
    for zoom in page.locator(".sheets .zoom").all():
        zoom.click()
        page.keyboard.press("Escape")


def test_a_reason_that_is_a_formula_is_text_to_a_spreadsheet(digits_report):
    with (digits_report.folder / "report.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["name"]: row["reason"] for row in rows}["float16"] == f"'{REASON}"
    for cell in (cell for row in rows for cell in row.values()):
        assert not cell.startswith(FORMULA) or isinstance(float(cell), float)
