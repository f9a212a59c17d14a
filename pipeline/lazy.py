"""Tables of names whose code is imported only when a row is used."""

import ast
import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant, else list them all: the tail of an error line."""
    known = sorted(known)
    if not known:
        return "there are none"
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def load(reference: str) -> Any:
    """Import what `"package.module:name"` points at."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


class LazyTable(Mapping[str, Any]):
    """Map names to objects given as `"package.module:name"`, imported on use.

    Listing the names costs nothing; an unknown one raises `ConfigError` with the nearest known.
    """

    def __init__(self, kind: str, rows: Mapping[str, str]) -> None:
        self.kind = kind
        self.rows = dict(rows)

    def __getitem__(self, name: str) -> Any:
        return load(self.reference(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, name: object) -> bool:
        return name in self.rows

    def reference(self, name: str) -> str:
        """Return the row as it is written; raises `ConfigError` if there is none."""
        if name not in self.rows:
            raise ConfigError(f"unknown {self.kind} {name!r}: {nearest(name, self.rows)}")
        return self.rows[name]

    def function(self, name: str) -> "Signature":
        """Describe the function a row names by reading its file, without importing it."""
        module, _, function = self.reference(name).partition(":")
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise ConfigError(f"{self.kind} {name!r}: module {module} is not there")
        return Signature(Path(spec.origin), function)


class Signature:
    """What a function's `def` says of itself: its docstring, options, and what they may be.

    A name may also stand for `partial(function, key=value)`: it is described as that function is,
    without the arguments the partial settles.
    """

    def __init__(self, file: Path, name: str) -> None:
        self.file, self.name = file, name

    @cached_property
    def _definition(self) -> tuple[ast.FunctionDef, frozenset[str]]:
        body = ast.parse(self.file.read_text(encoding="utf-8")).body
        functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
        if self.name in functions:
            return functions[self.name], frozenset()
        for node in body:
            match node:
                case ast.Assign(
                    [ast.Name(name)], ast.Call(ast.Name("partial"), [ast.Name(function)], settled)
                ) if name == self.name and function in functions:
                    return functions[function], frozenset(word.arg or "" for word in settled)
        raise ConfigError(f"{self.file}: no function {self.name!r} at its top level")

    @property
    def text(self) -> str:
        """The docstring, without its indentation."""
        return ast.get_docstring(self._definition[0]) or ""

    @property
    def defaults(self) -> dict[str, Any]:
        """Arguments that have a literal default, with it: the options a user may set."""
        return {arg.arg: ast.literal_eval(value) for arg, value in self._options()}

    @property
    def choices(self) -> dict[str, tuple[Any, ...]]:
        """What an option annotated as `Literal[...]` may be, for those that are."""
        return {
            arg.arg: _members(arg.annotation.slice)
            for arg, _ in self._options()
            if isinstance(arg.annotation, ast.Subscript)
            and isinstance(arg.annotation.value, ast.Name)
            and arg.annotation.value.id == "Literal"
        }

    def _options(self) -> list[tuple[ast.arg, ast.expr]]:
        definition, settled = self._definition
        args = definition.args
        positional = args.args[len(args.args) - len(args.defaults) :]
        pairs = [
            *zip(positional, args.defaults, strict=True),
            *zip(args.kwonlyargs, args.kw_defaults, strict=True),
        ]
        return [
            (arg, value) for arg, value in pairs if value is not None and arg.arg not in settled
        ]


def _members(choices: ast.expr) -> tuple[Any, ...]:
    members = ast.literal_eval(choices)
    return members if isinstance(members, tuple) else (members,)
