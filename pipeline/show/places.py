"""Where in a report each figure stands, and the recipe it ends with."""

from collections.abc import Mapping

import yaml

from pipeline.show.schema import Picture, Report

_PLACES: Mapping[str, str] = {
    "size_accuracy_latency": "answer",
    "confusion_matrix": "classes",
    "wrong_pictures": "pictures",
    "least_sure": "pictures",
    "probability_bars": "pictures",
    "training_curves": "training",
    "augmentation_preview": "augmentation",
}


def figures_by_place(report: Report) -> dict[str, list[Picture]]:
    """The figures under `answer`, `classes`, `pictures`, `training`, `augmentation`, `more`.

    A figure is known by its file's name, with or without what follows a dot or a dash;
    one that is not goes under `more`.
    """
    places: dict[str, list[Picture]] = {place: [] for place in (*_PLACES.values(), "more")}
    for picture in report.figures:
        stem = picture.file.partition(".")[0].partition("-")[0]
        places[_PLACES.get(stem, "more")].append(picture)
    return places


def recipe(report: Report) -> str:
    """The run's settings as YAML that `run` takes again."""
    return str(
        yaml.safe_dump(dict(report.config), sort_keys=False, allow_unicode=True, width=88)
    ).rstrip()
