"""`show models`: the networks there are with their figures, or one of them in full."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from models import MODELS
from pipeline import networks
from pipeline.config import Config
from pipeline.errors import ConfigError, harmless
from pipeline.lazy import Signature, nearest
from pipeline.networks import CLASSES, DEPENDS, MOST_CLASSES, SHAPE, Figures
from pipeline.progress import native_noise_to, say
from pipeline.show.layers import field, sides
from pipeline.show.numbers import amount, percent, size

HEADINGS, WIDE = ("parameters", "MACs", "int8 bytes", "field"), (11, 9, 11, 13)


def show_models(
    words: Sequence[str], wanted: str | None, classes: int | None, console: Console
) -> None:
    """Print every network, or the one that `words` name; `wanted` is a size as `224x224x3`.

    Without a size the list holds the figures that are on file, and imports no Keras.
    """
    shape = networks.shape_of(wanted) if wanted else SHAPE
    if classes is not None and not 1 <= classes <= MOST_CLASSES:
        raise ConfigError(f"--classes {classes}: 1 to {MOST_CLASSES:,}")
    head = f"at {sides(shape)} with {classes or CLASSES} classes"
    if words:
        name, build = _chosen(words)
        _print_one(name, build, shape, classes or CLASSES, head, console)
        return
    known: dict[str, Figures | str | None] = {**networks.figures()}
    if wanted or classes:
        known = _counted(shape, classes or CLASSES)
    console.print(
        f"{head}; int8 bytes are estimated; `show models NAME` says more", style="dim", markup=False
    )
    console.print(_line("network", HEADINGS, "paper"), style="dim", markup=False)
    for name in MODELS:
        _print_row(name, known.get(name), console)


def _chosen(words: Sequence[str]) -> tuple[str, Any]:
    """The network that is meant, and its settings: `NAME build.option=...`, or of a recipe."""
    first, rest = words[0], words[1:]
    if first in MODELS:
        return first, networks.settings_of(first, rest)
    if Path(first).suffix in {".yaml", ".yml"}:
        config = Config.load(first, rest)
    elif "=" in first:
        config = Config.load(overrides=words)
    else:
        raise ConfigError(f"unknown model {first!r}: {nearest(first, MODELS)}")
    return config.build.model, config.resolve()["build"][1]


def _counted(shape: Sequence[int], classes: int) -> dict[str, Figures | str | None]:
    """Count every network at a size; in place of figures why there are none."""
    found: dict[str, Figures | str | None] = {}
    on_file = networks.figures()
    with native_noise_to(Path(os.devnull)):
        for name in MODELS:
            if on_file.get(name) is None:  # it is no network until its options say which
                continue
            say(f"counting {name}", "dim")
            try:
                found[name] = networks.summed(
                    networks.count(networks.settings_of(name), shape, classes)
                )
            except ConfigError as error:
                found[name] = str(error)
    return found


def _print_row(name: str, found: Figures | str | None, console: Console) -> None:
    """Name, figures and paper on one line, the options below."""
    described = MODELS.function(name)
    paper = networks.citation(described.text)
    if isinstance(found, Figures):
        looks = field((found.height, found.width)) if found.height else "-"
        cells = [amount(found.params), amount(found.macs), size(found.int8_bytes), looks]
        console.print(_line(name, cells, paper), markup=False)
    else:
        console.print(f"{name:<18} {found or DEPENDS}; {paper}", markup=False)
    if described.defaults:
        console.print(f"{'':<18} {_options(described)}", style="dim", markup=False)


def _line(name: str, cells: Sequence[str], paper: str) -> str:
    figures = "".join(f"{cell:>{wide}}" for cell, wide in zip(cells, WIDE, strict=True))
    return f"{name:<18}{figures}  {paper}"


def _options(described: Signature) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in described.defaults.items())


def _print_one(
    name: str, build: Any, shape: Sequence[int], classes: int, head: str, console: Console
) -> None:
    """The whole docstring, options with their choices, sums, and a row for each layer."""
    described = MODELS.function(name)
    console.print(f"{name}\n\n{described.text}\n", markup=False)
    for key, value in described.defaults.items():
        choices = described.choices.get(key)
        known = f"  one of {', '.join(map(str, choices))}" if choices else ""
        now = getattr(build, key, value)
        console.print(f"  build.{key}={now!r}{known}", markup=False)
    with native_noise_to(Path(os.devnull)):
        say(f"counting {name}", "dim")
        anatomy = networks.count(build, shape, classes)
    console.print(f"\n{head}:", markup=False)
    for line in _layers(anatomy):
        console.print(harmless(line), markup=False)
    console.print(
        f"{anatomy.params:,} parameters ({anatomy.trainable:,} trainable), {anatomy.macs:,} "
        f"multiply-accumulates, receptive field {field(anatomy.receptive_field)} pixels, "
        f"about {size(anatomy.int8_bytes)} in int8",
        markup=False,
    )
    if anatomy.uncounted:
        console.print(f"not counted: {', '.join(anatomy.uncounted)}", style="yellow", markup=False)


def _layers(anatomy: Any) -> list[str]:
    """A line for each layer, under headings, in columns."""
    rows = [("layer", "kind", "output", "params", "MACs", "share", "field")]
    for layer in anatomy.layers:
        share = layer.macs / anatomy.macs if layer.macs else None
        shape, looks = (text.replace(" ", "") for text in (sides(layer.output), field(layer.field)))
        figures = f"{layer.params:,}", f"{layer.macs:,}", percent(share, 1)
        rows.append((layer.name, layer.kind, shape, *figures, looks))
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(room) if number < 2 else cell.rjust(room)
            for number, (cell, room) in enumerate(zip(row, wide, strict=True))
        )
        for row in rows
    ]
