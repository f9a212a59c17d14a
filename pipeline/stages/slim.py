"""Slim: take whole channels out of the network, in rounds, and tune what is left."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline.compress import channels
from pipeline.compress.channels import Chosen, Masks, Shares, Trace
from pipeline.compress.distillation import pupil
from pipeline.compress.formats import FORMATS
from pipeline.data.dataset import labelled_sample
from pipeline.data.sources import Images, Labels
from pipeline.errors import naming
from pipeline.fit import optimizers
from pipeline.fit.checkpoints import Checkpoints, Generation
from pipeline.fit.ensembles.answers import answers
from pipeline.fit.files import load_model, save_model
from pipeline.fit.history import joined, write_history
from pipeline.fit.loop import Fitted, Task, fit
from pipeline.fit.normalization import settle
from pipeline.measure.latency import time_files
from pipeline.measure.statistics import accuracy
from pipeline.progress import say
from pipeline.settings import CHECKPOINTS, Inputs, Metrics, Slim, Target

CALIBRATED = 16  # pictures that set the ranges of files that are only weighed and timed
WHOLE = "whole"  # the file that others are compared with


def check(settings: Slim) -> None:
    """Refuse what the optimizer does not take, before anything runs."""
    optimizers.check(settings, keras, "slim")


def check_network(settings: Slim, inputs: Inputs) -> None:
    """Refuse a layer without a rule, words that mean no layer, and a target out of reach.

    Bytes and latency hang on shapes, not on what is learned: files of the network as built, whole
    and with all removed that can be, say what they can come to.
    """
    traced = channels.trace(load_model(inputs["candidate"] / "model.keras"), settings.keep)
    scale = settings.importance == "scale"  # of any other importance every channel may go
    scores = channels.by_scale(traced) if scale else channels.by_weights(traced, 1)
    queue = channels.order(traced, scores, multiple=settings.multiple)
    shape = (CALIBRATED, *traced.model.input_shape[1:])
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)  # any
    for measure, share in settings.targets.items():
        if measure == "macs":
            channels.choose(traced, scores, share, multiple=settings.multiple)
            continue
        with tempfile.TemporaryDirectory(prefix="pix2pocket-") as folder:
            files = _Files(traced.model, images, Path(folder))
            ((surely, _),) = files.shares(measure, traced, [queue.masks(queue.chunks)])
        with naming(f"slim.{measure}"):
            channels.require_within(share, surely)


def run(settings: Slim, inputs: Inputs, out: Path) -> Metrics:
    """Write `model.keras`, `history.csv`, `slim.json` (what went, and what each round came to), and
    `logs/`, of the last round.

    What an earlier attempt left in `out` is gone on from: `checkpoints/`, which also hold what each
    round has chosen, and `logs/`.

    Raises:
        ConfigError: a layer without a rule, a pattern of names that matches nothing, nothing that
            can be removed, or a target that is out of reach; says how far it got.
    """
    model = load_model(inputs["candidate"] / "model.keras")
    task = Task.read(inputs)
    sample = labelled_sample(inputs["ingest"], settings.pictures, settings.seed)
    with tempfile.TemporaryDirectory(prefix="pix2pocket-") as folder:
        whole = channels.trace(model, settings.keep)
        slimming = _Slimming(settings, task, whole, sample, Path(folder))
        rounds: list[_Round] = []
        for number in range(1, settings.rounds + 1):
            rounds.append(slimming.round(number, rounds[-1] if rounds else None, out))
    made, fits = rounds[-1], [one.fitted for one in rounds]
    save_model(made.model, out / "model.keras")
    write_history(out, joined([one.history for one in fits], "round"))
    facts = slimming.facts(rounds)
    (out / "slim.json").write_text(json.dumps(facts, indent=1))
    resumed = [one.resumed_from_epoch for one in fits if one.resumed_from_epoch is not None]
    return {
        "macs": facts["macs"][1],
        "params": facts["params"][1],
        "val_accuracy": made.tuned,
        "resumed_from_epoch": sum(resumed) if resumed else None,
    }


@dataclass(frozen=True)
class _Round:
    """A slimmed and tuned model; `shares` of what has a target; accuracies on validation.

    `settled` is before it was tuned, with statistics of normalization taken anew.
    """

    model: keras.Model
    fitted: Fitted
    shares: Shares
    settled: float
    tuned: float


@dataclass(frozen=True)
class _Files:
    """Int8 files of the `whole` network and of choices of its channels, made in a folder to be
    weighed or timed on `images` uint8 `(N, H, W, C)`.
    """

    whole: keras.Model
    images: Images
    folder: Path

    def shares(
        self, measure: Target, traced: Trace, tried: Sequence[Masks]
    ) -> list[tuple[float, float]]:
        """What the file of each choice has of that of the whole network: at least, and likely.

        Time is taken in turns, so what slows the machine slows all.
        """
        named = ((str(n), channels.rebuild(traced, masks)) for n, masks in enumerate(tried))
        images, files = np.asarray(self.images), {}
        for name, model in chain([(WHOLE, self.whole)], named):
            files[name] = self.folder / f"{name}.tflite"
            if name != WHOLE or not files[name].is_file():
                files[name].write_bytes(FORMATS["int8"](model, images[:CALIBRATED], "uint8"))
        if measure == "bytes":
            sizes = {name: path.stat().st_size for name, path in files.items()}
            shares = {name: (size / sizes[WHOLE],) * 2 for name, size in sizes.items()}
        else:
            timed = time_files(files, images, reference=WHOLE)
            shares = {name: (one.ratio_range[0], one.ratio) for name, one in timed.items()}
        return [shares[name] for name in files if name != WHOLE]


@dataclass(frozen=True)
class _Slimming:
    """What all rounds have in common: settings, pictures, the model as it came, room for files."""

    settings: Slim
    task: Task
    whole: Trace
    sample: tuple[Images, Labels]
    folder: Path

    @property
    def decision(self) -> channels.Decision:
        """How a round chooses."""
        return channels.Decision(
            self.settings, self.whole, self.sample, self.task.several, self._measured
        )

    def round(self, number: int, before: _Round | None, out: Path) -> _Round:
        """Take channels out of a model and tune what is left, or go on with having done so."""
        settings, own = self.settings, out / CHECKPOINTS / f"round-{number}"
        traced = channels.trace(before.model, settings.keep) if before else self.whole
        had = before.shares if before else dict.fromkeys(settings.targets, 1.0)
        found = self._chosen(number, traced, had, Checkpoints(own / "channels"))
        slim = channels.rebuild(traced, found.masks)
        keras.utils.set_random_seed(settings.seed)  # a round is to depend on no other's draws
        classes = slim.output_shape[-1]
        settle(slim, lambda: self.task.batches(settings.batch, settings.seed, classes))
        settled = self.judged(slim)
        # A round that is over is not redone: its checkpoints say so.
        place = out if number == settings.rounds else own
        fitted = fit(self.learner(slim), self.task, settings, out=place)
        tuned = self.judged(slim)
        left = ", ".join(f"{share:.1%} of the {name}" for name, share in found.shares.items())
        say(f"  round {number}: {left}, validation {settled:.2%}, tuned {tuned:.2%}")
        return _Round(slim, fitted, found.shares, settled, tuned)

    def learner(self, slim: keras.Model) -> keras.Model:
        """A slimmed model as it is trained: taught by the one that came, which learns nothing."""
        settings, teacher = self.settings, self.whole.model
        if not settings.teacher:
            return slim
        return pupil(
            slim,
            lambda images: teacher(images, training=False),
            settings.temperature,
            settings.teacher,
            self.task.several,
        )

    def judged(self, model: keras.Model) -> float:
        """Accuracy on validation."""
        images, labels = self.task.validation
        return accuracy(answers([model], (images, labels))[0], labels)

    def facts(self, rounds: Sequence[_Round]) -> dict[str, Any]:
        """What `slim.json` holds."""
        settings, reached = self.settings, rounds[-1].shares
        each = [channels.summary(self.whole.model, one.model) for one in rounds]
        found = each[-1]
        return {
            "targets": [
                {"measure": measure, "asked": asked, "reached": reached[measure]}
                for measure, asked in settings.targets.items()
            ],
            "importance": settings.importance,
            "ranking": settings.ranking,
            "pictures": len(self.task.validation[1]),
            "val_accuracy": self.judged(self.whole.model),
            "macs": found.macs,
            "params": found.params,
            "layers": [one for one in found.facts()["layers"] if one["macs"][0]],
            "rounds": [
                {"macs": now.macs[1], "params": now.params[1], "shares": dict(one.shares),
                 "settled": one.settled, "tuned": one.tuned}
                for now, one in zip(each, rounds, strict=True)
            ],
        }  # fmt: skip

    def _chosen(self, number: int, traced: Trace, had: Shares, kept: Checkpoints) -> Chosen:
        """What a round keeps, of a model that `had` so much; an earlier attempt's choice stands.

        Or else what was tuned from that point on would not fit, where a choice was measured.
        """
        held = kept.newest()
        if held is None:
            part, targets = number / self.settings.rounds, self.settings.targets
            wished = {measure: share**part for measure, share in targets.items()}
            # The round before had to overshoot.
            within = all(had[measure] <= share for measure, share in wished.items())
            whole = Chosen(traced.whole(), had)
            found = whole if within else self.decision.within(traced, wished)
            arrays = {str(place): mask for place, mask in enumerate(found.masks)}
            held = Generation(number, 0, arrays, {"shares": dict(found.shares)})
            kept.save(held)
        masks = tuple(held.arrays[str(place)] for place in range(len(held.arrays)))
        return Chosen(masks, held.state["shares"])

    def _measured(self, measure: Target, traced: Trace, tried: Sequence[Masks]) -> list[float]:
        """What the int8 file of each choice has of that of the whole network: bytes, or time."""
        files = _Files(self.whole.model, self.sample[0], self.folder)
        return [share for _, share in files.shares(measure, traced, tried)]
