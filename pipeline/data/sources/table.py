"""Table: a CSV file whose rows name pictures and their labels."""

import codecs
import os
import stat
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from pipeline.data.sources import Catalog, Found, Remark
from pipeline.data.sources.folder import SPLIT_NAMES
from pipeline.data.sources.places import place, printable, require_file, shown
from pipeline.data.sources.rows import Row, Rows, read_rows
from pipeline.data.sources.walk import inside
from pipeline.errors import ConfigError, DataError
from pipeline.lazy import nearest
from pipeline.settings import Ingest


class Table:
    """A CSV of `path,label[,split]`, in any order among other columns, its first line naming them.

    Of several labels a picture it is `path,labels[,split]`, with `ingest.separator` between them,
    or has a column of 0 and 1 for each class; then a picture may have none.
    Paths are relative to the table's folder and stay below it. Fields are split by comma,
    semicolon or tab; the text is UTF-8, with or without byte order mark, else read as Latin-1.
    """

    def __init__(self, settings: Ingest) -> None:
        if settings.path is None:
            raise ConfigError("ingest.path: table needs the path of a CSV file")
        self.path = place(settings.path)
        self.root = os.path.realpath(self.path.parent)
        self.wanted = settings.classes and tuple(map(printable, settings.classes))
        self.separator = settings.separator

    def files(self) -> Iterator[tuple[str, Path]]:
        """Name the table and each picture below its folder that it points at."""
        require_file(self.path, "ingest.path names a CSV file")
        yield self.path.name, self.path
        paths = dict.fromkeys(
            row.path for row in self._rows.rows if self._problem(row.path) is None
        )
        for path in paths:
            yield path, Path(self.root, path)

    def catalog(self) -> Catalog:
        """List its rows; labels are the numbers of the classes, which are sorted by name."""
        rows, multi_label = self._rows.rows, self._rows.multi_label
        if not rows:
            raise DataError(f"{self.path}: no rows below the line that names the columns")
        seen = {label for row in rows for label in row.labels or ()}
        classes = list(self.wanted or self._rows.classes or sorted(seen))
        catalog = Catalog(
            printable(self.path.stem),
            classes,
            (),
            count=len(rows),
            listed=True,
            multi_label=multi_label,
        )
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

    @cached_property
    def _rows(self) -> Rows:
        return read_rows(self._text[0], self.path, self.separator, self.wanted)

    def _pictures(self, rows: Sequence[Row], classes: list[str]) -> Iterator[Found | Remark]:
        numbers = {name: number for number, name in enumerate(classes)}
        several = self._rows.multi_label
        contradicted = _contradictions(rows, several)
        for row in rows:
            problem = self._problem(row.path) or _problem_of(row, numbers, several)
            if row.extra > 0:
                problem = f"{row.extra} more fields than columns; put quotes around one with commas"
            if problem is None and row.path in contradicted:
                problem = f"contradicts other rows of this path: {contradicted[row.path]}"
            if problem is not None:
                yield Remark(row.where, problem)
            else:
                shows = tuple(sorted(numbers[label] for label in row.labels or ()))
                path = str(Path(self.root, row.path))
                split = SPLIT_NAMES[row.split] if row.split else None
                yield Found(row.where, shows if several else shows[0], path, split)

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


def _problem_of(row: Row, numbers: dict[str, int], several: bool) -> str | None:
    """Say what is wrong with the labels or the split of a row; None where nothing is."""
    if row.wrong is not None:
        return row.wrong
    if row.labels is None or (not row.labels and not several):
        return "no label"
    for label in row.labels:
        if label not in numbers:
            return shown(
                f"label {label!r} is none of ingest.classes: {nearest(label, list(numbers))}"
            )
    if row.split and row.split not in SPLIT_NAMES:
        return f"split {shown(row.split)!r} is none of train, validation, test"
    return None


def _no_file(path: Path) -> str | None:
    """Say why a path is not one of a regular file; None where it is."""
    try:
        return None if stat.S_ISREG(path.stat().st_mode) else "not a regular file"
    except (FileNotFoundError, NotADirectoryError):
        return "no such file"
    except OSError as error:
        return f"cannot be reached: {error.strerror}"


def _contradictions(rows: Sequence[Row], several: bool) -> dict[str, str]:
    """Paths that stand in several rows with different labels or splits, and what those say."""
    said: dict[str, dict[tuple[str, str], int]] = {}
    for row in rows:
        if row.wrong is None and (row.labels or (several and row.labels is not None)):
            labels = " and ".join(sorted(row.labels))
            said.setdefault(row.path, {}).setdefault((labels, row.split), row.number)
    return {
        path: ", ".join(
            f"row {number} says {shown(' '.join(filter(None, words)))!r}"
            for words, number in values.items()
        )
        for path, values in said.items()
        if len(values) > 1
    }
