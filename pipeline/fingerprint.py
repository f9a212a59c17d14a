"""Digests: of values, of files, and of the code a stage reaches."""

import ast
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, DataError

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pipeline", "models")
VERSIONED = ("keras", "tensorflow", "tensorflow-model-optimization", "ai-edge-litert")


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

    Kept in one JSON file; a memo that cannot be read is started anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._changed = False
        try:
            self._known: dict[str, list[Any]] = json.loads(path.read_text())
        except (OSError, ValueError):
            self._known = {}

    def digest(self, path: Path) -> str:
        """Digest a file, from memory where size, time and inode are as they were."""
        stat = path.stat()
        name, stamp = str(path.absolute()), [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        known = self._known.get(name)
        if known is not None and known[:3] == stamp:
            return str(known[3])
        fresh = file_digest(path)
        self._known[name] = [*stamp, fresh]
        self._changed = True
        return fresh

    def save(self) -> None:
        """Write the memo if it learned something."""
        if self._changed:
            draft = self.path.with_suffix(".tmp")
            draft.write_text(json.dumps(self._known))
            draft.replace(self.path)
            self._changed = False


def fingerprint(paths: Iterable[Path], file_digest: Callable[[Path], str]) -> dict[str, str]:
    """Digest files and folders outside the project, by path relative to what was named.

    A folder stands for every file below it, so an added, removed or renamed file is seen.

    Raises:
        DataError: naming a file that cannot be read.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            below = sorted(file for file in path.rglob("*") if file.is_file())
            found |= {file.relative_to(path).as_posix(): file for file in below}
        else:
            found[path.name] = path
    return {name: _digest(path, file_digest) for name, path in found.items()}


def _digest(path: Path, file_digest: Callable[[Path], str]) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


@cache
def versions() -> dict[str, str]:
    """Versions of the packages whose change may change a result; nothing is imported."""
    return {name: metadata.version(name) for name in VERSIONED}


def code(references: Iterable[str], words: Iterable[str]) -> dict[str, str]:
    """Digest each project file reached from `references` (`"module"` or `"module:name"`).

    Imports are followed through the syntax tree, wherever they stand, but not into the engine,
    the files that lie directly in `pipeline/`. A row of a lazy table, `"name": "module:object"`,
    is followed only where `name` is one of `words`: editing LeNet's file does not touch a run of
    another network. Docstrings and comments do not count. The templates and styles beside a
    reached module count byte by byte.
    """
    chosen = frozenset(words)
    found: dict[str, str] = {}
    waiting = [reference.partition(":")[0] for reference in references]
    while waiting:
        module = waiting.pop()
        path = _source(module)
        if module in found or path is None or path.parent == ROOT / "pipeline":
            continue
        tree_digest, imports, rows = _read(path, path.stat().st_mtime_ns)
        found[module] = tree_digest
        waiting += imports
        waiting += [target for name, target in rows if name in chosen]
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
            rows += _rows(node)
        _drop_docstring(node)
    text = ast.dump(tree, include_attributes=False)
    return hashlib.sha256(text.encode()).hexdigest(), imports, rows


def _rows(table: ast.Dict) -> list[tuple[str, str]]:
    pairs = [
        (key.value, value.value)
        for key, value in zip(table.keys, table.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
    ]
    return [
        (key, value.partition(":")[0])
        for key, value in pairs
        if isinstance(key, str) and isinstance(value, str) and value.startswith(PACKAGES)
    ]


def _drop_docstring(node: ast.AST) -> None:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        node.body = node.body[1:]


def words(value: Any) -> set[str]:
    """Collect every string in some settings, keys too: the names that choose rows of tables."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, Mapping):
        return set().union(*(words(key) | words(item) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return set().union(*map(words, value))
    return set()
