"""The curves of a fit as CSV: a row an epoch, no times, so equal fits give equal bytes."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

HISTORY = "history.csv"


def write_history(folder: Path, history: Mapping[str, Sequence[float]]) -> None:
    """Write what Keras recorded, a column a name."""
    with (folder / HISTORY).open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["epoch", *history])
        epochs = zip(*history.values(), strict=True)
        rows.writerows([number, *values] for number, values in enumerate(epochs, 1))


def read_history(folder: Path) -> dict[str, list[float]]:
    """Read it back: a list of one value an epoch for each name."""
    with (folder / HISTORY).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [name for name in rows[0] if name != "epoch"]
    return {name: [float(row[name]) for row in rows] for name in names}
