"""Rows of a table: what its first line names, and what each line below says of a picture."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.sources.places import printable, shown
from pipeline.errors import DataError
from pipeline.lazy import nearest

DELIMITERS = ",;\t"
PATH, LABEL, LABELS, SPLIT = "path", "label", "labels", "split"
SEPARATOR = ";"  # between the labels of a column `labels`, unless the settings say another
FLAGS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it ends on, what its columns hold, and fields beyond the last column.

    `labels` is None where the field is missing; `wrong` says what a field holds that it should not.
    """

    number: int
    path: str
    labels: tuple[str, ...] | None
    split: str
    extra: int = 0
    wrong: str | None = None

    @property
    def where(self) -> str:
        """How a person finds it."""
        return f"row {self.number}: {shown(self.path)}" if self.path else f"row {self.number}"


@dataclass(frozen=True)
class Rows:
    """All rows of a table; `classes` is empty unless there is a column for each."""

    rows: Sequence[Row]
    multi_label: bool
    classes: tuple[str, ...] = ()


def read_rows(text: str, path: Path, separator: str | None, wanted: Sequence[str] | None) -> Rows:
    """Read what a table says; `wanted` are the classes asked for.

    A column `label` holds one label, or with a `separator` several, or none; a column `labels`
    several. Where there is neither, each column besides `path` and `split` is a class, of 0 and 1.

    Raises:
        DataError: a column is missing, or the text is no table.
    """
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        lines = [
            (reader.line_num, [*map(str.strip, fields)])
            for fields in reader
            if any(field.strip() for field in fields)
        ]
    except csv.Error as error:
        raise DataError(f"{path}, row {reader.line_num}: {error}") from error
    columns = [name.lower() for name in header]
    named = next((name for name in (LABEL, LABELS) if name in columns), None)
    flags = {} if named else _flag_columns(header, lines, wanted, path)
    _require((PATH, *(() if flags else (named or LABEL,))), columns, path)
    place = {name: columns.index(name) for name in (PATH, LABEL, LABELS, SPLIT) if name in columns}
    if flags:
        rows = [_row(line, columns, place, *_flagged(line[1], flags)) for line in lines]
        return Rows(rows, multi_label=True, classes=tuple(flags))
    between = separator or (SEPARATOR if named == LABELS else None)
    at = place[named or LABEL]
    rows = [_row(line, columns, place, _labels(line[1], at, between)) for line in lines]
    return Rows(rows, multi_label=between is not None)


def _require(needed: Sequence[str], columns: Sequence[str], path: Path) -> None:
    """Raise `DataError` unless each column needed is there once, and none of splits twice."""
    for name in (*needed, SPLIT):
        if columns.count(name) != 1 and (name != SPLIT or name in columns):
            also = ", or a column of 0 and 1 for each class" if name == LABEL else ""
            raise DataError(
                f"{path}: needs one column {name!r} in its first line, which holds "
                f"{shown(', '.join(columns)) or 'nothing'}{also}"
            )


def _row(
    line: tuple[int, list[str]],
    columns: Sequence[str],
    place: Mapping[str, int],
    labels: tuple[str, ...] | None,
    wrong: str | None = None,
) -> Row:
    number, fields = line
    said = dict(zip(columns, fields, strict=False))
    split = said.get(SPLIT, "?" if SPLIT in place else "").lower()
    extra = sum(map(bool, fields[len(columns) :]))
    return Row(number, said.get(PATH, ""), labels, split, extra, wrong)


def _labels(fields: Sequence[str], place: int, between: str | None) -> tuple[str, ...] | None:
    if place >= len(fields):
        return None
    labels = [fields[place]] if between is None else map(str.strip, fields[place].split(between))
    return tuple(dict.fromkeys(printable(label) for label in labels if label))


def _flagged(
    fields: Sequence[str], flags: Mapping[str, int]
) -> tuple[tuple[str, ...] | None, str | None]:
    """The classes of a row that has a column for each, and what is wrong with a field."""
    if len(fields) <= max(flags.values()):
        return None, None
    for name, place in flags.items():
        if fields[place].lower() not in FLAGS:
            return (), f"column {name!r} holds {shown(fields[place])!r}, neither 0 nor 1"
    return tuple(name for name, place in flags.items() if FLAGS[fields[place].lower()]), None


def _flag_columns(
    header: Sequence[str],
    lines: Sequence[tuple[int, list[str]]],
    wanted: Sequence[str] | None,
    path: Path,
) -> dict[str, int]:
    """Columns of 0 and 1 by class: those `wanted`, or all besides path and split; or none.

    Those wanted need hold 0 and 1 somewhere: a row that holds anything else is set aside by itself.
    """
    pairs = [(printable(name), place) for place, name in enumerate(header) if name]
    pairs = [(name, place) for name, place in pairs if name.lower() not in (PATH, SPLIT)]
    others = dict(pairs)
    flags = {name: others[name] for name in wanted or others if name in others}
    held = [
        fields[place].lower() in FLAGS
        for _, fields in lines
        for place in flags.values()
        if place < len(fields)
    ]
    if len(flags) < 2 or not held or not (any(held) if wanted else all(held)):
        return {}
    for name in wanted or ():
        if name not in flags:
            known = nearest(name, list(others))
            raise DataError(f"{path}: no column for class {shown(name)!r}: {known}")
    if len(others) < len(pairs):
        raise DataError(f"{path}: two columns of its first line have one name")
    return flags
