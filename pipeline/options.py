"""Options of a network: the extra keys of `build`, compared with the signature they are for."""

import reprlib
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from models import CHECKS, MODELS
from pipeline.errors import ConfigError
from pipeline.lazy import nearest
from pipeline.settings import Build

TAKEN_AS: Mapping[type, tuple[type, ...]] = {float: (float, int), tuple: (tuple, list)}
MOST_LAYERS = 500


def check_options(build: Build, section: str = "build") -> None:
    """Compare each option with the type, the choices and the check of its network.

    `section` is where it stands in a recipe.

    Raises:
        ConfigError: naming the option, and what it may be.
        IntegrityError: a file it names is not to be trusted.
    """
    described = MODELS.function(build.model)
    options, choices = described.defaults, described.choices
    for key, value in (build.model_extra or {}).items():
        if key not in options:
            known = nearest(key, {*options, *Build.model_fields} - Build.given)
            raise ConfigError(
                f"{section}.{key}: unknown setting, nor does {build.model} take it: {known}"
            )
        if key in choices and value not in choices[key]:
            known = ", ".join(map(str, choices[key]))
            raise ConfigError(f"{section}.{key}: {build.model} takes {known} here, not {value!r}")
        wanted = type(options[key])
        if options[key] is not None and type(value) not in TAKEN_AS.get(wanted, (wanted,)):
            raise ConfigError(
                f"{section}.{key}: {build.model} takes {wanted.__name__} here, not {value!r}"
            )
        if isinstance(value, float) and not isfinite(value):
            raise ConfigError(f"{section}.{key}: a finite number, not {value!r}")
        if wanted is tuple:
            _check_counts(f"{section}.{key}", value)
    if build.model in CHECKS:
        CHECKS[build.model](**options | (build.model_extra or {}))


def _check_counts(where: str, values: Sequence[Any]) -> None:
    """Refuse what is no short list of small numbers: each of them is so many layers."""
    whole = all(type(value) is int and 1 <= value <= MOST_LAYERS for value in values)
    if not whole or not 1 <= sum(values) <= MOST_LAYERS:
        raise ConfigError(
            f"{where}: whole numbers above 0, {MOST_LAYERS} together at most, as in [2, 2], "
            f"not {reprlib.repr(values)}"
        )
