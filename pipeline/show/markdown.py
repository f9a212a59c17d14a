"""report.md: the facts for GitHub; whatever a template prints is escaped on its way."""

import re

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.show import words
from pipeline.show.context import context
from pipeline.show.places import figures_by_place, recipe
from pipeline.show.schema import Report

# An interval of ours, [96.8–99.4], stays as it is; an underscore inside a word means nothing.
_SPECIAL = re.compile(r"(\[[\d.]+–[\d.]+\])|[\\`*{}\[\]|~#$]|(?<!\w)_|_(?!\w)")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Written(str):
    """Markdown already: printed as it is."""

    __slots__ = ()


def escape(value: object) -> str:
    """`value` as text that Markdown shows and does not obey, on one line."""
    if isinstance(value, Written):
        return value
    line = re.sub(r"\s+", " ", str(value))
    escaped = _SPECIAL.sub(lambda found: found[1] or f"\\{found[0]}", line)
    return escaped.translate(_ENTITIES)


def fenced(text: str, language: str = "") -> Written:
    """`text` as a code block with a fence longer than any inside it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Written(f"{fence}{language}\n{text}\n{fence}")


def environment() -> Environment:
    """Templates of Markdown: what they print is text, but for what is `Written`."""
    return Environment(
        loader=PackageLoader("pipeline.show"),
        autoescape=False,  # html escaping would be wrong here: `finalize` does what Markdown needs
        finalize=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )


def to_markdown(report: Report) -> str:
    """The text of `report.md`; figures are links into `figures/`."""
    file, command = words.again(report.name)
    shown = words.curves(report)
    return (
        environment()
        .get_template("report.md")
        .render(
            context(report),
            figures=figures_by_place(report),
            link=Written,
            recipe_file=file,
            recipe=fenced(recipe(report), "yaml"),
            command=fenced(command, "sh"),
            curves=fenced(shown, "sh") if shown else None,
        )
    )
