"""Draft: write a recipe for a set of pictures, with its reasons as comments."""

import os
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline.advice import advise
from pipeline.advice_pictures import Line
from pipeline.config import DEFAULT_VARIANTS, Config, name_of
from pipeline.data.look import Look, look
from pipeline.data.recognise import recognise
from pipeline.errors import ConfigError, ResourceError
from pipeline.oddities import clean, oddities
from pipeline.recipe import parse

WIDTH = 98  # signs in a line of comment
COMMAND = "python run_pipeline.py run"


@dataclass(frozen=True)
class Draft:
    """A recipe that was written, and what it was written from."""

    file: Path
    text: str
    look: Look
    dataset: str
    reason: str

    @property
    def command(self) -> str:
        """How to run it."""
        return f"{COMMAND} {shlex.quote(str(self.file))}"


def init(pictures: Path, out: Path | None = None, name: str | None = None) -> Draft:
    """Look at pictures and write a recipe, `<name>.yaml` in the working directory or `out`.

    Raises:
        ConfigError: there is such a file already, it would lie among the pictures, or the name or
            the kind of `pictures` is none.
        DataError: there is nothing to tell apart.
    """
    name = name or (name_of(out) if out else "") or _name_of_pictures(pictures) or "pictures"
    Config.of({"name": name}, "--name")
    file = out or Path(f"{name}.yaml")
    settings, reason = recognise(pictures)
    _require_free(file, pictures)
    seen = look(settings)
    draft = Draft(file, "", seen, settings.dataset, reason)
    text = "".join(line + "\n" for line in _lines(draft, name, str(pictures)))
    config = Config.of({"name": name} | parse(text, str(file)), str(file))
    if config.ingest.path != settings.path:
        raise ConfigError(f"{pictures}: a recipe cannot hold this path; rename the folder")
    _write(file, text)
    return Draft(file, text, seen, settings.dataset, reason)


def _name_of_pictures(pictures: Path) -> str:
    place = pictures.expanduser().resolve()
    stem = place.name if place.is_dir() else place.stem
    return name_of(Path(f"{stem}.yaml"))[:100].rstrip("-._")


def _require_free(file: Path, pictures: Path) -> None:
    folder = pictures.expanduser().resolve()
    if folder.is_dir() and file.resolve().is_relative_to(folder):
        raise ConfigError(
            f"{file} would lie in {pictures}, among the pictures; give --out FILE outside of it"
        )
    if os.path.lexists(file):
        raise ConfigError(f"{file} is there already; give --out another file, or --name a name")
    if not file.parent.is_dir():
        raise ConfigError(f"{file}: there is no folder {file.parent}; give --out another file")


def _write(file: Path, text: str) -> None:
    """Write a file that is not there, or nothing."""
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{file} is there already; give --out another file") from error
    except OSError as error:
        raise ResourceError(f"{file}: cannot be written: {error.strerror}; give --out") from error


def _lines(draft: Draft, name: str, path: str) -> Iterator[str]:
    advice = advise(draft.look, path, draft.dataset, draft.reason)
    yield from _opening(draft, name, advice.minutes)
    if name != name_of(draft.file):
        yield from ("", f"name: {name}")
    for section, lines in advice.sections.items():
        yield from ("", f"{section}:")
        for line in lines:
            yield from _setting(line)
    yield from ("", dump("variants", list(DEFAULT_VARIANTS)))


def _opening(draft: Draft, name: str, minutes: float) -> Iterator[str]:
    seen = draft.look
    classes = f"{len(seen.classes)} classes" + ", none, one or several a picture" * seen.multi_label
    yield from _comment(f"{name}: {seen.pictures:,} pictures in {classes}, as `init` found them.")
    yield from ("#", f"#   {_on_one_line(draft.command)}", "#")
    given = f" Given splits: {', '.join(seen.given)}." if seen.given else ""
    opened = "all" if seen.sample.opened == seen.pictures else f"{seen.sample.opened:,}"
    yield from _comment(
        f"{_spread(seen)} Opened: {opened}; read: {seen.sample.read:,}.{given} On two CPU cores "
        f"it takes {_rough(minutes)}, guessed from the pixels there are to learn from."
    )
    for oddity in oddities(seen):
        yield from _comment(oddity, first="# - ", rest="#   ")


def _on_one_line(command: str) -> str:
    """A command on one line, whatever the file is called."""
    return "".join(sign if sign.isprintable() else "?" for sign in command)


def _spread(look: Look) -> str:
    """Name the largest and the smallest class."""
    totals = look.totals
    large, small = int(totals.argmax()), int(totals.argmin())
    if totals[large] == totals[small]:
        return f"Each class has {totals[large]:,}."
    names = [clean(look.classes[number]) for number in (large, small)]
    return (
        f'Largest class: "{names[0]}", {totals[large]:,}; smallest: "{names[1]}", '
        f"{totals[small]:,}."
    )


def _rough(minutes: float) -> str:
    """Say a time as far as a guess goes."""
    if minutes >= 90:
        return f"{minutes / 60:.0f} hours"
    if minutes >= 10:
        return f"{5 * round(minutes / 5)} minutes"
    return "a minute or two" if minutes < 2 else f"{minutes:.0f} minutes"


def _setting(line: Line) -> Iterator[str]:
    """Write a setting with its reason beside it, or above where that is too long."""
    text = textwrap.indent(dump(line.key, line.value), "  " if line.active else "  # ")
    beside = f"{text:<25}  # {line.why}"
    if not line.why:
        yield text
    elif line.active and "\n" not in text and len(beside) <= WIDTH:
        yield beside
    else:
        yield from _comment(line.why, first="  # ", rest="  # ")
        yield text


def _comment(text: str, first: str = "# ", rest: str = "# ") -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


class _Dumper(yaml.SafeDumper):
    """Safe YAML that keeps every text on one line."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump(key: str, value: Any) -> str:
    """YAML of one setting; lists and mappings in it stand on one line, long or not."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = (_flow(item) for item in value)
        return f"{key}:\n" + "\n".join(f"  - {item}" for item in items)
    return _flow({key: value})


def _flow(mapping: Mapping[str, Any]) -> str:
    text = yaml.dump(
        mapping,
        Dumper=_Dumper,
        default_flow_style=True,
        allow_unicode=True,
        sort_keys=False,
        width=np.inf,
    )
    return text.strip().removeprefix("{").removesuffix("}")
