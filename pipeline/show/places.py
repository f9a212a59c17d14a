"""The figures of a report: what each is called, where it stands; and the recipe at its end."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import yaml

from pipeline.show.schema import Picture, Report


class Known(NamedTuple):
    """A figure by its title, what it shows, and the part of the report it stands in."""

    place: str
    title: str
    alt: str


FIGURES: Mapping[str, Known] = {
    "size_accuracy_latency": Known(
        "answer",
        "Size, accuracy, latency",
        "Each variant by file size and test accuracy with its 95 % interval; the larger the disc "
        "the slower. A line of steps runs along those that no other beats in both.",
    ),
    "accuracy_by_run": Known(
        "replicas",
        "Accuracy by run",
        "The accuracy of each variant in each seed or fold, with mean and standard deviation.",
    ),
    "pupil": Known(
        "ensembles",
        "Taught",
        "The layers of a network that was taught, from the picture to the probabilities.",
    ),
    "channels": Known(
        "slimming",
        "Channels",
        "Channels of each layer before and after slimming, and accuracy over the "
        "multiply-accumulates that are left, round by round.",
    ),
    "sensitivity": Known(
        "pruning",
        "Sensitivity",
        "Accuracy over the share of zeros in one layer at a time, a line a layer.",
    ),
    "error_by_depth": Known(
        "doctor",
        "Error by depth",
        "Signal to noise of what each operation of the int8 file gives, in the order of computing.",
    ),
    "activations": Known(
        "doctor",
        "Activations before and after",
        "How the values of some operations are spread in float32 and in the int8 file.",
    ),
    "weights": Known(
        "weights",
        "Weights before and after",
        "How the weights of the largest kernels are spread in the float32 file and as stored.",
    ),
    "reliability": Known(
        "differences",
        "Reliability",
        "How often answers of each confidence are right, and how many there are; float32 and the "
        "file side by side, each with its expected calibration error.",
    ),
    "confusion_change": Known(
        "differences",
        "Change of the confusion",
        "How often each true class was called each class, less how often float32 did so.",
    ),
    "changed_pictures": Known(
        "differences",
        "Lost pictures",
        "Test pictures that float32 reads right and the file does not, with both answers.",
    ),
    "network": Known(
        "network",
        "The network",
        "Its layers from the picture to the probabilities, with branches side by side, each with "
        "its form, its output and its share of the multiply-accumulates.",
    ),
    "training_curves": Known(
        "training", "Training", "Loss and accuracy of training and validation by epoch."
    ),
    "class_scores": Known(
        "classes",
        "Class by class",
        "Precision, recall and average precision of each class, the weakest first.",
    ),
    "confusion_matrix": Known(
        "classes", "Confusion", "How often each true class was called each class."
    ),
    "wrong_pictures": Known(
        "pictures", "Wrong", "Test pictures the network got wrong, the surest first."
    ),
    "least_sure": Known(
        "pictures",
        "Right, but least sure",
        "Test pictures it got right with the least confidence.",
    ),
    "probability_bars": Known(
        "pictures", "Probabilities", "A few test pictures and the five likeliest classes."
    ),
    "grad_cam": Known(
        "pictures",
        "Where it looked",
        "Wrong test pictures, and in colour over each where it speaks for what the network said "
        "and for what is true (Grad-CAM).",
    ),
    "feature_maps": Known(
        "pictures",
        "What the layers see",
        "A test picture read right and one read wrong, and the most active channels of layers from "
        "the first to the last.",
    ),
    "augmentation_preview": Known(
        "augmentation", "Augmentation", "Training pictures, and what random changes make of them."
    ),
    "class_balance": Known(
        "intake", "Pictures in each class", "How many pictures each class has in each split."
    ),
    "data_spread": Known(
        "intake",
        "Sizes and brightness",
        "The sizes in which pictures came, and how bright they are.",
    ),
    "contact_sheet": Known("sheets", "Class", "Training pictures of the class"),
}

DIFFERENCES = ("reliability", "changed_pictures", "confusion_change")  # of one file and float32


def single(name: str, several: bool = False) -> Picture:
    """A figure there is one of in a run, by its name in `FIGURES`.

    Of `several` labels a picture accuracy is exact match.
    """
    known = FIGURES[name]
    title, alt = (measured_as(text, several) for text in (known.title, known.alt))
    return Picture(file=f"{name}.png", title=title, alt=alt)


def measured_as(text: str, several: bool) -> str:
    """A text about accuracy, which of `several` labels a picture is called exact match."""
    if not several:
        return text
    return text.replace("accuracy", "exact match").replace("Accuracy", "Exact match")


def sheet(number: int, name: str) -> Picture:
    """The contact sheet of class `number`, called `name`."""
    known = FIGURES["contact_sheet"]
    file = f"contact_sheet-{number:03d}.png"
    return Picture(file=file, title=f"{known.title} {name}", alt=f"{known.alt} {name}.")


def scan(number: int, names: Sequence[str], several: bool) -> Picture:
    """The sensitivity scan, from 1, of the model that `names`, parts of variants' paths, prune."""
    known = FIGURES["sensitivity"]
    return Picture(
        file=f"sensitivity-{number}.png",
        title=f"{known.title}: {', '.join(names)}",
        alt=measured_as(known.alt, several),
    )


def taught(number: int, names: Sequence[str]) -> Picture:
    """The network, from 1, that is not of `build`, and that `names`, parts of paths, teach."""
    known = FIGURES["pupil"]
    title = f"{known.title}: {', '.join(names)}"
    return Picture(file=f"pupil-{number}.png", title=title, alt=known.alt)


def slimmed(number: int, name: str, several: bool) -> Picture:
    """The channels, from 1, of what `name`, a part of a variant's path, has slimmed."""
    known = FIGURES["channels"]
    return Picture(
        file=f"channels-{number}.png",
        title=f"{known.title}: {name}",
        alt=measured_as(known.alt, several),
    )


def numbered(stem: str, number: int, name: str) -> Picture:
    """A figure there is one of for each of some variants, from 1, by a name of `FIGURES`."""
    known = FIGURES[stem]
    title, alt = f"{known.title}: {name}", f"{name}. {known.alt}"
    return Picture(file=f"{stem}-{number}.png", title=title, alt=alt)


def figures_by_place(report: Report) -> dict[str, list[Picture]]:
    """The figures under each place of `FIGURES`, and under `more`.

    A figure is known by its file's name, with or without what follows a dot or a dash;
    one that is not goes under `more`.
    """
    places: dict[str, list[Picture]] = {known.place: [] for known in FIGURES.values()}
    places["more"] = []
    for picture in report.figures:
        name = stem(picture)
        places[FIGURES[name].place if name in FIGURES else "more"].append(picture)
    return places


def stem(picture: Picture) -> str:
    """The name of a figure in `FIGURES`, if it has one there."""
    return picture.file.partition(".")[0].partition("-")[0]


class _Dumper(yaml.SafeDumper):
    """Puts text in quotes that `run`, which reads YAML 1.2 numbers, would take for one: `1e3`."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def recipe(report: Report) -> str:
    """The run's settings as YAML that `run` takes again, for the same."""
    settings = dict(report.config)
    text = _dumped(settings, readable=True)
    if yaml.safe_load(text) != settings:  # odd ends of lines
        text = _dumped(settings, readable=False)
    return text.rstrip()


def _dumped(settings: Mapping[str, object], readable: bool) -> str:
    text: str = yaml.dump(
        settings, Dumper=_Dumper, sort_keys=False, allow_unicode=readable, width=88
    )
    return text
