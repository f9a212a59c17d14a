"""Table: a CSV file whose rows name pictures and their labels."""

import codecs
import csv
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.data.sources import Catalog, Found, Remark
from pipeline.data.sources.folder import SPLIT_NAMES
from pipeline.data.sources.places import place, printable, require_file, shown
from pipeline.data.sources.walk import inside
from pipeline.errors import ConfigError, DataError
from pipeline.lazy import nearest
from pipeline.settings import Ingest

DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it ends on, what its columns hold, and fields beyond the last column."""

    number: int
    path: str
    label: str
    split: str
    extra: int = 0

    @property
    def where(self) -> str:
        """How a person finds it."""
        return f"row {self.number}: {shown(self.path)}" if self.path else f"row {self.number}"


class Table:
    """A CSV of `path,label[,split]`, in any order among other columns, its first line naming them.

    Paths are relative to the table's folder and stay below it. Fields are split by comma,
    semicolon or tab; the text is UTF-8, with or without byte order mark, else read as Latin-1.
    """

    def __init__(self, settings: Ingest) -> None:
        if settings.path is None:
            raise ConfigError("ingest.path: table needs the path of a CSV file")
        self.path = place(settings.path)
        self.root = os.path.realpath(self.path.parent)
        self.wanted = settings.classes and tuple(map(printable, settings.classes))

    def files(self) -> Iterator[tuple[str, Path]]:
        """Name the table and each picture below its folder that it points at."""
        require_file(self.path, "ingest.path names a CSV file")
        yield self.path.name, self.path
        paths = dict.fromkeys(row.path for row in self._rows() if self._problem(row.path) is None)
        for path in paths:
            yield path, Path(self.root, path)

    def catalog(self) -> Catalog:
        """List its rows; labels are the numbers of the classes, which are sorted by name."""
        rows = list(self._rows())
        if not rows:
            raise DataError(f"{self.path}: no rows below the line that names the columns")
        seen = {row.label for row in rows if row.label}
        classes = list(self.wanted or sorted(seen))
        catalog = Catalog(printable(self.path.stem), classes, (), count=len(rows), listed=True)
        _, encoding = self._text
        if encoding == "latin-1":
            catalog.noted.append(Remark(self.path.name, "is not UTF-8: read as Latin-1"))
        catalog.pictures = self._pictures(rows, classes)
        return catalog

    @cached_property
    def _text(self) -> tuple[str, str]:
        """What the file says, and in which encoding; read once."""
        require_file(self.path, "ingest.path names a CSV file")
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror}") from error
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise DataError(f"{self.path}: is UTF-16; save it as UTF-8")
        try:
            return content.decode("utf-8-sig"), "utf-8"
        except UnicodeDecodeError:
            return content.decode("latin-1"), "latin-1"

    def _rows(self) -> Iterator[Row]:
        text, _ = self._text
        first = text.partition("\n")[0]
        delimiter = max(DELIMITERS, key=first.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            columns = [name.strip().lower() for name in next(reader, [])]
            for needed in ("path", "label", "split"):
                if columns.count(needed) != 1 and (needed != "split" or needed in columns):
                    raise DataError(
                        f"{self.path}: needs one column {needed!r} in its first line, which holds "
                        f"{shown(', '.join(columns)) or 'nothing'}"
                    )
            for fields in reader:
                if any(field.strip() for field in fields):
                    row = dict(zip(columns, map(str.strip, fields), strict=False))
                    yield Row(
                        reader.line_num,
                        row.get("path", ""),
                        printable(row.get("label", "")),
                        row.get("split", "" if "split" not in columns else "?").lower(),
                        sum(bool(field.strip()) for field in fields[len(columns) :]),
                    )
        except csv.Error as error:
            raise DataError(f"{self.path}, row {reader.line_num}: {error}") from error

    def _pictures(self, rows: list[Row], classes: list[str]) -> Iterator[Found | Remark]:
        numbers = {name: number for number, name in enumerate(classes)}
        contradicted = _contradictions(rows)
        for row in rows:
            problem = self._problem(row.path)
            if row.extra > 0:
                problem = f"{row.extra} more fields than columns; put quotes around one with commas"
            if problem is None and not row.label:
                problem = "no label"
            if problem is None and row.label not in numbers:
                known = nearest(row.label, classes)
                problem = shown(f"label {row.label!r} is none of ingest.classes: {known}")
            if problem is None and row.split and row.split not in SPLIT_NAMES:
                problem = f"split {shown(row.split)!r} is none of train, validation, test"
            if problem is None and row.path in contradicted:
                problem = f"contradicts other rows of this path: {contradicted[row.path]}"
            if problem is not None:
                yield Remark(row.where, problem)
            else:
                path = str(Path(self.root, row.path))
                split = SPLIT_NAMES[row.split] if row.split else None
                yield Found(row.where, numbers[row.label], path, split)

    def _problem(self, path: str) -> str | None:
        """Say why a path is not followed; None where it leads to a file below the table."""
        if not path:
            return "no path"
        if Path(path).is_absolute():
            return "an absolute path; paths are relative to the table's folder"
        if "\0" in path:
            return "a path with a zero byte in it"
        full = Path(self.root, path)
        if not inside(self.root, os.path.normpath(full)):
            return "a path that leaves the table's folder"
        if not inside(self.root, os.path.realpath(full)):
            return "a link that leaves the table's folder"
        return _no_file(full)


def _no_file(path: Path) -> str | None:
    """Say why a path is not one of a regular file; None where it is."""
    try:
        return None if stat.S_ISREG(path.stat().st_mode) else "not a regular file"
    except (FileNotFoundError, NotADirectoryError):
        return "no such file"
    except OSError as error:
        return f"cannot be reached: {error.strerror}"


def _contradictions(rows: list[Row]) -> dict[str, str]:
    """Paths that stand in several rows with different labels or splits, and what those say."""
    said: dict[str, dict[tuple[str, str], int]] = {}
    for row in rows:
        if row.label:
            said.setdefault(row.path, {}).setdefault((row.label, row.split), row.number)
    return {
        path: ", ".join(
            f"row {number} says {shown(' '.join(filter(None, words)))!r}"
            for words, number in values.items()
        )
        for path, values in said.items()
        if len(values) > 1
    }
