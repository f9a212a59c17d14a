"""A list of layers as a recipe has it, read and checked: no Keras, no TensorFlow.

Every error is a line that names the layer by number and name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from reprlib import Repr
from typing import Any, get_args

from pydantic import ValidationError

from models.custom.base import Joining, Layer, Shape, known, spelled
from models.custom.joins import KINDS
from pipeline.errors import ConfigError
from pipeline.lazy import nearest

INPUT = "images"
MOST_LAYERS = 500
MOST_VALUES = 2**24  # of one layer for one picture: 64 MB in float32
MOST_WEIGHTS = 2**28  # of the network: 1 GB in float32
SHORT = Repr()
SHORT.maxlevel, SHORT.maxstring, SHORT.maxother, SHORT.maxdict, SHORT.maxlist = 2, 40, 40, 3, 4

PLAINLY = {
    "tuple_type": "a list of names",
    "too_short": "two names at least",
    "too_long": "64 names at most",
    "string_pattern_mismatch": "a letter, then up to 39 letters, digits, _ and -",
}


@dataclass(frozen=True)
class Placed:
    """One layer of a list: its number from 1, its kind, and the numbers it continues; 0: images."""

    number: int
    kind: str
    layer: Layer
    sources: tuple[int, ...]

    @property
    def label(self) -> str:
        """A name no other layer has: `3.conv`, or `3.left` of one called so."""
        return f"{self.number}.{self.layer.name or self.kind}"

    @property
    def place(self) -> str:
        """Where an error is."""
        return _place(self.number, self.kind, self.layer.name)


def check(layers: Any = None) -> None:
    """Refuse a list that can be no network, whatever the pictures; raises `ConfigError`."""
    try:
        shapes(read(layers), (None, None, None))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def read(layers: Any) -> tuple[Placed, ...]:
    """Read a list of layers and join them by their names; raises ValueError."""
    if layers is None:
        raise ValueError("build.layers: missing: build.model custom is made of a list of layers")
    if not isinstance(layers, list | tuple):
        raise ValueError(f"build.layers: a list of layers, not {SHORT.repr(layers)}")
    if not 0 < len(layers) <= MOST_LAYERS:
        raise ValueError(f"build.layers: {len(layers)} layers; a network has 1 to {MOST_LAYERS}")
    items = [_item(number, item) for number, item in enumerate(layers, 1)]
    placed = tuple(_join(items))
    used = {source for item in placed for source in item.sources}
    for item in placed[:-1]:
        if item.number not in used:
            raise ValueError(
                f"{item.place}: nothing uses it: the next layer goes on from elsewhere, and no "
                "`from` or `of` names this one"
            )
    return placed


def shapes(placed: Sequence[Placed], images: Shape) -> list[Shape]:
    """Return the shape of the images and of every layer; what is not known is None.

    Raises:
        ValueError: naming the layer that does not fit what it is given, or is too large.
    """
    found, weights = [images], 0
    for item in placed:
        given = [found[source] for source in item.sources]
        try:
            found.append(item.layer.shape(*given))
            weights += item.layer.weights(given[0])
            if known(found[-1]) > MOST_VALUES:
                raise ValueError(f"{spelled(found[-1])} is more than {MOST_VALUES:,} values")
            if weights > MOST_WEIGHTS:
                raise ValueError(f"the network has more than {MOST_WEIGHTS:,} weights up to here")
        except ValueError as error:
            raise ValueError(f"{item.place}: {error}") from error
    return found


def _place(number: int, kind: str = "", name: str | None = None) -> str:
    said = f" ({kind}{f' {name!r}' if name else ''})" if kind else ""
    return f"build.layers {number}{said}"


def _item(number: int, item: Any) -> tuple[int, str, Layer]:
    """Read one item: a word, or a word with its arguments."""
    kind, said = item, None
    if isinstance(item, Mapping):
        if len(item) != 1:
            words = ", ".join(SHORT.repr(word) for word in list(item)[:3])
            raise ValueError(
                f"{_place(number)}: one layer an item, and its arguments in braces or further in: "
                f"not {words or 'nothing'}"
            )
        ((kind, said),) = item.items()
    if not isinstance(kind, str):
        raise ValueError(f"{_place(number)}: the name of a layer, not {SHORT.repr(kind)}")
    if kind not in KINDS:
        raise ValueError(f"{_place(number)}: unknown layer {SHORT.repr(kind)}: {_meant(kind)}")
    name = said.get("name") if isinstance(said, Mapping) else None
    place = _place(number, kind, name[:40] if isinstance(name, str) else None)
    return number, kind, _layer(KINDS[kind], said, place)


def _meant(kind: str) -> str:
    """Say what was probably meant by an unknown word."""
    for word in ("activation", "normalization"):
        if kind in get_args(KINDS[word].model_fields["kind"].annotation):
            return f"write `{word}: {kind}`"
    return nearest(kind[:40], KINDS)


def _layer(schema: type[Layer], said: Any, place: str) -> Layer:
    arguments = {} if said is None else said
    if not isinstance(arguments, Mapping):
        if schema.main is None:
            raise ValueError(f"{place}: takes no plain value, not {SHORT.repr(said)}")
        arguments = {schema.main: said}
    try:
        return schema.model_validate(dict(arguments))
    except ValidationError as error:
        raise ValueError(f"{place}: {_problem(error, schema)}") from error


def _problem(error: ValidationError, schema: type[Layer]) -> str:
    """Say the first thing wrong with a layer's arguments."""
    # A word mistyped is unknown and missing; the first says more.
    problem, *_ = sorted(
        error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden"
    )
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    key = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        known_names = [field.alias or name for name, field in schema.model_fields.items()]
        return f"{SHORT.repr(key)}: unknown argument: {nearest(key[:40], known_names)}"
    if problem["type"] == "missing":
        return f"{key}: missing"
    if problem["type"] == "invalid_key":
        return f"the name of an argument, not {SHORT.repr(problem['input'])}"
    message = PLAINLY.get(problem["type"], problem["msg"][0].lower() + problem["msg"][1:])
    return f"{key}: {message}, not {SHORT.repr(problem['input'])}"


def _join(items: Sequence[tuple[int, str, Layer]]) -> Iterator[Placed]:
    """Give each layer the numbers of those it continues."""
    later = {layer.name: number for number, _, layer in reversed(items) if layer.name}
    above = {INPUT: 0}
    for number, kind, layer in items:
        place = _place(number, kind, layer.name)
        if isinstance(layer, Joining):
            names, word = layer.of, "of"
        else:
            name = getattr(layer, "from_", None)
            names, word = (() if name is None else (name,)), "from"
        for name in names:
            if name not in above:
                raise ValueError(f"{place}: {word}: {_nowhere(name, number, above, later)}")
            if names.count(name) > 1:
                raise ValueError(f"{place}: {word}: {name!r} is there twice")
        yield Placed(number, kind, layer, tuple(above[name] for name in names) or (number - 1,))
        if layer.name == INPUT:
            raise ValueError(f"{place}: name: {INPUT!r} is the input's")
        if layer.name in above:
            raise ValueError(
                f"{place}: name: {layer.name!r} is that of build.layers {above[layer.name]} already"
            )
        if layer.name:
            above[layer.name] = number


def _nowhere(name: str, number: int, above: Mapping[str, int], later: Mapping[str, int]) -> str:
    if later.get(name) == number:
        return f"{name!r} is the layer itself"
    if name in later:
        return f"{name!r} comes only later, at {later[name]}: it has to stand above"
    return f"no layer is called {name!r}: {nearest(name, above)}"
