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


def test_the_lines_of_the_card_run_the_published_file(finished, digits, report, monkeypatch):
    published = finished / "digits"
    card = (published / "model_card.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)\n```", card, re.DOTALL)[1]
    file = published / "tflite" / f"{report['recommended']}.tflite"
    images, labels = digits
    answers = LiteRT(file).predict(images[:40])
    monkeypatch.chdir(published)
    said = []
    for picture in images[:40]:
        Image.fromarray(picture[..., 0]).save("photo.png")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "the card", "exec"), {})
        said.append(printed.getvalue().splitlines())
    (published / "photo.png").unlink()
    assert [len(lines) for lines in said] == [3] * 40
    best = [lines[0].partition(": ") for lines in said]
    assert [name for name, _, _ in best] == [str(row.argmax()) for row in answers]
    assert [share for _, _, share in best] == [f"{row.max():.1%}" for row in answers]
    assert (
        np.mean([int(name) == label for (name, _, _), label in zip(best, labels[:40], strict=True)])
        > 0.5
    )


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
