"""Prune: fine-tune while the smallest weights become zero, and keep the zeros."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import keras
import numpy as np

from pipeline.compress.kernels import allotted, prunable, said
from pipeline.compress.legacy import tf_keras
from pipeline.compress.legacy.pruning import Pruned, prune, require_prunable
from pipeline.compress.patterns import Pattern
from pipeline.compress.rounds import Attempt, Sparsities, spend
from pipeline.compress.schedule import Ramp
from pipeline.compress.sensitivity import LEVELS, Sensitivity, allocation, as_facts, scan
from pipeline.data.batches import steps
from pipeline.data.dataset import facts
from pipeline.errors import ConfigError
from pipeline.fit import optimizers
from pipeline.fit.ensembles.answers import answers
from pipeline.fit.ensembles.members import VOTE
from pipeline.fit.files import load_model, save_model
from pipeline.fit.history import write_history
from pipeline.fit.loop import Fitted, Task, fit
from pipeline.measure.statistics import accuracy
from pipeline.progress import say
from pipeline.settings import CHECKPOINTS, Inputs, Metrics, Prune

COMPARED = 32  # pictures on which the mirror and the model have to agree
WHOLE = (VOTE,)  # layers that are never pruned
# Of a scan: its pictures, such that it takes about a tenth of the time of the tuning, in which a
# picture costs three times what it costs here.
FEWEST, MOST, PART, BACK_AND_FORTH = 500, 2000, 0.1, 3
BATCH = 256


def check(settings: Prune) -> None:
    """Refuse an optimizer, or an argument of it, that tf_keras does not have."""
    optimizers.check(settings, tf_keras, "prune")


def check_pictures(settings: Prune, ingest: Path) -> None:
    """Refuse a run that is too short for its ramp: known as soon as the pictures are counted."""
    _ramp(settings, steps(facts(ingest)["train"], settings.batch))


def check_network(settings: Prune, inputs: Inputs) -> None:
    """Refuse words that mean no layer, and a layer that has no twin or cannot take the pattern."""
    model = load_model(inputs["candidate"] / "model.keras")
    names, pattern = list(prunable(model, WHOLE)), Pattern.read(settings.pattern)
    wanted: Sparsities
    if settings.sparsity == "auto":
        given, free = _fixed(settings, names)
        wanted = {**given, **dict.fromkeys(free, 1.0)}
    else:
        share = pattern.share or settings.sparsity
        wanted = allotted(names, share, settings.layers, settings.exclude)
    require_prunable(model, wanted, pattern)


def run(settings: Prune, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, `history.csv`, `sparsity.json` (a row a pruned layer), and `logs/`.

    What an earlier attempt left in `out` is gone on from: `checkpoints/` and `logs/`.

    Also `sensitivity.json`, where the layers were scanned, and `rounds.json`, where sparsity was
    found in rounds.

    Raises:
        ConfigError: the run is too short for the ramp, a pattern of names matches nothing, a layer
            cannot be pruned, or no sparsity is within the budget.
        ConversionError: model and mirror differ by more than 1e-5, or a zero was lost.
    """
    task = Task.read(inputs, settings.teacher)
    tuning = _Tuning(settings, task, Pattern.read(settings.pattern))
    model = load_model(inputs["candidate"] / "model.keras")
    names = list(prunable(model, WHOLE))
    if settings.sparsity == "auto":
        made = _within_budget(model, names, tuning, out)
    else:
        share = tuning.pattern.share or settings.sparsity
        sparsities = allotted(names, share, settings.layers, settings.exclude)
        if settings.scan:
            _scan(model, tuning, out)
        made = tuning.tune(model, sparsities, out)
    save_model(made.pruned.model, out / "model.keras")
    write_history(out, made.fitted.history)
    layers = [asdict(layer) for layer in made.pruned.layers]
    (out / "sparsity.json").write_text(json.dumps(layers, indent=1))
    return {
        "sparsity": made.pruned.sparsity,
        "val_accuracy": made.fitted.best["val_accuracy"],
        "resumed_from_epoch": made.fitted.resumed_from_epoch,
    }


@dataclass(frozen=True)
class _Tuned:
    """A pruned model, and how its tuning went."""

    pruned: Pruned
    fitted: Fitted


@dataclass(frozen=True)
class _Tuning:
    """What every tuning of a step has in common."""

    settings: Prune
    task: Task
    pattern: Pattern

    def tune(
        self,
        model: keras.Model,
        sparsities: Sparsities,
        out: Path,
        before: Sparsities | None = None,
    ) -> _Tuned:
        """Prune and tune once, or go on from what is left in `out` of having done so.

        `before` has the sparsities that the model was pruned to already.
        """
        per_epoch = self.task.steps_per_epoch(self.settings)
        ramp = _ramp(self.settings, per_epoch)
        fits: list[Fitted] = []
        pruned = prune(
            model,
            lambda model, api, callbacks: fits.append(
                fit(
                    model,
                    self.task,
                    self.settings,
                    api=api,
                    callbacks=callbacks,
                    first_best=ramp.first_full_epoch(per_epoch),
                    out=out,
                )
            ),
            ramp,
            np.asarray(self.task.validation[0][:COMPARED], np.float32),
            sparsities,
            self.pattern,
            before,
        )
        return _Tuned(pruned, fits[0])


def _within_budget(model: keras.Model, names: Sequence[str], tuning: _Tuning, out: Path) -> _Tuned:
    """Tune in rounds of rising sparsity, and keep the last that is within the budget."""
    settings, split = tuning.settings, tuning.task.validation
    given, free = _fixed(settings, names)
    found = _scan(model, tuning, out)
    numbers = count(1)

    def allot(wished: float) -> Sparsities:
        every = {**given, **allocation(found, free, wished)}
        return {name: every[name] for name in names}

    def judged(network: keras.Model) -> float:
        return accuracy(answers([network], split)[0], split[1])

    def tune(kept: _Tuned | None, sparsities: Sparsities, before: Sparsities) -> Attempt[_Tuned]:
        keras.utils.set_random_seed(settings.seed)  # a round is to depend on no other's draws
        place = out / CHECKPOINTS / f"round-{next(numbers)}"  # a round that is over is not redone
        made = tuning.tune(kept.pruned.model if kept else model, sparsities, place, before)
        return Attempt(made, made.pruned.sparsity, judged(made.pruned.model))

    if (one := 100 / len(split[1])) > settings.max_drop_pp:
        budget = f"prune.max_drop_pp: {settings.max_drop_pp:g}"
        say(f"  {budget}, and one of {len(split[1])} pictures is {one:.2f} points", "yellow")
    reference = judged(model)
    made, rounds = spend(settings.max_drop_pp, reference, allot, tune)
    story = {
        "max_drop_pp": settings.max_drop_pp,
        "val_accuracy": reference,
        "rounds": [asdict(one) for one in rounds],
    }
    (out / "rounds.json").write_text(json.dumps(story, indent=1))
    return made


def _fixed(settings: Prune, names: Sequence[str]) -> tuple[Sparsities, list[str]]:
    """What is said of some of `names`, and those that are left to `auto`."""
    given = said(names, settings.layers, settings.exclude)
    free = [name for name in names if name not in given]
    if not free:
        raise ConfigError("prune.sparsity: layers and exclude leave no layer to auto")
    return given, free


def _scan(model: keras.Model, tuning: _Tuning, out: Path) -> Sensitivity:
    """Measure how much each layer minds zeros, on validation pictures, and write it down."""
    images, labels = tuning.task.validation
    tuned = BACK_AND_FORTH * tuning.settings.epochs * len(tuning.task.labels)
    runs = len(LEVELS) * len(prunable(model, WHOLE))
    most = max(FEWEST, min(MOST, round(PART * tuned / runs)))
    chosen = np.sort(np.random.default_rng(tuning.settings.seed).permutation(len(images))[:most])
    sample, truth = np.asarray(images[chosen]), labels[chosen]

    def judge() -> float:
        scores = [
            model.predict_on_batch(sample[first : first + BATCH].astype(np.float32))
            for first in range(0, len(sample), BATCH)
        ]
        return accuracy(np.concatenate(scores), truth)

    found = scan(model, judge, len(sample), tuning.pattern, WHOLE)
    written = as_facts(found, tuning.settings.pattern)
    (out / "sensitivity.json").write_text(json.dumps(written, indent=1))
    return found


def _ramp(settings: Prune, steps_per_epoch: int) -> Ramp:
    """When zeros come; those of m:n come at once."""
    share = Pattern.read(settings.pattern).share
    if share is not None:
        return Ramp.at_once(share)
    return Ramp.over(
        settings.epochs * steps_per_epoch,
        kind=settings.ramp,
        begin=settings.begin,
        end=settings.end,
    )
