"""The quantization doctor: which operations an int8 file loses accuracy in, put back into float."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.measure.litert import LiteRT
from pipeline.measure.signal import Answers, Signal, Twin, signals, twins
from pipeline.measure.statistics import accuracy, drop_pp

Cause = Literal["weights", "range", "reading", "little"]
Make = Callable[[Collection[str]], bytes]  # the file with some operations, by name, in float32
CRUSHED = 0.5  # a kernel of which a larger share of weights turns to zero is ruined by its scale
NOISY_DB = 15.0  # of what is noisier a thirtieth of the signal's power is noise, or more
NEARLY_DB = 10.0
HEARD = 32  # pictures on which each operation is heard alone


@dataclass(frozen=True)
class Patient:
    """An int8 file in the making, and by what it is judged.

    `original` is the float32 file it is made of, `accuracy` that of the model on `pictures`, uint8
    `(N, H, W, C)`, and `labels`, the validation split; activations are compared on `sample`,
    training pictures. It may lose `max_drop_pp` points; at most `max_float_share` of all
    multiply-accumulates may go to float32 for that.
    """

    original: Path
    make: Make
    accuracy: float
    pictures: np.ndarray
    labels: np.ndarray
    sample: np.ndarray
    max_drop_pp: float
    max_float_share: float


@dataclass(frozen=True)
class Trial:
    """A file that was made and measured; `float_share` of multiply-accumulates are in float32."""

    blob: bytes
    asked: tuple[str, ...]
    in_float: tuple[Twin, ...]
    float_share: float
    accuracy: float
    drop_pp: float


@dataclass(frozen=True)
class Suspect:
    """An operation, and signal to noise of the network's answers if it alone is in integers."""

    signal: Signal
    alone_db: float


@dataclass(frozen=True)
class Treatment:
    """What came of it: every file tried, in order, the plain int8 file first, and the one to ship.

    `before` and `after` are signal to noise by operation in the plain file and in the one to ship.
    `suspects` are all operations, the worst first; none where the plain file keeps its budget.
    `kept` tells whether the file to `ship` does.
    """

    trials: tuple[Trial, ...]
    ship: Trial
    kept: bool
    before: tuple[Signal, ...]
    after: tuple[Signal, ...]
    suspects: tuple[Suspect, ...]


def treat(patient: Patient, folder: Path) -> Treatment:
    """Make the int8 file, and where it loses more than it may, put its worst operations into float.

    Each operation is heard alone, in integers in the midst of float; the worst leaves the noisiest
    answers. So all that touch one bad tensor show, though mending a single one of them would not
    help. The worst 1, 2, 4, ... go to float32 and the file is measured each time, until the budget
    holds; then as many of them go back as it allows. Where it cannot be held, the file that loses
    least is shipped. `folder` is where files are written while they are tried.
    """
    path = folder / "tried.tflite"
    plain = _tried(patient, (), path)
    before = _signals(patient, plain, path)
    if plain.drop_pp <= patient.max_drop_pp:
        return Treatment((plain,), plain, True, before, before, ())
    suspects = tuple(sorted(_alone(patient, before, path), key=lambda one: one.alone_db))
    names = _allowed(patient, [one.signal for one in suspects])
    trials, count = [plain], 0
    while trials[-1].drop_pp > patient.max_drop_pp and count < len(names):
        low, count = count, min(max(1, 2 * count), len(names))
        trials.append(_tried(patient, names[:count], path))
    if trials[-1].drop_pp <= patient.max_drop_pp:
        trials += _given_back(patient, names[:count], low, path)
    kept = [one for one in trials if one.drop_pp <= patient.max_drop_pp]
    ship = (
        min(kept, key=lambda one: len(one.asked))
        if kept
        else min(trials, key=lambda one: (one.drop_pp, len(one.asked)))
    )
    after = _signals(patient, ship, path)
    return Treatment(tuple(trials), ship, bool(kept), before, after, suspects)


def causes(suspects: Sequence[Suspect]) -> dict[str, Cause]:
    """Why the operations are heard that are nearly as noisy, alone, as the worst; by their names.

    weights: a few large ones set the scale and most others become zero; range: a few large values
    set the scale of its output; reading: it is right itself and reads what such a scale has
    crushed; little: none of these, as many little errors add up.
    """
    worst = min((one.alone_db for one in suspects), default=0.0)
    heard = [one.signal for one in suspects if one.alone_db <= worst + NEARLY_DB]
    return {one.name: _cause(one) for one in heard}


def _cause(signal: Signal) -> Cause:
    if signal.weights_lost is not None and signal.weights_lost > CRUSHED:
        return "weights"
    if signal.rounding_db is not None and signal.rounding_db < NOISY_DB:
        return "range"
    return "reading" if signal.snr_db < NOISY_DB else "little"


def _tried(patient: Patient, asked: tuple[str, ...], path: Path) -> Trial:
    path.write_bytes(blob := patient.make(asked))
    found = twins(patient.original, path)
    right = accuracy(LiteRT(path).predict(patient.pictures), patient.labels)
    in_float = tuple(one for one in found if one.form == "float32")
    drop = drop_pp(right, patient.accuracy)
    return Trial(blob, asked, in_float, _share(in_float, found), right, drop)


def _signals(patient: Patient, trial: Trial, path: Path) -> tuple[Signal, ...]:
    path.write_bytes(trial.blob)
    return signals(patient.original, path, patient.sample)


def _alone(patient: Patient, found: Sequence[Signal], path: Path) -> Iterator[Suspect]:
    """Hear each operation that computes in integers by itself, all others in float32."""
    answers = Answers(patient.original, patient.sample[:HEARD])
    for one in found:
        if one.form != "float32":
            path.write_bytes(patient.make([other.name for other in found if other is not one]))
            yield Suspect(one, answers.snr_db(path))


def _allowed(patient: Patient, ranked: Sequence[Signal]) -> tuple[str, ...]:
    """Names of operations, the worst first, but for those that would be too much in float32."""
    chosen: list[Signal] = []
    for one in ranked:
        if _share([*chosen, one], ranked) <= patient.max_float_share:
            chosen.append(one)
    return tuple(one.name for one in chosen)


def _given_back(patient: Patient, names: tuple[str, ...], low: int, path: Path) -> Iterator[Trial]:
    """Try fewer of the worst, halving the gap between too few and enough."""
    high = len(names)
    while high - low > 1:
        middle = (low + high) // 2
        trial = _tried(patient, names[:middle], path)
        yield trial
        low, high = (low, middle) if trial.drop_pp <= patient.max_drop_pp else (middle, high)


def _share(some: Collection[Twin], every: Collection[Twin]) -> float:
    """Of all multiply-accumulates those of some; 0..1."""
    total = sum(one.macs for one in every)
    return sum(one.macs for one in some) / total if total else 0.0
