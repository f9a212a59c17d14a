"""Figures of a search: trials and ranges as `show` draws them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.search.trials import Trial, best, front
from pipeline.settings import Search
from pipeline.settings.searching import short
from pipeline.show.canvas import save
from pipeline.show.search_figures import Candidate, Scale, Value, search_front, search_settings

MEASURES = {"val_accuracy": "accuracy", "int8_accuracy": "int8 accuracy"}


def draw(search: Search, trials: Sequence[Trial], folder: Path) -> None:
    """Write `front.png` and `settings.png`; trials that failed are in neither."""
    measure = MEASURES[search.objective]
    winner, unbeaten = best(trials, search.objective), front(trials, search.objective)
    found = [
        Candidate(
            one.trial,
            dict(_said(search, one)),
            one.bytes or 0,
            one.latency_us or 0.0,
            one.score(search.objective) if one.status == "trained" else None,
            one in unbeaten,
            one == winner,
        )
        for one in trials
        if one.status != "failed"
    ]
    limits = {"bytes": search.max_bytes, "latency_us": search.max_latency_us}
    save(search_front(found, f"{measure} on validation", limits), folder / "front.png")
    save(search_settings(found, list(_scales(search, trials)), measure), folder / "settings.png")


def _said(search: Search, trial: Trial) -> Iterator[tuple[str, Value]]:
    for key, said in search.space.items():
        value = trial.values[key]
        yield key, short(value) if "choice" in said else float(value)
    if trial.epochs:
        yield "epochs", trial.epochs


def _scales(search: Search, trials: Sequence[Trial]) -> Iterator[Scale]:
    for key, said in search.space.items():
        for kind, values in said.items():
            if kind == "choice":
                yield Scale(key, "choice", choices=tuple(short(value) for value in values))
            else:
                low, high = map(float, values[:2])
                yield Scale(key, "log" if kind == "log" else "linear", low, high)
    epochs = [trial.epochs for trial in trials if trial.epochs]
    if epochs:
        yield Scale("epochs", "linear", min(epochs), max(epochs))
