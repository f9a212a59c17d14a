"""The space of a search: a recipe with one point of it laid over."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from math import ceil, floor, log10
from typing import Any

from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.settings import Search
from pipeline.settings.searching import Range, short

Values = Mapping[str, Any]  # by setting: `{"build.width": 24}`
FILE = "int8"  # the variant whose file is to fit
CANDIDATE = "candidate"
WARMUP = 0.25  # of a trial's epochs at most, which may be fewer than those of the recipe
DIGITS = 4  # behind the first of what a number that was drawn may differ by
NEARLY = 1e-8  # what floating point may be short of a whole step
TEN = 10  # values a grid takes of a range without steps


def recipe(config: Config, values: Values) -> dict[str, Any]:
    """What the config says, with a point of its space laid over it; no search is in it."""
    plain = config.model_dump(mode="json", exclude_unset=True, exclude={"search"})
    for key, value in values.items():
        *sections, last = key.split(".")
        place = plain
        for section in sections:
            if not isinstance(place.get(section), dict):
                place[section] = {}
            place = place[section]
        place[last] = deepcopy(value)
    return plain


def candidate(config: Config, values: Values, epochs: int | None = None) -> Config:
    """The run that tries a point: of a single variant, for so many epochs.

    Raises:
        ConfigError: the settings do not go together.
    """
    search = config.search
    plain = recipe(config, values) | {"variants": [FILE]}
    plain.pop("repeat", None)
    plain.pop("folds", None)
    plain.pop("gates", None)
    if search.folds:
        plain["folds"] = search.folds
    epochs = epochs or search.epochs
    if epochs:
        train = plain.setdefault("train", {})
        train["epochs"] = epochs
        if "train.warmup_epochs" not in values:
            train["warmup_epochs"] = min(config.train.warmup_epochs, WARMUP * epochs)
    return Config.of(plain, CANDIDATE)


def fewest_epochs(config: Config) -> int | None:
    """Those of the shortest trials of a Hyperband search; None where all trials have the same."""
    search = config.search
    if search.algorithm != "hyperband":
        return None
    epochs = float(search.epochs or config.train.epochs)
    while epochs >= search.factor:
        epochs /= search.factor
    return ceil(epochs)


def check(config: Config) -> None:
    """Refuse a space with a key that is no setting, or with an end that is no value of it.

    Raises:
        ConfigError: says which; or that there is no space to search.
    """
    if not config.search.space:
        raise ConfigError(
            "search.space: nothing to look through; as in "
            "search.space={build.width: {int: [8, 64, 8]}}"
        )
    for key, value in ends(config.search):
        try:
            candidate(config, {key: value}, fewest_epochs(config))
        except ConfigError as error:
            said = str(error).removeprefix(f"{CANDIDATE}: ")
            raise ConfigError(f"search.space: {key}={short(value)}: {said}") from error


def ends(search: Search) -> Iterator[tuple[str, Any]]:
    """The values that stand for each range: both ends, every choice."""
    for key, said in search.space.items():
        for kind, values in said.items():
            for value in values if kind == "choice" else values[:2]:
                yield key, value if kind in {"choice", "int"} else float(value)


def ladder(range_: Range, *, whole: bool) -> list[float] | None:
    """The values of a range of fractions that has steps, both ends among them if they are met.

    None of any other range. `whole` makes ten of one without steps, as a grid needs.
    """
    ((kind, values),) = range_.items()
    if kind not in {"float", "log"}:
        return None
    low, high, *step = map(float, values)
    if step:
        count = floor((high - low) / step[0] + NEARLY)
        found = [low + place * step[0] for place in range(count + 1)]
    elif whole and kind == "log":
        found = [low * (high / low) ** (place / (TEN - 1)) for place in range(TEN)]
    elif whole:
        found = [low + (high - low) * place / (TEN - 1) for place in range(TEN)]
    else:
        return None
    return [rounded(value, range_) for value in found]


def rounded(value: Any, range_: Range) -> Any:
    """A number that was drawn as it is worth writing down, in its range; others as they are."""
    ((kind, values),) = range_.items()
    if kind not in {"float", "log"}:
        return value
    low, high, *step = map(float, values)
    scale = value if kind == "log" else step[0] if step else high - low
    return min(max(round(value, DIGITS - floor(log10(scale))), low), high)
