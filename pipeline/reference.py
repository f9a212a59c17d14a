"""The reference of every setting and of every layer, read off the schemas themselves."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from models.custom.base import Layer
from models.custom.joins import KINDS
from pipeline.choices import Choice
from pipeline.settings import RECIPE_SECTIONS, Section, Transform

HEAD = """# Settings

Every setting a recipe may hold, printed by `python run_pipeline.py show settings`. At the top:
`name` (default: the recipe's file name), `seed` (default 0), `variants`, and one of `repeat` (so
many runs, with seeds from `seed` on; default 1) and `folds` (so many runs of one seed, each with
another part of the training pictures for validation); `gates`, bounds that results have to keep
([audit.md](audit.md)); and `mlflow`, the folder of a store that finished runs are logged to
([again.md](again.md)). The rest in sections, also reached as `section.key=value` on the command
line.
"""
LAYERS_HEAD = """# Layers

What the list `build.layers` of the network `custom` may hold, printed by `python run_pipeline.py
show layers`. An item is a word (`max_pool`), a word with its main argument (`max_pool: 3`), or a
word with several (`max_pool: {size: 3, stride: 2}`). A layer continues the one before unless `from`
names another; `images` is the input. The list ends before the classifier: a dense layer with
softmax, or sigmoid where a picture may show several classes, is put behind it, and global average
pooling in between where it ends in feature maps.

```yaml
build:
  model: custom
  layers:
    - conv: {channels: 32, normalization: batch, activation: relu, name: stem}
    - conv: {channels: 32, normalization: batch, name: deep}
    - add: {of: [stem, deep], activation: relu}
    - max_pool
    - global_average_pool
    - dropout: 0.2
```
"""
NAMES: dict[Any, str] = {
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    tuple: "list",
    Mapping: "mapping",
}


def settings_page() -> str:
    """Describe every section and setting in Markdown: name, default, range, meaning."""
    return "\n".join([HEAD, *(line for name in RECIPE_SECTIONS for line in _section(name))]) + "\n"


def layers_page() -> str:
    """Describe every layer of `build.layers` in Markdown: arguments, default, range, meaning."""
    return "\n".join([LAYERS_HEAD, *(line for kind in KINDS for line in _layer(kind))])


def _layer(kind: str) -> Iterator[str]:
    schema: type[Layer] = KINDS[kind]
    yield f"## {kind}\n\n{_flat(schema.__doc__)}\n"
    yield "| argument | default | takes | |\n|---|---|---|---|"
    fields = schema.model_fields
    for key in sorted(fields, key=lambda key: (key != schema.main, key in {"name", "from_"})):
        field = fields[key]
        default = "" if field.is_required() or field.default is None else f"`{field.default}`"
        said = _flat(field.description) + ("; the main argument" if key == schema.main else "")
        yield f"| `{field.alias or key}` | {default} | {_takes(field)} | {said} |"
    yield ""


def _section(name: str) -> Iterator[str]:
    section = RECIPE_SECTIONS[name]
    yield f"## {name}\n\n{_flat(section.__doc__)}\n"
    yield "| setting | default | takes | |\n|---|---|---|---|"
    for key, field in section.model_fields.items():
        if key not in section.given:
            cells = (
                f"`{name}.{key}`",
                _default(section, key),
                _takes(field),
                _flat(field.description),
            )
            yield f"| {' | '.join(cells)} |"
            if key not in section.inherited:
                yield from _arguments(f"{name}.{key}", field)
    yield ""


def _arguments(place: str, field: FieldInfo) -> Iterator[str]:
    """Describe each choice of a setting that is a name with arguments, and its arguments."""
    for choice in _choices(field.annotation):
        word = choice.word()
        yield f"| `{place}={word}` | | | {_flat(choice.__doc__)} |"
        for key, argument in choice.model_fields.items():
            if key != "name":
                default = "" if argument.is_required() else f"`{argument.default}`"
                said = _flat(argument.description)
                yield f"| `{place}.{word}.{key}` | {default} | {_takes(argument)} | {said} |"


def _choices(annotation: Any) -> tuple[type[Choice], ...]:
    return tuple(
        kind for kind in get_args(annotation) if isinstance(kind, type) and issubclass(kind, Choice)
    )


def _default(section: type[Section], key: str) -> str:
    if key == "learning_rate" and issubclass(section, Transform):
        return section.rate_said
    if key in section.inherited:
        return f"as `train.{key}`"
    value = section.model_fields[key].default
    return "" if value is None or value in ((), {}) else f"`{value}`"


def _takes(field: FieldInfo) -> str:
    kind = _kind(field.annotation)
    limits = [limit for item in field.metadata for limit in _limits(item)]
    return " ".join([kind, *limits])


def _kind(annotation: Any) -> str:
    """Name a type as a writer of YAML would."""
    if get_origin(annotation) is Annotated:
        of, field = get_args(annotation)
        return " ".join([_kind(of), *(limit for item in field.metadata for limit in _limits(item))])
    if _choices(annotation):
        return ", ".join(f"`{choice.word()}`" for choice in _choices(annotation))
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    origin = get_origin(annotation) or annotation
    if origin in NAMES:
        return NAMES[origin]
    kinds = (_kind(part) for part in get_args(annotation) if part is not type(None))
    return " or ".join(dict.fromkeys(kinds))


def _limits(item: Any) -> Iterator[str]:
    for sign, name in ((">=", "ge"), (">", "gt"), ("<=", "le"), ("<", "lt")):
        value = getattr(item, name, None)
        if value is not None:
            yield f"{sign} {value:g}"


def _flat(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
