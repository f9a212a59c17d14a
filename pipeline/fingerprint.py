"""Digests: of values, of files, and of the code a stage reaches."""

import ast
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from pipeline.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pipeline", "models")
ENGINE = ("pipeline", "pipeline/settings")  # folders whose files are followed from no stage
AT_ONCE = 1000  # digests written down together
VERSIONED = ("pillow", "keras", "tensorflow", "tensorflow-model-optimization", "ai-edge-litert")


def digest(value: Any) -> str:
    """Digest a value JSON can hold; equal values give equal digests, whatever their key order."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class FileMemo:
    """Remembers file digests by path, size, time and inode, so that a large source is read once.

    Kept in an SQLite file, so that memory does not grow with the number of files; one that is
    damaged is started anew, and where none can be written it forgets at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fresh: dict[bytes, tuple[str, str]] = {}  # not written down yet

    def digest(self, path: Path) -> str:
        """Digest a file, from memory where size, time and inode are as they were."""
        stat = path.stat()
        name = os.fsencode(path.absolute())
        stamp = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
        known = self._fresh.get(name) or self._recall(name)
        if known is not None and known[0] == stamp:
            return known[1]
        fresh = file_digest(path)
        self._fresh[name] = (stamp, fresh)
        if len(self._fresh) >= AT_ONCE:
            self.save()
        return fresh

    def save(self) -> None:
        """Write down what was learned; where that cannot be, it will be learned again."""
        rows = [(name, *known) for name, known in self._fresh.items()]
        self._fresh.clear()
        with suppress(sqlite3.DatabaseError), self._table:
            self._table.executemany("REPLACE INTO files VALUES (?, ?, ?)", rows)

    def _recall(self, name: bytes) -> tuple[str, str] | None:
        try:
            rows = self._table.execute("SELECT stamp, digest FROM files WHERE path = ?", (name,))
            found: tuple[str, str] | None = rows.fetchone()
        except sqlite3.DatabaseError:
            return None
        return found

    @cached_property
    def _table(self) -> sqlite3.Connection:
        try:
            return _table(self.path if self.path.parent.is_dir() else ":memory:")
        except sqlite3.OperationalError:  # locked, or cannot be written
            return _table(":memory:")
        except sqlite3.DatabaseError:  # damaged
            self.path.unlink()
            return _table(self.path)


def _table(path: Path | str) -> sqlite3.Connection:
    table = sqlite3.connect(path, timeout=1)
    table.execute("PRAGMA cache_size = -256")  # in KiB
    table.execute(
        "CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, stamp TEXT, digest TEXT)"
    )
    return table


def fingerprint(
    files: Iterable[tuple[str, Path]], file_digest: Callable[[Path], str]
) -> Iterator[tuple[str, str]]:
    """Digest named files outside the project, so that one added, removed or renamed is seen.

    One that cannot be read has the reason in place of a digest: whether that matters is for its
    reader to say.
    """
    for name, path in files:
        yield name, _digest(path, file_digest)


def digest_lines(pairs: Iterable[tuple[str, str]], copy: IO[str] | None = None) -> str:
    """Digest names and digests as they come, without holding them; copy them to a file of lines."""
    whole = hashlib.sha256()
    for pair in pairs:
        line = json.dumps(pair) + "\n"
        whole.update(line.encode())
        if copy is not None:
            copy.write(line)
    return whole.hexdigest()


def _digest(path: Path, file_digest: Callable[[Path], str]) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"


@cache
def versions() -> dict[str, str]:
    """Versions of the packages whose change may change a result; nothing is imported."""
    return {name: metadata.version(name) for name in VERSIONED}


def code(references: Iterable[str], words: Iterable[str]) -> dict[str, str]:
    """Digest each project file reached from `references` (`"module"` or `"module:name"`).

    Imports are followed through the syntax tree, wherever they stand, but not into the engine: the
    files that lie directly in `pipeline/`, and the settings. A row of a lazy table,
    `"name": "module:object"`, counts and is followed only where `name` is one of `words`: editing
    LeNet's file or adding a network does not touch a run of another. Docstrings and comments do not
    count. The templates and styles beside a reached module count byte by byte.
    """
    chosen = frozenset(words)
    found: dict[str, str] = {}
    waiting = [reference.partition(":")[0] for reference in references]
    while waiting:
        module = waiting.pop()
        path = _source(module)
        if module in found or path is None or path.parent.relative_to(ROOT).as_posix() in ENGINE:
            continue
        tree_digest, imports, rows = _read(path, path.stat().st_mtime_ns)
        found[module] = tree_digest
        waiting += imports
        for name, target in rows:
            if name in chosen:
                found[target] = f"{module}[{name}]"
                waiting.append(target.partition(":")[0])
        if path.name == "__init__.py":
            found |= _data_files(path.parent)
        waiting.append(module.rpartition(".")[0])
    return dict(sorted(found.items()))


def _source(module: str) -> Path | None:
    """Find the file of a module of the project; None for any other."""
    if module.partition(".")[0] not in PACKAGES:
        return None
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _data_files(package: Path) -> dict[str, str]:
    """Digest what is beside a package's modules and is no Python: one folder down, templates."""
    files = (file for pattern in ("*", "*/*") for file in package.glob(pattern))
    return {
        file.relative_to(ROOT).as_posix(): file_digest(file)
        for file in files
        if file.is_file() and file.suffix not in {".py", ".pyc"}
    }


@cache
def _read(path: Path, _changed: int) -> tuple[str, list[str], list[tuple[str, str]]]:
    """Parse a file once: digest of its tree, modules it imports, rows of its lazy tables."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise ConfigError(f"{path}, line {error.lineno}: {error.msg}") from error
    imports: list[str] = []
    rows: list[tuple[str, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Dict):
            rows += _take_rows(node)
        _drop_docstring(node)
    text = ast.dump(tree, include_attributes=False)
    return hashlib.sha256(text.encode()).hexdigest(), imports, rows


def _take_rows(table: ast.Dict) -> list[tuple[str, str]]:
    """Take the rows that name objects of the project out of a literal table, and return them."""
    rows, others = [], []
    for key, value in zip(table.keys, table.values, strict=True):
        match key, value:
            case ast.Constant(str(name)), ast.Constant(str(target)) if _in_project(target):
                rows.append((name, target))
            case _:
                others.append((key, value))
    table.keys, table.values = [key for key, _ in others], [value for _, value in others]
    return rows


def _in_project(target: str) -> bool:
    return target.startswith(tuple(f"{package}." for package in PACKAGES)) and ":" in target


def _drop_docstring(node: ast.AST) -> None:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        node.body = node.body[1:]


def words(value: Any) -> set[str]:
    """Collect every string in some settings, keys too: the names that choose rows of tables.

    Of `tfds:mnist`, `tfds` is one.
    """
    if isinstance(value, str):
        return {value, value.partition(":")[0]}
    if isinstance(value, Mapping):
        return set().union(*(words(key) | words(item) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return set().union(*map(words, value))
    return set()
