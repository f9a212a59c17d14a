"""The album of a report: each figure it shows, and how it comes to be drawn."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from pipeline.show import doctor, figures, places
from pipeline.show.histograms import Histogram
from pipeline.show.schema import Picture, Report


class Plate(NamedTuple):
    """A figure, and what draws it, or where it was drawn already."""

    picture: Picture
    source: Callable[[], Figure] | Path

    def leave(self, folder: Path) -> None:
        """Put it into `folder`, under the name the report has for it."""
        path = folder / self.picture.file
        if isinstance(self.source, Path):
            shutil.copy(self.source, path)
        else:
            figures.save(self.source(), path)


def plates(report: Report, spreads: Mapping[str, Sequence[Histogram]]) -> Iterator[Plate]:
    """The figures that are drawn from what a report says, and from the weights of its files.

    `spreads` are kernels of variants, by their names, before and after.
    """
    several = report.dataset.multi_label
    measure = places.measured_as("accuracy", several)
    scatter = partial(figures.size_accuracy_latency, report.variants, report.recommended, measure)
    yield Plate(places.single("size_accuracy_latency", several), scatter)
    if report.replicas:
        strip = partial(figures.accuracy_by_run, report.variants, report.replicas, measure)
        yield Plate(places.single("accuracy_by_run", several), strip)
    for number, found in enumerate(report.slimmings, 1):
        channels = partial(figures.channels, found, measure)
        yield Plate(places.slimmed(number, found.name, several), channels)
    for number, scan in enumerate(report.sensitivities, 1):
        lines = partial(figures.sensitivity, scan, measure)
        yield Plate(places.scan(number, scan.names, several), lines)
    for number, one in enumerate(doctor.drawn(report.doctors), 1):
        for stem, draw in (
            ("error_by_depth", figures.error_by_depth),
            ("activations", figures.activations),
        ):
            yield Plate(places.numbered(stem, number, one.name), partial(draw, one))
    for number, (name, kernels) in enumerate(spreads.items(), 1):
        weights = partial(figures.weights, name, kernels)
        yield Plate(places.numbered("weights", number, name), weights)
    if report.dataset.audit:
        audit = report.dataset.audit
        balance = partial(figures.class_balance, audit.classes)
        yield Plate(places.single("class_balance", several), balance)
        spread = partial(figures.data_spread, audit.sizes, audit.brightness)
        yield Plate(places.single("data_spread", several), spread)


def in_order(some: Sequence[Plate]) -> list[Plate]:
    """Plates in the order of the table of figures; those of one kind stay in theirs."""
    order = {name: place for place, name in enumerate(places.FIGURES)}
    return sorted(some, key=lambda plate: order[places.stem(plate.picture)])
