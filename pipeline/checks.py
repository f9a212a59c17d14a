"""What is wrong with a section though each of its values is possible: said before anything runs."""

from collections.abc import Mapping
from typing import Any

from models import preprocessing
from pipeline.choices import split
from pipeline.data import AUGMENTATIONS, POLICIES
from pipeline.errors import ConfigError
from pipeline.fit import OPTIMIZERS
from pipeline.lazy import nearest
from pipeline.settings import RECIPE_SECTIONS, Augment, Build, Fit

_GIVEN = {
    "seed": "it is `seed` at the top",
    "io": "it is `quantize.io`",
    "calibration_images": "it is `quantize.calibration_images`",
    "format": "it is the last word of a variant, as in `variants: [int8]`",
    "untrained": "a search says it of its candidates",
    "draw": "it is `ensemble.method`",
    "shrinkage": "it is `ensemble.shrinkage`",
    "config": "the run fills it in",
    "problems": "the run fills it in",
    "replicas": "it is `repeat` or `folds` at the top",
}


def given(settings: Mapping[str, Any]) -> None:
    """Refuse what the engine fills in, where a recipe says it."""
    for name, section in RECIPE_SECTIONS.items():
        said = settings.get(name)
        for key in section.given & set(said if isinstance(said, Mapping) else ()):
            raise ConfigError(f"{name}.{key} is not set in a recipe: {_GIVEN[key]}")


def preprocess(build: Build, section: str = "build") -> None:
    """Refuse a preprocessing that the network cannot have in front of it."""
    said, known = build.preprocess, preprocessing(build.model)
    if said is not None and said not in known:
        raise ConfigError(
            f"{section}.preprocess: {build.model} takes {', '.join(known)} here, not {said!r}"
        )


def policy(augment: Augment) -> None:
    """Refuse a policy or an operation that is not known."""
    said = augment.policy
    if isinstance(said, str):
        if said not in POLICIES:
            raise ConfigError(f"augment.policy: unknown policy {said!r}: {nearest(said, POLICIES)}")
        return
    for operation in said:
        for name in [operation] if isinstance(operation, str) else operation:
            AUGMENTATIONS.reference(name)


def optimizer(stage: str, section: Fit) -> None:
    """Refuse an optimizer that is not known."""
    try:
        OPTIMIZERS.reference(split(section.optimizer)[0])
    except ConfigError as error:
        raise ConfigError(f"{stage}.optimizer: {error}") from error


def schedule(stage: str, section: Fit) -> None:
    """Refuse a schedule that goes on after the end: of each phase, and where it is inherited."""
    for phase in section.phases():
        problem = section.schedule.problem(phase.epochs, section.warmup)
        if problem:
            raise ConfigError(f"{stage}.schedule.{problem} of {stage}")
