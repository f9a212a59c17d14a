"""The trials of a search, as they lie on disk: one file each, written whole."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline import recipe
from pipeline.errors import IntegrityError, harmless
from pipeline.settings.searching import Objective, short
from pipeline.store import sync

Status = Literal["trained", "refused", "failed"]
DRAFT = ".draft"  # how the name of what is half written ends
DAMAGED = "give the search another name=, or remove its folder"
COLUMNS = ("trial", "status", "bytes", "latency_us", "macs", "val_accuracy", "seconds")


class Trial(BaseModel):
    """A candidate and what became of it.

    `values` are the settings that were tried. `bytes`, `macs` and `latency_us` (the median of the
    quietest of several rounds) are of its int8 file as built, `bounds` as it was before training;
    accuracies on validation, 0..1, with folds their mean. `seconds` it took, those of an attempt
    that was cut off left out. `reason` says in a line why it was refused, or failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    trial: int
    status: Status
    values: dict[str, Any]
    epochs: int | None = None
    bytes: int | None = None
    latency_us: float | None = None
    macs: int | None = None
    val_accuracy: float | None = None
    int8_accuracy: float | None = None
    seconds: float
    reason: str | None = None

    @property
    def said(self) -> str:
        """Its settings in a line."""
        return ", ".join(f"{key}={short(value)}" for key, value in self.values.items())

    def score(self, objective: Objective) -> float:
        """What the search makes high, 0..1; of one that was not trained, less than any."""
        found: float | None = getattr(self, objective)
        return -1.0 if found is None else found


def number_of(trial_id: str) -> int:
    """The number of a trial, from 1, by KerasTuner's name for it."""
    return int(trial_id) + 1


class Trials:
    """The trials in one folder; several processes may write, each its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, trial: Trial) -> Trial:
        """Write a trial down, whole or not at all, and return it; what is there already stands."""
        held = self.find(trial.trial)
        if held is not None and (held.values, held.epochs) == (trial.values, trial.epochs):
            return held
        write(self._file(trial.trial), trial.model_dump_json(indent=1))
        return trial

    def find(self, number: int) -> Trial | None:
        """A trial by its number; None where it has not ended."""
        path = self._file(number)
        return _trial(path) if path.is_file() else None

    def all(self) -> list[Trial]:
        """Every trial that has ended, by number."""
        found = [_trial(path) for path in self.folder.glob("[0-9]*.json")]
        return sorted(found, key=lambda trial: trial.trial)

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:04}.json"


def _trial(path: Path) -> Trial:
    try:
        return Trial.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise IntegrityError(f"{path}: is no trial any more; {DAMAGED}") from error


def best(trials: Iterable[Trial], objective: Objective) -> Trial | None:
    """The most accurate that was trained; of equals the smaller file, then the faster."""
    trained = [trial for trial in trials if trial.status == "trained"]
    return min(
        trained,
        key=lambda one: (-one.score(objective), one.bytes, one.latency_us, one.trial),
        default=None,
    )


def front(trials: Iterable[Trial], objective: Objective) -> list[Trial]:
    """Those that no other beats in one of accuracy, bytes and latency without losing in another.

    The smallest first; of equals the first that was tried.
    """
    by_cost: dict[tuple[float, ...], Trial] = {}
    for trial in trials:
        if trial.status == "trained":
            costs = (-trial.score(objective), trial.bytes or 0, trial.latency_us or 0)
            by_cost.setdefault(costs, trial)

    def beaten(own: tuple[float, ...]) -> bool:
        return any(
            other != own and all(a <= b for a, b in zip(other, own, strict=True))
            for other in by_cost
        )

    unbeaten = [trial for costs, trial in by_cost.items() if not beaten(costs)]
    return sorted(unbeaten, key=lambda trial: trial.bytes or 0)


def write_table(trials: Iterable[Trial], path: Path) -> None:
    """Write `trials.csv`: `COLUMNS`, what else was measured, and a column for each setting."""
    import pandas

    rows = []
    for trial in trials:
        said = trial.model_dump(exclude={"values"})
        values = {key: short(value) for key, value in trial.values.items()}
        rows.append({name: said.pop(name) for name in COLUMNS} | values | said)
    table = pandas.DataFrame(rows, dtype=object)
    whole = [name for name in ("epochs", "int8_accuracy", "reason") if name in table]
    write(path, table.drop(columns=[n for n in whole if table[n].isna().all()]).to_csv(index=False))


def write_recipe(settings: Mapping[str, Any], said: Iterable[str], path: Path) -> None:
    """Write a recipe with lines of comment above it."""
    comment = "".join(f"# {harmless(line)}".rstrip() + "\n" for line in said)
    write(path, f"{comment}\n{recipe.dump(settings)}")


def write(path: Path, text: str) -> None:
    """Put a text in a file's place at once: none reads half of it, and no crash loses it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex}{DRAFT}")
    try:
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half written; none is at work here."""
    for draft in folder.rglob(f".*{DRAFT}"):
        draft.unlink(missing_ok=True)


def read(path: Path) -> Any:
    """What JSON object a file holds; None where there is no file.

    Raises:
        IntegrityError: it holds none.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise IntegrityError(f"{path}: is no JSON any more; {DAMAGED}") from error
    if not isinstance(found, dict):
        raise IntegrityError(f"{path}: holds another thing than it was given; {DAMAGED}")
    return found
