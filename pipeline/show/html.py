"""report.html: one file that needs no network, and runs no script but its own."""

import base64
import hashlib
import io
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from pipeline.errors import IntegrityError
from pipeline.show import words
from pipeline.show.canvas import DPI
from pipeline.show.context import context
from pipeline.show.places import figures_by_place, recipe
from pipeline.show.schema import Picture, Report

# WebP keeps a chart to the bit in a third of a PNG's bytes. Sheets of photographs stay large by it;
# above this they lose what nobody sees.
_LARGE = 150_000
_CSS_DPI = 96


class Inlined(NamedTuple):
    """A figure as the page holds it; width and height in CSS pixels."""

    file: str
    title: str
    alt: str
    uri: Markup
    width: int
    height: int


def to_html(report: Report, figures_dir: Path) -> str:
    """The text of `report.html`, with the figures of `figures_dir` inside.

    Raises:
        IntegrityError: a figure the report names is not there or is no PNG.
    """
    environment = Environment(
        loader=PackageLoader("pipeline.show"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    style, script = (_source(environment, name) for name in ("report.css", "report.js"))
    places = figures_by_place(report).items()
    file, command = words.again(report.name)
    return environment.get_template("report.html").render(
        context(report),
        figures={place: [_inline(figures_dir, one) for one in some] for place, some in places},
        recipe_file=file,
        recipe=recipe(report),
        command=command,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
    )


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _policy(style: str, script: str) -> str:
    """A content security policy under which nothing loads and only our own two blocks act."""
    css, js = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    )
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{css}'; script-src 'sha256-{js}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _inline(figures_dir: Path, picture: Picture) -> Inlined:
    path = figures_dir / picture.file
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            width, height = image.size
            data = _webp(image)
    except OSError as error:
        raise IntegrityError(f"{path}: the report names this figure, but: {error}") from error
    uri = Markup(f"data:image/webp;base64,{base64.b64encode(data).decode()}")
    scale = _CSS_DPI / DPI
    return Inlined(
        picture.file, picture.title, picture.alt, uri, round(width * scale), round(height * scale)
    )


def _webp(image: Image.Image) -> bytes:
    whole = _saved(image, lossless=True, method=2)
    return whole if len(whole) <= _LARGE else min(whole, _saved(image, quality=86), key=len)


def _saved(image: Image.Image, **how: int) -> bytes:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "WEBP", **how)
    return buffer.getvalue()
