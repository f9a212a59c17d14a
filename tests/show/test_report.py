"""The four files of a report say the same, to the digit, and are safe to open."""

import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import IntegrityError
from pipeline.show import figures, numbers, places
from pipeline.show.html import to_html
from pipeline.show.names import visible
from pipeline.show.report import render
from pipeline.show.rows import ANSWER, DETAILS, flat, measured, table
from pipeline.show.schema import Report
from tests.show.conftest import HOSTILE

LOADS = {"src", "href", "srcset", "data", "action", "poster", "background", "formaction"}


class Page(HTMLParser):
    """What a browser would find: tags, visible text, and the measured values by row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.row: dict[str, tuple[str, str]] = {}
        self.rows: dict[str, dict[str, tuple[str, str]]] = {}
        self._cell: tuple[str, str] | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        self.tags.append((tag, facts))
        if tag == "tr":
            self.row = self.rows.setdefault(facts.get("data-variant") or "", {})
        if "data-value" in facts:
            self._cell = (facts["data-key"], facts["data-value"])

    def handle_data(self, data):
        self.texts.append(data)
        if self._cell:
            key, value = self._cell
            self.row.setdefault(key, (value, data.strip()))
            self._cell = None

    def with_tag(self, wanted: str) -> list[dict[str, str | None]]:
        return [facts for tag, facts in self.tags if tag == wanted]


@pytest.fixture
def rendered(report, figures_dir, tmp_path):
    render(report, figures_dir, tmp_path)
    return tmp_path


@pytest.fixture
def attacked(hostile, figures_dir, tmp_path):
    render(hostile, figures_dir, tmp_path)
    return tmp_path


def markdown_rows(text: str) -> dict[str, dict[str, str]]:
    """Cells by variant and heading, of all tables that start with `variant`."""
    found: dict[str, dict[str, str]] = {}
    headings: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells[:1] == ["variant"]:
            headings = cells
        elif not cells:
            headings = []
        elif headings and not cells[0].startswith("---"):
            name = cells[0].removesuffix(" (ship)")
            found.setdefault(name, {}).update(zip(headings, cells, strict=True))
    return found


def cells(page, table):
    """Texts of the cells of a table on the page, row by row."""
    body = page.partition(f'<table id="{table}"')[2].partition("</table>")[0]
    rows = body.partition("<tbody>")[2].split("</tr>")[:-1]
    return [
        ["".join(Page(cell).texts).strip() for cell in re.split("</t[dh]>", row)[:-1]]
        for row in rows
    ]


def test_json_and_csv_hold_the_same_unrounded_values(rendered, report):
    with (rendered / "report.csv").open(encoding="utf-8", newline="") as stream:
        table = {row["name"]: row for row in csv.DictReader(stream)}
    assert list(table) == ["float32", "int8", "prune+int8", "qat"]
    for variant in report.variants:
        for key, value in flat(variant).items():
            text = table[variant.name][key]
            if value is None:
                assert text == ""
            else:
                assert type(value)(text) == value, key
    assert [name for name, row in table.items() if row["recommended"] == "True"] == ["int8"]


def test_html_carries_the_unrounded_value_beside_what_is_read(rendered, report):
    page = Page((rendered / "report.html").read_text(encoding="utf-8"))
    written = json.loads((rendered / "report.json").read_text(encoding="utf-8"))
    for variant, raw in zip(report.variants[:3], written["variants"], strict=False):
        row = page.rows[variant.name]
        for column in (*ANSWER, *DETAILS):
            value = flat(variant).get(column.key)
            if value is not None:
                assert row[column.key] == (str(value), column.show(value))
        assert float(row["accuracy"][0]) == raw["accuracy"]
        assert int(row["bytes"][0]) == raw["bytes"]


def test_markdown_reads_as_the_page_does(rendered, report):
    page = Page((rendered / "report.html").read_text(encoding="utf-8"))
    written = markdown_rows((rendered / "report.md").read_text(encoding="utf-8"))
    for variant in report.variants[:3]:
        for column in measured((*ANSWER, *DETAILS), table(report), report):
            if column.key in page.rows[variant.name]:
                read = page.rows[variant.name][column.key][1]
                cell = written[variant.name][column.heading]
                assert cell.startswith(read.replace("<", "&lt;")), column.key
        wanted = numbers.with_interval(variant.accuracy, variant.accuracy_ci95)
        assert written[variant.name]["accuracy"] == wanted


def test_a_ratio_comes_with_how_it_varied(rendered, report):
    page = Page((rendered / "report.html").read_text(encoding="utf-8"))
    low, high = report.variants[1].latency_ratio_range
    ends = [facts for facts in page.with_tag("small") if "data-low" in facts]
    pairs = [
        (float(facts["data-low"]), float(facts["data-high"]))
        for facts in ends
        if facts["data-key"] == "latency_ratio_range"
    ]
    assert (low, high) in pairs
    assert f"{low:.2f}–{high:.2f}" in page.texts
    cell = markdown_rows((rendered / "report.md").read_text(encoding="utf-8"))["int8"]["time ratio"]
    assert cell == f"{report.variants[1].latency_ratio:.2f}× [{low:.2f}–{high:.2f}]"


def test_latency_by_threads_has_a_table(rendered, report):
    page = Page((rendered / "report.html").read_text(encoding="utf-8"))
    one, two = report.variants[1].latency_by_threads
    row = page.rows["int8"]
    assert row["latency_by_threads_1"] == (str(one.p50), numbers.latency(one.p50))
    assert row["latency_by_threads_2"] == (str(two.p50), numbers.latency(two.p50))
    text = (rendered / "report.md").read_text(encoding="utf-8")
    assert f"| int8 | {numbers.latency(one.p50)} | {numbers.latency(two.p50)} |" in text
    assert "| threads | 1 | 2 |\n|---|--:|--:|\n" in text


def test_a_failed_variant_keeps_its_row_and_its_reason(rendered):
    page = (rendered / "report.html").read_text(encoding="utf-8")
    assert 'data-variant="qat" data-status="failed"' in page
    assert "out of luck" in page
    assert "| qat | failed: out of luck |" in (rendered / "report.md").read_text(encoding="utf-8")


def test_the_page_loads_nothing_from_outside(attacked):
    text = (attacked / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    for tag, facts in page.tags:
        for name, value in facts.items():
            assert name not in LOADS or (tag == "img" and value.startswith("data:image/")), tag
            assert not name.startswith("on"), f"{tag} {name}"
    assert not {"link", "iframe", "object", "base", "form", "embed"} & {tag for tag, _ in page.tags}
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_the_page_lets_the_browser_run_only_its_own_script(rendered):
    text = (rendered / "report.html").read_text(encoding="utf-8")
    policy = Page(text).with_tag("meta")[1]["content"] or ""
    assert policy.startswith("default-src 'none'; img-src data:; ")
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        block = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\sstyle=", text)


def test_hostile_names_are_text_on_the_page(attacked):
    page = Page((attacked / "report.html").read_text(encoding="utf-8"))
    assert len(page.with_tag("script")) == 1
    assert len(page.with_tag("style")) == 1
    assert len(page.with_tag("img")) == 2
    assert any("<script>alert(1)</script>" in text for text in page.texts)
    assert "@SUM(A1)" in page.rows


def test_hostile_names_are_text_in_a_spreadsheet(attacked):
    with (attacked / "report.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[2]["name"] == "'@SUM(A1)"
    assert rows[3]["reason"].startswith("'=cmd")
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell[:1] in ("=", "@", "\t", "\r")]


def test_negative_numbers_stay_numbers_in_a_spreadsheet(attacked, hostile):
    with (attacked / "report.csv").open(encoding="utf-8", newline="") as stream:
        gain = list(csv.DictReader(stream))[2]["drop_pp"]
    assert float(gain) == hostile.variants[2].drop_pp
    assert gain.startswith("-0.27")


def test_hostile_names_are_text_in_markdown(attacked):
    text = (attacked / "report.md").read_text(encoding="utf-8")
    outside, fence, _ = text.partition("`````yaml")
    assert fence, "the fence must be longer than any inside it"
    assert "<" not in outside
    assert r"\[x\](javascript" in outside
    assert r"a\|b c" in outside
    assert markdown_rows(text)["@SUM(A1)"]["size"] == "36.1 kB"


def test_every_table_of_the_markdown_is_rectangular(attacked):
    lines = (attacked / "report.md").read_text(encoding="utf-8").splitlines()
    width = 0
    for line in lines:
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert cells == width or not (cells and width), line
        width = cells


def test_a_report_written_twice_is_the_same_bytes(report, figures_dir, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        render(report, figures_dir, tmp_path / name)
    for kind in ("html", "md", "json", "csv"):
        first, second = (tmp_path / name / f"report.{kind}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()


def test_a_page_of_photographs_stays_under_three_megabytes(make, tmp_path):
    names = ["alligator", "crocodile"]
    noise = np.random.default_rng(0).integers(0, 256, (24, 224, 224, 3)).astype(np.uint8)
    wrong = figures.wrong_pictures(noise, np.zeros(24, int), np.eye(2)[[1] * 24], names)
    figures.save(wrong, tmp_path / "wrong_pictures.png")
    named = [{"file": "wrong_pictures.png", "title": "Wrong", "alt": "noise"}]
    render(make(figures=named), tmp_path, tmp_path)
    assert (tmp_path / "wrong_pictures.png").stat().st_size > 3_000_000
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_a_figure_that_is_missing_or_broken_is_named(report, tmp_path, content):
    if content:
        (tmp_path / "training_curves.png").write_bytes(content)
    with pytest.raises(IntegrityError, match=r"training_curves\.png"):
        render(report, tmp_path, tmp_path)


def test_every_figure_has_its_alt_text_and_size(rendered):
    page = Page((rendered / "report.html").read_text(encoding="utf-8"))
    (shown, _enlarged) = page.with_tag("img")
    assert shown["alt"] == "Loss falls."
    assert int(shown["width"] or 0) == 576


def test_every_remark_stands_with_its_reason(rendered, troubled):
    page = (rendered / "report.html").read_text(encoding="utf-8")
    text = (rendered / "report.md").read_text(encoding="utf-8")
    for kind in ("quarantined", "noted", "passed_over"):
        wanted = [[remark["where"], remark["reason"]] for remark in troubled[kind]]
        assert cells(page, f"table-{kind}") == wanted
        for where, reason in wanted:
            assert f"| {where} | {reason} |" in text
    assert cells(page, "table-conflicts") == [["1/c.png, 7/d.png", "1, 7"]]
    assert "| 1/c.png, 7/d.png | 1, 7 |" in text


def test_every_class_stands_with_its_counts_and_brightness(rendered):
    page = (rendered / "report.html").read_text(encoding="utf-8")
    rows = cells(page, "table-balance")
    assert len(rows) == 10
    assert rows[9] == ["9", "9", "8", "1", "2", "79 ± 10"]
    text = (rendered / "report.md").read_text(encoding="utf-8")
    assert f"| {' | '.join(rows[9])} |" in text


def test_of_very_many_remarks_the_page_shows_some_and_counts_the_rest(facts, figures_dir, tmp_path):
    many = [{"where": f"a/{number}.png", "reason": "is empty"} for number in range(1400)]
    facts["dataset"]["audit"] |= {"quarantined": many}
    render(Report.model_validate(facts), figures_dir, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(cells(page, "table-quarantined")) == 300
    assert "1,100 more are in report.json." in page
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| a/19.png |" in text
    assert "| a/20.png |" not in text
    assert "1,380 more are in report.json." in text
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert written["dataset"]["audit"]["quarantined"] == many


def test_where_nothing_was_wrong_no_empty_table_stands(facts, clean, figures_dir, tmp_path):
    facts["dataset"]["audit"] = clean
    render(Report.model_validate(facts), figures_dir, tmp_path)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.count("Nothing was set aside: every picture could be read") == 1
        assert "Passed over" not in text
        assert "several labels" not in text
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "table-quarantined" not in page


def test_hostile_file_names_are_text_and_cannot_turn_the_line(attacked):
    page = (attacked / "report.html").read_text(encoding="utf-8")
    for kind in ("quarantined", "noted", "passed_over"):
        shown = [where.removesuffix("/x.png") for where, _ in cells(page, f"table-{kind}")]
        assert shown == [visible(name) for name in HOSTILE]
    body = page.partition('<section id="intake">')[2].partition("</section>")[0]
    assert not any("\u202e" in text for text in Page(body).texts)
    text = (attacked / "report.md").read_text(encoding="utf-8")
    assert r"| a\|b\\nc/x.png | a\|b\\nc |" in text
    assert r"| \`tick\`/x.png |" in text
    assert "\u202e" not in text.partition("`````yaml")[0].partition("## Pictures going in")[2]


def test_the_network_stands_with_its_figures_and_every_layer(facts, figures_dir, tmp_path):
    layer = {"kind": "Conv2D", "inputs": [], "output": [8, 8, 4], "params": 40, "trainable": 40}
    rows = [layer | {"name": f"<i>{n}|", "macs": n, "field": [3, 5]} for n in range(20)]
    facts["model"] |= {"macs": 190, "receptive_field": [22, 20], "int8_bytes": 37_187}
    facts["model"] |= {"uncounted": ["attention"], "layers": rows}
    render(Report.model_validate(facts), figures_dir, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    shown = cells(page, "table-layers")
    assert shown[19] == ["<i>19|", "Conv2D", "8 × 8 × 4", "40", "19", "10.0 %", "3 × 5"]
    assert len(shown) == 20
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    listed = [line for line in text.splitlines() if "| Conv2D |" in line]
    assert len(listed) == 12, "the costliest"
    assert listed[-1].startswith(r"| &lt;i&gt;19\| | Conv2D | 8 × 8 × 4 | 40 | 19 | 10.0 % |")
    for written in (page, text):
        assert "22 × 20" in written
        assert "off by +3.0 %" in written
        assert "not counted: attention" in written


@pytest.mark.parametrize(("number", "folded"), [(2, False), (12, False), (13, True)])
def test_many_contact_sheets_are_folded_away(facts, number, folded, figures_dir, tmp_path):
    sheets = [places.sheet(i, f"class {i}").model_dump() for i in range(number)]
    curves = (figures_dir / "training_curves.png").read_bytes()
    for sheet in sheets:
        (figures_dir / sheet["file"]).write_bytes(curves)
    render(Report.model_validate(facts | {"figures": sheets}), figures_dir, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    part = page.partition('<div class="sheets">')[2].partition("</section>")[0]
    assert part.count("<figure") == number
    assert (f"<details><summary>{number} sheets</summary>" in part) is folded
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert text.count("](figures/contact_sheet-") == number
    assert text.count("![Training pictures of the class class") == (0 if folded else number)


def test_a_bare_report_renders(make, facts, tmp_path):
    bare = make(
        dataset=facts["dataset"] | {"audit": None},
        variants=[], recommended=None, recommended_reason=None, stages=[], evaluation=None,
        training=None, augmentation=[], figures=[], notes=[], config={}, machine={}, versions={},
    )  # fmt: skip
    render(bare, tmp_path, tmp_path)
    assert "No variant to ship" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_what_each_file_computes_in_stands_with_its_operations(rendered, report):
    page = Page((rendered / "report.html").read_text(encoding="utf-8"))
    text = (rendered / "report.md").read_text(encoding="utf-8")
    for variant in report.variants[:3]:
        row = page.rows[variant.name]
        assert row["audit_xnnpack"] == ("1", "1 of 2")
        assert row["audit_per_channel"] == ("1", "1 of 1")
        assert row["audit_zeros"] == ("0.123456", "12.3 %")
        assert (
            f"| {variant.name} | int8 | 9 / 1 / 0 | 1 of 2 | 1 of 1 | 12.3 % | uint8 | int8 |"
            in text
        )
    assert page.texts.count("SOFTMAX") == 3
    assert "uint8 8×8×1" in page.texts
    assert "int8 10, 0.003906 × (n - -128)" in page.texts


def test_gates_say_what_was_asked_and_what_was_found(rendered):
    page = Page((rendered / "report.html").read_text(encoding="utf-8"))
    gates = {
        facts["data-gate"]: facts["data-passed"] for _, facts in page.tags if "data-gate" in facts
    }
    assert gates == {"int8.form": "true", "int8.bytes": "false", "qat.bytes": "false"}
    assert "int8.bytes: 36,104, asked <= 30,000" in page.texts
    assert "qat.bytes: –, asked <= 1 (it failed)" in page.texts
    text = (rendered / "report.md").read_text(encoding="utf-8")
    assert "- kept: int8.form: int8, asked is int8\n" in text
    assert "- FAILED: int8.bytes: 36,104, asked &lt;= 30,000\n" in text


def test_an_earlier_report_without_an_audit_is_read(facts, figures_dir, tmp_path):
    for variant in facts["variants"]:
        variant.pop("audit", None)
    render(Report.model_validate(facts | {"gates": []}), figures_dir, tmp_path)
    for name in ("report.html", "report.md"):
        assert "really int8" not in (tmp_path / name).read_text(encoding="utf-8")


def inlined(report, folder):
    """The pictures of a page, by their order."""
    page = Page(to_html(report, folder))
    sources = [facts["src"] for tag, facts in page.tags if tag == "img" and facts.get("src")]
    head = "data:image/webp;base64,"
    assert all(source.startswith(head) for source in sources)
    blobs = [base64.b64decode(source.removeprefix(head)) for source in sources]
    return [(len(blob), np.asarray(Image.open(io.BytesIO(blob)).convert("RGB"))) for blob in blobs]


def test_a_chart_is_on_the_page_to_the_bit_and_in_fewer_bytes(make, facts, tmp_path):
    figure = figures.training_curves(facts["training"]["history"], 2)
    figures.save(figure, tmp_path / "training_curves.png")
    ((size, pixels),) = inlined(make(), tmp_path)
    with Image.open(tmp_path / "training_curves.png") as drawn:
        assert np.array_equal(pixels, np.asarray(drawn.convert("RGB")))
    assert size < 0.6 * (tmp_path / "training_curves.png").stat().st_size


def test_what_stays_large_to_the_bit_loses_what_nobody_sees(make, tmp_path):
    smooth = np.linspace(0, 200, 900)[None, :, None] + np.zeros((900, 1, 3))
    noisy = np.clip(smooth + np.random.default_rng(0).normal(0, 4, smooth.shape), 0, 255)
    Image.fromarray(noisy.astype(np.uint8)).save(tmp_path / "training_curves.png")
    ((size, pixels),) = inlined(make(), tmp_path)
    assert size < (tmp_path / "training_curves.png").stat().st_size / 4
    assert np.abs(pixels.astype(float) - noisy).mean() < 6
