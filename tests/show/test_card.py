"""The model card: what the report says, for who is handed the files; its head reads back."""

import ast
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from pipeline.show import numbers, words
from pipeline.show.card import to_card
from pipeline.show.names import visible
from pipeline.show.report import render
from pipeline.show.rows import ANSWER, DETAILS
from pipeline.show.schema import Report
from tests.show.conftest import HOSTILE, inside
from tests.show.test_report import Page, markdown_rows

ROOT = Path(__file__).parents[2]
NAMES = (
    *HOSTILE,
    "---",
    "x\n---\ny: 1",
    "# a",
    "{a: [",
    "- b",
    "a: b",
    "&x *y",
    "!!python/none",
    "1e3",
)


@pytest.fixture
def files(report, figures_dir, tmp_path):
    render(report, figures_dir, tmp_path)
    return tmp_path


def head(text):
    """The YAML at the top of a card, as any reader of YAML has it, and what follows."""
    _, said, body = text.split("---\n", 2)
    return yaml.safe_load(said), body


def section(text, heading):
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_head_reads_back_as_it_was_written(files, report):
    card = ModelCard.load(files / "model_card.md")
    data = card.data.to_dict()
    assert (data["library_name"], data["pipeline_tag"]) == ("litert", "image-classification")
    assert {"tflite", "keras", "small_cnn", "int8"} == set(data["tags"])
    assert "license" not in data
    (result,) = card.data.eval_results
    assert (result.dataset_name, result.dataset_split) == ("digits", "test")
    assert (result.metric_type, result.metric_value) == ("accuracy", report.variants[1].accuracy)
    assert str(card).strip() == (files / "model_card.md").read_text(encoding="utf-8").strip()


def test_what_is_recommended_stands_in_the_head_beside_int8(make):
    said, _ = head(to_card(make(recommended="prune+int8")))
    (found,) = said["model-index"][0]["results"]
    values = {one["name"]: one["value"] for one in found["metrics"]}
    assert values == {"accuracy of int8": 355 / 360, "accuracy of prune+int8": 357 / 360}


def test_the_licence_is_the_recipes(make, facts):
    config = facts["config"] | {"report": {"license": "cc-by-4.0"}}
    assert head(to_card(make(config=config)))[0]["license"] == "cc-by-4.0"


def test_its_figures_are_those_of_the_page(files, report):
    page = Page((files / "report.html").read_text(encoding="utf-8"))
    text = (files / "model_card.md").read_text(encoding="utf-8")
    table = markdown_rows(text)
    shown = {column.heading for column in (*ANSWER, *DETAILS)} & set(table["int8"])
    assert {"size", "accuracy", "drop", "McNemar p", "latency", "time ratio", "p99"} <= shown
    for variant in report.variants[:3]:
        for column in (*ANSWER, *DETAILS):
            if column.heading in shown:
                read = page.rows[variant.name][column.key][1].replace("<", "&lt;")
                assert table[variant.name][column.heading].startswith(read), column.key
        wanted = numbers.with_interval(variant.accuracy, variant.accuracy_ci95)
        assert table[variant.name]["accuracy"] == wanted
        row = f"| {variant.file} | {numbers.count(variant.bytes)} | {variant.sha256} |"
        assert row in section(text, "Files")


def test_it_says_what_a_reader_has_to_know(files, report):
    text = (files / "model_card.md").read_text(encoding="utf-8")
    flat = text.replace("\\", "")
    assert words.headline(report) in flat
    assert "takes | uint8 8×8×1" in section(text, "What it is")
    trained = section(text, "How it was trained")
    assert "| training pictures | 1,257 |" in trained
    assert "the weights of epoch 2 were kept" in trained
    assert "x86 figures are not a phone's" in section(text, "Latency")
    assert "may well be luck (McNemar p = 0.62)" in section(flat, "What shrinking cost")
    assert "int8.bytes: 36,104, asked &lt;= 30,000" in section(flat, "What shrinking cost")
    assert "3 pictures were set aside" in section(text, "The pictures")
    assert "stand in two splits: the accuracy may be too kind" in section(text, "The pictures")
    assert "360 test pictures" in section(text, "Limits")
    assert "F1 97.5 %" in section(text, "Limits")
    again = section(text, "Do it again")
    assert "python run_pipeline.py run digits.yaml" in again
    for fact in ("data digest d1", "keras 3.15.1", "cpu: some x86", "memory: 8.00 GB"):
        assert f"- {fact}" in again
    said = re.search(r"```yaml\n(.*?)\n```", again, re.DOTALL)
    assert yaml.safe_load(said[1]) == report.config


def test_a_variant_that_failed_has_its_row_and_no_figures(files):
    text = (files / "model_card.md").read_text(encoding="utf-8")
    assert "| qat | failed: out of luck |" in text
    assert "qat" not in section(text, "Latency") + section(text, "Files")


def test_where_nothing_is_recommended_the_reference_is_told_of(make):
    text = to_card(make(recommended=None, recommended_reason=None))
    assert "**No variant to ship**" in text
    assert "| file | tflite/float32.tflite |" in text
    assert len(head(text)[0]["model-index"][0]["results"][0]["metrics"]) == 1


def test_where_no_file_came_about_there_is_a_card_too(make, facts):
    failed = [
        {"name": row["name"], "status": "failed", "reason": "no luck"} for row in facts["variants"]
    ]
    text = to_card(make(variants=failed, recommended=None, gates=[]))
    said, body = head(text)
    assert "model-index" not in said
    assert "metrics" not in said
    assert "## Use it" not in body
    assert "## Latency" not in body
    assert body.count("failed: no luck") == 4


def test_of_several_labels_accuracy_is_exact_match(make, facts):
    dataset = facts["dataset"] | {"multi_label": True}
    text = to_card(make(dataset=dataset))
    assert head(text)[0]["model-index"][0]["results"][0]["metrics"][0]["name"] == (
        "exact match of int8"
    )
    assert "a probability for each class by itself" in text
    assert "for number in np.flatnonzero(answer >= 0.5):" in text
    assert "| variant | size | exact match |" in text


def attacked(facts, names=NAMES):
    """A report whose data set, name, classes, files and settings try something."""
    attack = "".join(names)
    score = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    facts["dataset"] |= {"name": attack, "classes": list(names)}
    facts["evaluation"]["per_class"] = [{"class": name, **score} for name in names]
    facts["config"] = {"name": attack, "ingest": {"classes": list(names)}, "fence": "```\n````"}
    facts["notes"] = [attack]
    facts["machine"] = {attack: attack}
    facts["variants"][3] |= {"name": attack, "reason": attack}
    return facts | {"name": attack, "gates": []}


def test_hostile_names_break_neither_head_nor_body(facts, tmp_path):
    report = Report.model_validate(attacked(facts))
    path = tmp_path / "model_card.md"
    path.write_text(to_card(report), encoding="utf-8", newline="\n")
    text = path.read_text(encoding="utf-8")
    card = ModelCard.load(path)
    data = card.data.to_dict()
    assert set(data) == {
        *("library_name", "metrics", "pipeline_tag", "tags", "model-index"),
    }
    assert card.text.startswith("\n# ")
    assert "<script>alert(1)</script>" in card.data.eval_results[0].dataset_name
    outside, fence, _ = card.text.partition("`````yaml")
    assert fence, "the fence must be longer than any inside it"
    outside = re.sub(r"```(python|sh)\n.*?\n```", "", outside, flags=re.DOTALL)
    assert "<" not in outside
    assert not re.search(r"^(---|# a|- b|=1)", outside, re.MULTILINE)
    assert "\u202e" not in outside
    assert "\u202e" not in text.partition("\n---\n")[0]


@pytest.mark.parametrize("name", NAMES)
def test_each_name_alone_reads_back_from_head_and_recipe(facts, name):
    facts = attacked(facts, (name, "other"))
    report = Report.model_validate(facts | {"name": "digits"})
    text = to_card(report)
    card = ModelCard(text)
    assert yaml.safe_load(card.data.to_yaml()) == card.data.to_dict()
    assert card.data.eval_results[0].dataset_name == visible(name) + "other"
    settings = re.search(r"`+yaml\n(.*?)\n`+\n", text, re.DOTALL)[1]
    assert yaml.safe_load(settings) == report.config


def test_a_long_list_of_classes_is_cut(facts):
    facts["dataset"]["classes"] = [f"class {number}" for number in range(1000)]
    text = to_card(Report.model_validate(facts))
    assert "tells 1000 classes of pictures apart: class 0, class 1," in text
    assert "class 29 and 970 more, all of them in report.json" in text
    assert "class 30" not in text


def test_a_card_written_twice_is_the_same(report):
    assert to_card(report) == to_card(report)


def test_no_network_is_asked(report, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a card asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(AssertionError):
        socket.create_connection(("127.0.0.1", 9))
    assert to_card(report)


def test_who_shows_figures_and_tables_loads_no_client_of_a_hub():
    modules = "pipeline.show.report, pipeline.show.terminal, run_pipeline, pipeline.console"
    loaded = "sorted({'huggingface_hub', 'httpx', 'requests'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; print({loaded})"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_lines_that_use_a_file_are_python_for_every_way_in(make, facts, fit, channels):
    port = facts["variants"][1]["audit"]["inputs"][0] | {"shape": [1, 6, 8, channels]}
    facts["variants"][1]["audit"] |= {"inputs": [port]}
    config = facts["config"] | {"ingest": {"fit": fit, "interpolation": "box"}}
    text = to_card(make(config=config))
    code = re.search(r"```python\n(.*?)\n```", text, re.DOTALL)[1]
    ast.parse(code)
    assert f'convert("{"L" if channels == 1 else "RGB"}")' in code
    assert "(8, 6), Image.Resampling.BOX" in code, "width first, as Pillow has it"


def test_a_file_that_says_nothing_of_its_input_has_no_lines(make, facts):
    facts["variants"][1]["audit"] = inside(inputs=[])
    assert "## Use it" not in to_card(make())
    del facts["variants"][1]["audit"]
    assert "## Use it" not in to_card(make())


def test_the_report_holds_its_command(files):
    written = json.loads((files / "report.json").read_text(encoding="utf-8"))
    assert "command" in written
