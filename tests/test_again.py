"""Do it again: what a run leaves for who repeats it, uses its files or looks at its curves."""

import contextlib
import io
import re
import shlex

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.measure.litert import LiteRT
from pipeline.show.schema import Report
from pipeline.show.snippet import snippet
from tests.front_door import SMALL


def answers_of(code, folder, images, monkeypatch):
    """What a snippet prints of pictures `(N, H, W, 1)`, run in a folder: its lines, a list each."""
    monkeypatch.chdir(folder)
    said = []
    for picture in images:
        Image.fromarray(picture[..., 0]).save("photo.png")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "the snippet", "exec"), {})
        said.append([line.partition(": ")[::2] for line in printed.getvalue().splitlines()])
    (folder / "photo.png").unlink()
    return said


def expected(file, images):
    """The surest class of each picture and its share, as LiteRT has them."""
    rows = LiteRT(file).predict(images)
    return [(str(row.argmax()), f"{row.max():.1%}") for row in rows]


def test_the_lines_of_the_card_run_the_published_file(finished, digits, report, monkeypatch):
    published = finished / "digits"
    card = (published / "model_card.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)\n```", card, re.DOTALL)[1]
    images, labels = digits[0][:40], digits[1][:40]
    said = answers_of(code, published, images, monkeypatch)
    assert [len(lines) for lines in said] == [3] * 40
    file = published / "tflite" / f"{report['recommended']}.tflite"
    assert [lines[0] for lines in said] == expected(file, images)
    right = [int(lines[0][0]) == label for lines, label in zip(said, labels, strict=True)]
    assert np.mean(right) > 0.5


@pytest.mark.parametrize("name", ["float32", "dynamic", "int8"])
def test_there_are_lines_for_every_form_of_file(finished, digits, report, monkeypatch, name):
    facts = Report.model_validate(report)
    (row,) = (one for one in facts.variants if one.name == name)
    images = digits[0][:5]
    said = answers_of(snippet(facts, row), finished / "digits", images, monkeypatch)
    assert [lines[0] for lines in said] == expected(finished / "digits" / row.file, images)


@pytest.mark.slow
def test_a_file_for_microcontrollers_is_given_and_gives_integers(
    inside, copied, digits, monkeypatch
):
    words = (*SMALL, "variants=[int8]", "quantize.io=int8", "name=micro")
    assert inside("run", *words, artifacts=copied).code == 0
    facts = Report.model_validate_json((copied / "micro" / "report.json").read_text())
    (row,) = (one for one in facts.variants if one.name == "int8")
    assert [port.dtype for port in (*row.audit.inputs, *row.audit.outputs)] == ["int8"] * 2
    images = digits[0][:5]
    said = answers_of(snippet(facts, row), copied / "micro", images, monkeypatch)
    assert [lines[0] for lines in said] == expected(copied / "micro" / row.file, images)


def test_the_curves_are_where_the_report_says(finished, report):
    page = (finished / "digits" / "report.html").read_text(encoding="utf-8")
    logs = report["training"]["logs"]
    command = f"tensorboard --logdir {shlex.quote(f'../{logs}')}"
    assert command in page
    assert command in (finished / "digits" / "report.md").read_text(encoding="utf-8")
    history = report["training"]["history"]
    for split, prefix in (("train", ""), ("validation", "val_")):
        events = EventAccumulator(str(finished / "digits" / ".." / logs / split)).Reload()
        for curve in ("loss", "accuracy"):
            steps = [(event.step, event.tensor_proto) for event in events.Tensors(f"epoch_{curve}")]
            assert [step for step, _ in steps] == list(range(len(history["loss"])))
            values = [float(np.frombuffer(one.tensor_content or b"", np.float32)[0])
                      if one.tensor_content else one.float_val[0] for _, one in steps]  # fmt: skip
            assert values == pytest.approx(history[f"{prefix}{curve}"], rel=1e-6)


def test_the_report_holds_the_command_the_digests_and_the_machine(finished, report):
    assert report["command"] == "python run_pipeline.py run digits.yaml"
    for name in ("report.html", "report.md", "model_card.md"):
        text = (finished / "digits" / name).read_text(encoding="utf-8")
        assert report["command"] in text
        assert report["dataset"]["digest"] in text
        for variant in report["variants"]:
            assert variant["sha256"] in text
        for package, version in report["versions"].items():
            assert version in text.partition(package)[2], package
        for fact in ("cpu", "os", "python"):
            assert str(report["machine"][fact]).replace("_", "") in re.sub(r"[\\_]", "", text)
    assert "pillow" in report["versions"], "it decides what the pictures are"
