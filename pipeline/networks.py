"""What `show models` knows: figures of every network, counted once, and the paper it is from.

`python -m pipeline.networks` counts them anew and writes `networks.csv`, which a test compares
with what is counted. The file lies here, in the engine, and not in `models/`: what lies beside
the networks is part of what a run depends on, and a row of it changes no result.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from models import MODELS
from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.lazy import load
from pipeline.recipe import overlay

FILE = Path(__file__).with_name("networks.csv")
SHAPE, CLASSES = (28, 28, 1), 10  # what the figures of the file are for
LARGEST_SIDE, MOST_CLASSES = 8192, 1_000_000
OURS, DEPENDS = "our own", "depends on its options"


class Figures(NamedTuple):
    """Parameters, multiply-accumulates, estimated bytes in int8, receptive field in pixels."""

    params: int
    macs: int
    int8_bytes: int
    height: int
    width: int


def figures() -> dict[str, Figures | None]:
    """Read the file of figures; None for a network that needs options to be one."""
    with FILE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {
        row["name"]: Figures(*(int(row[key]) for key in Figures._fields)) if row["params"] else None
        for row in rows
    }


def write(lines: Mapping[str, Figures | None]) -> None:
    """Write the file of figures."""
    with FILE.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["name", *Figures._fields])
        writer.writerows([name, *(found or ("",) * 5)] for name, found in lines.items())


def count(build: Any, shape: Sequence[int] = SHAPE, classes: int = CLASSES) -> Any:
    """Make a network and take it apart; `build` holds the settings of the stage.

    Gives the `Anatomy` of the network without the preprocessing that `build` puts in front.

    Raises:
        ConfigError: the network refuses the size or its options.
    """
    if hasattr(build, "weights"):  # which they are, changes no figure: none are fetched
        build = build.model_copy(update={"weights": "none"})
    with load("pipeline.compress.anatomy:sketched")():
        model = load("pipeline.stages.build:make_core")(build, tuple(shape), classes)
    return load("pipeline.compress.anatomy:anatomy")(model)


def settings_of(name: str, overrides: Iterable[str] = ()) -> Any:
    """Resolve the settings of `build` for a network, with `build.option=value` laid over."""
    said = overlay({"name": "show"}, [f"build.model={name}", *overrides])
    return Config.of(said, "show models").resolve()["build"][1]


def summed(anatomy: Any) -> Figures:
    """The figures of an anatomy."""
    height, width = anatomy.receptive_field or (0, 0)
    return Figures(anatomy.params, anatomy.macs, anatomy.int8_bytes, height, width)


def shape_of(text: str) -> tuple[int, int, int]:
    """Read `224x224x3`, height by width by channels; raises `ConfigError` for anything else."""
    parts = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})[x×]([1-9]\d{0,4})", text.strip())
    sides = tuple(map(int, parts.groups())) if parts else ()
    if len(sides) != 3 or max(sides) > LARGEST_SIDE:
        raise ConfigError(
            f"--size {text!r}: height, width and channels are wanted, as in 224x224x3, "
            f"none above {LARGEST_SIDE}"
        )
    return sides[0], sides[1], sides[2]


def citation(text: str) -> str:
    """Shorten what stands under `Source:` in a docstring to `LeCun et al. 1998`.

    A network without a source is ours.
    """
    _, found, source = text.partition("Source:")
    if not found:
        return OURS
    source = " ".join(source.split())
    authors, quoted, rest = source.partition('"')
    year = re.search(r"\b(19|20)\d\d\b", rest.partition('"')[2] if quoted else source)
    if not year:
        return source.partition(";")[0].rstrip(".")
    if not quoted:
        authors = source[: year.start()]
    names = [name for name in re.split(r",\s*|\s+and\s+|\s*&\s*", authors.strip(" ,(")) if name]
    if len(names) > 2 or "et al" in authors:
        names = [f"{names[0].removesuffix(' et al.')} et al."]
    return f"{' and '.join(names)} {year[0]}"


def _count_all() -> dict[str, Figures | None]:
    """Count every network as it comes without options."""
    found: dict[str, Figures | None] = {}
    for name in MODELS:
        try:
            found[name] = summed(count(settings_of(name)))
        except ConfigError:  # it needs options
            found[name] = None
    return found


if __name__ == "__main__":
    write(_count_all())
