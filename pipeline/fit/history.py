"""The curves of a fit as CSV: a row an epoch, no times, so equal fits give equal bytes."""

import csv
from collections.abc import Mapping, Sequence
from math import inf, isnan
from pathlib import Path

HISTORY = "history.csv"
RATE = "learning_rate"  # column: the rate of an epoch's last step
FROZEN = "frozen"  # column of a fit in two phases: 1 where the output layer learned alone


def standing(val_accuracy: float, val_loss: float) -> tuple[float, float]:
    """Rank an epoch: by accuracy on validation, among equals by loss, where NaN is the worst.

    On small validation splits equals are common.
    """
    return float(val_accuracy), -inf if isnan(val_loss) else -float(val_loss)


def best_epoch(history: Mapping[str, Sequence[float]]) -> int:
    """The epoch, from 1, whose weights a fit of these curves has kept."""
    ranks = list(map(standing, history["val_accuracy"], history["val_loss"]))
    return 1 + ranks.index(max(ranks))


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


def joined(
    histories: Sequence[Mapping[str, Sequence[float]]], column: str
) -> dict[str, list[float]]:
    """The curves of several fits, one after the other; `column` numbers them from 1, if several."""
    found = {name: [value for one in histories for value in one[name]] for name in histories[0]}
    numbers = [float(n) for n, one in enumerate(histories, 1) for _ in one["loss"]]
    return found | ({column: numbers} if len(histories) > 1 else {})
