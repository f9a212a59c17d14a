"""Recipes as text: YAML read strictly, and `section.key=value` laid over it."""

import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigError


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML in which a repeated key is an error.

    As in YAML 1.2, `1e-3` is a number, and `2:4` is none: in 1.1 it would be 124, in sixties.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = {str(key) for key in keys if keys.count(key) > 1}
        if repeated:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {sorted(repeated)[0]!r} is given twice", node.start_mark
            )
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> Any:
        return node.value if ":" in node.value else super().construct_yaml_int(node)


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.construct_yaml_int)


class _StrictDumper(yaml.SafeDumper):
    """Safe YAML that comes back as what it was: text is in quotes where we would read a number."""


for one in (_StrictLoader, _StrictDumper):
    one.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
        list("-+.0123456789"),
    )


def dump(recipe: Mapping[str, Any]) -> str:
    """Write a recipe as YAML that `read` takes for the same."""

    def written(readable: bool) -> str:
        text: str = yaml.dump(
            dict(recipe), Dumper=_StrictDumper, sort_keys=False, allow_unicode=readable
        )
        return text

    text = written(True)
    return text if parse(text, "a recipe") == recipe else written(False)  # odd ends of lines


def parse(text: str, where: str) -> Any:
    """Read one YAML document; raises `ConfigError` with line and column."""
    try:
        return yaml.load(text, _StrictLoader)  # a SafeLoader, only stricter
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{where}{place}: {error.problem or 'not YAML'}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not YAML: {' '.join(str(error).split())}") from error


def read(path: Path) -> dict[str, Any]:
    """Read a recipe file; an empty one is an empty recipe."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such recipe (settings are given as section.key=value)"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text: {error}") from error
    recipe = parse(text, str(path))
    if recipe is None:
        return {}
    if not isinstance(recipe, dict):
        raise ConfigError(f"{path}: a recipe is `section:` lines, not a {type(recipe).__name__}")
    return recipe


def overlay(recipe: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Lay `section.key=value` arguments over a recipe; later ones win, the recipe is not changed.

    Raises `ConfigError` for an argument without `=` or one that goes through a plain value.
    """
    try:
        result: dict[str, Any] = _copy(recipe)
    except RecursionError as error:  # YAML can say `&a {in: *a}`
        raise ConfigError("a section that holds itself, or sections too deep to read") from error
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals or not path.strip():
            raise ConfigError(f"{override!r}: settings are given as section.key=value")
        *sections, key = path.strip().split(".")
        place = result
        for section in sections:
            if place.get(section) is None:
                place[section] = {}
            place = place[section]
            if not isinstance(place, dict):
                raise ConfigError(f"{override!r}: {section!r} is a value, it has no keys in it")
        place[key] = parse(text, override)
    return result


def _copy(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: _copy(item) for key, item in value.items()}
