"""A browser that is started once, and real reports to be opened in it without a network."""

import csv
import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline import Config, run
from pipeline.compress import formats
from pipeline.errors import ConversionError
from tests.front_door import SMALL
from tests.picture_folders import digit_folder

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = {"phone": (390, 844), "laptop": (1280, 800)}
REASON = '=1+1, said the "converter" <b>loudly</b>'
HOSTILE = ("<script>alert(1)</script>", "=1+1", '"><img src=x onerror=alert(2)>')
LOCAL = ("file:", "data:", "blob:")


class Made(NamedTuple):
    """A report as a run left it, and its facts."""

    folder: Path
    facts: dict

    @property
    def page(self) -> str:
        return (self.folder / "report.html").as_uri()


@pytest.fixture(scope="session")
def chromium():
    """Chromium, without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUMS)} is on PATH")
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """Open a page with the network off; in the end it must have asked for nothing but itself.

    Nor may it have complained, or thrown, or opened a dialog of the browser's own.
    """
    contexts, heard, asked = [], [], []

    def opened(address, width="laptop", scheme="light", **options):
        size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
        context = chromium.new_context(viewport=size, color_scheme=scheme, **options)
        contexts.append(context)
        context.set_offline(True)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("console", lambda said: heard.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: heard.append(f"thrown: {error}"))
        page.on(
            "dialog", lambda dialog: (heard.append(f"dialog: {dialog.message}"), dialog.dismiss())
        )
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert heard == []
    assert asked, "not even the page itself was noticed"
    assert [url for url in asked if not url.startswith(LOCAL)] == []


def made(folder):
    return Made(folder, json.loads((folder / "report.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def digits_report(chromium, tmp_path_factory):
    """That of the digits, where `float16` failed for a hostile reason; others are `ok`."""

    def fail(*_):
        raise ConversionError(REASON)

    artifacts = tmp_path_factory.mktemp("digits")
    words = ("train.epochs=2", "variants=[float32, float16, int8, prune+int8]")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(formats.FORMATS, "float16", fail)
        done = run(Config.load(overrides=[*SMALL, *words]), artifacts=artifacts, quiet=True)
    assert set(done.problems) == {"quantize(float16)"}
    return made(artifacts / "digits")


@pytest.fixture(scope="session")
def hostile_report(chromium, tmp_path_factory):
    """That of digits whose classes have names that try something."""
    pictures, artifacts = tmp_path_factory.mktemp("pictures"), tmp_path_factory.mktemp("artifacts")
    digit_folder(pictures, rows=range(500), classes=len(HOSTILE))
    with (pictures / "pictures.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("path", "label"))
        for path in sorted(pictures.rglob("*.png")):
            table.writerow((path.relative_to(pictures), HOSTILE[int(path.parent.name)]))
    words = (
        "name=hostile",
        "ingest.dataset=table",
        f"ingest.path={pictures}/pictures.csv",
        "variants=[float32, int8]",
        "train.epochs=2",
    )
    run(Config.load(overrides=[*SMALL, *words]), artifacts=artifacts, quiet=True)
    return made(artifacts / "hostile")
