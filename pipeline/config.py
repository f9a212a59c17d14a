"""Config: one run, checked, frozen, and resolved into complete settings for every step."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from models import MODELS, is_pretrained, preprocessing
from pipeline import checks
from pipeline import recipe as recipes
from pipeline.data import DATASETS, POLICIES
from pipeline.errors import ConfigError, naming
from pipeline.graph import TRANSFORMS, Step, Variant, unfold
from pipeline.lazy import nearest
from pipeline.options import check_options
from pipeline.settings import (
    RECIPE_SECTIONS,
    REFERENCE,
    SECTIONS,
    SEEDS,
    Augment,
    Benchmark,
    Build,
    Cluster,
    Distill,
    Ensemble,
    Evaluate,
    Export,
    Fit,
    Ingest,
    Prune,
    Qat,
    Quantize,
    Report,
    Scratch,
    Search,
    Section,
    Seed,
    Slim,
    Train,
    Transform,
)
from pipeline.settings.gates import parse
from pipeline.settings.problems import first_problem

DEFAULT_RECIPE = Path(__file__).resolve().parent.parent / "configs" / "digits.yaml"
DEFAULT_VARIANTS = ("float32", "float16", "dynamic", "int8", "prune+int8")
MOST_REPLICAS = 100


class Config(BaseModel):
    """What a recipe says, section by section; equal configs give equal runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
    seed: Seed = 0
    variants: Annotated[tuple[str, ...], Field(min_length=1)] = DEFAULT_VARIANTS
    repeat: Annotated[int, Field(strict=True, ge=1, le=MOST_REPLICAS)] = 1
    folds: Annotated[int, Field(strict=True, ge=2, le=MOST_REPLICAS)] | None = None
    gates: Mapping[str, str] = {}
    mlflow: Path | None = None
    ingest: Ingest = Ingest()
    augment: Augment = Augment()
    build: Build = Build()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    ensemble: Ensemble = Ensemble()
    distill: Distill = Distill()
    slim: Slim = Slim()
    scratch: Scratch = Scratch()
    prune: Prune = Prune()
    cluster: Cluster = Cluster()
    quantize: Quantize = Quantize()
    qat: Qat = Qat()
    export: Export = Export()
    benchmark: Benchmark = Benchmark()
    report: Report = Report()
    search: Search = Search()

    @classmethod
    def load(cls, recipe: Path | str = DEFAULT_RECIPE, overrides: Sequence[str] = ()) -> Self:
        """Read a YAML recipe and lay `section.key=value` over it.

        Raises:
            ConfigError: naming the file and the setting that is wrong, and the nearest known name.
        """
        path = Path(recipe)
        settings = recipes.overlay({"name": name_of(path)} | recipes.read(path), overrides)
        return cls.of(settings, str(path))

    @classmethod
    def of(cls, settings: Mapping[str, Any], where: str = "config") -> Self:
        """Make a config from plain values; errors are one line that begins with `where`.

        A section with nothing in it, as when all its lines are comments, says nothing.
        """
        settings = {
            name: value
            for name, value in settings.items()
            if value is not None or name not in RECIPE_SECTIONS
        }
        try:
            config = cls.model_validate(settings)
            checks.given(settings)
            config._check_names()
            config._check_replicas()
            config._check_gates()
            config.resolve()
        except ValidationError as error:
            raise ConfigError(f"{where}: {first_problem(error, _known)}") from error
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        return config

    @field_validator("variants")
    @classmethod
    def _reference_first(cls, variants: tuple[str, ...]) -> tuple[str, ...]:
        for variant in variants:
            Variant(variant)
        return tuple(dict.fromkeys((REFERENCE, *variants)))

    @field_validator("gates", mode="before")
    @classmethod
    def _gates_are_bounds(cls, gates: Any) -> Any:
        if not isinstance(gates, Mapping):
            raise ValueError('variants with bounds, as in {int8.drop_pp: "<= 1"}')
        said = dict(_flat(gates))
        parse(said)
        return said

    def _check_gates(self) -> None:
        for gate in parse(self.gates):
            if gate.variant not in self.variants:
                raise ConfigError(
                    f"gates.{gate.variant}.{gate.fact}: no variant of this run; "
                    f"{nearest(gate.variant, self.variants)}"
                )

    def _check_replicas(self) -> None:
        if self.folds and self.repeat > 1:
            raise ConfigError(
                "repeat, folds: give one of them: folds vary the pictures, repeat the seed"
            )
        if self.folds and self.ingest.folds:
            raise ConfigError("ingest.folds: leave it out: `folds` at the top runs every fold")
        if self.seed + self.repeat > SEEDS:
            raise ConfigError(
                f"repeat: {self.repeat} seeds from {self.seed} on reach {SEEDS}: begin lower"
            )

    def _check_names(self) -> None:
        DATASETS.reference(self.ingest.dataset.partition(":")[0])
        check_options(self.build)
        checks.preprocess(self.build)
        for pupil, section in self._pupils():
            with naming(section):
                check_options(pupil, section)
                checks.preprocess(pupil, section)
        if self.train.frozen_epochs and not is_pretrained(self.build.model, _options(self.build)):
            raise ConfigError(
                f"train.frozen_epochs: {self.build.model} has no weights learned before; set 0, or "
                "build.model=backbone with build.weights"
            )
        for name in ("train", "qat", *TRANSFORMS):
            section = getattr(self, name)
            if isinstance(section, Fit):
                checks.optimizer(name, section)
            if isinstance(section, Transform):
                for preset in section.presets:  # also one that no variant names
                    section.preset(preset)
        checks.policy(self.augment)

    def _pupils(self) -> Iterator[tuple[Build, str]]:
        """Networks of `distill`'s own, and where in the recipe each stands."""
        places: dict[str | None, str] = {None: "distill.pupil"}
        places |= {name: f"distill.presets.{name}.pupil" for name in self.distill.presets}
        for name, section in places.items():
            pupil = self.distill.preset(name).pupil
            if pupil is not None:
                yield pupil, section

    def resolve(self) -> dict[str, tuple[Step, Section]]:
        """Give each step of the run its complete settings, in an order in which it can be done.

        A step's settings are all it depends on besides its inputs' files: defaults are filled in,
        what a section inherits is copied, presets applied, the seed and the format set.
        """
        by: Literal["seed", "fold"] = "fold" if self.folds else "seed"
        steps = unfold(
            self.variants,
            self._replicas,
            by,
            self.ensemble.preset,
            lambda preset: self.distill.preset(preset).pupil is not None,
        )
        return {step.id: (step, self._settings(step)) for step in steps}

    def recipe(self) -> dict[str, Any]:
        """Spell out every setting, as plain values: a recipe that comes to this very run.

        What says nothing of it is left out: `search`, `mlflow`, `gates` where there are none, and
        of a run that is not repeated, `repeat` and `folds`.
        """
        given = {name: set(section.given) for name, section in SECTIONS.items()}
        plain = self.model_dump(mode="json", exclude=given | {"search": True, "mlflow": True})
        for name in ("repeat", "folds", "gates"):
            if plain[name] == type(self).model_fields[name].default:
                del plain[name]
        plain["build"] |= _network(self.build)
        for name in (*TRANSFORMS, "qat"):
            section: Transform = getattr(self, name)
            inherited = section.inherit(self.train).model_dump(mode="json", exclude=given[name])
            plain[name] = inherited | {"presets": plain[name]["presets"]}
        if self.distill.pupil is not None:
            plain["distill"]["pupil"] |= _network(self.distill.pupil)
        return {key: _writable(value) for key, value in plain.items()}

    @property
    def _replicas(self) -> int:
        return self.folds or self.repeat

    def _varied(self, replica: int) -> tuple[int, int | None]:
        """Seed and fold of a replica, from 1; folds all have the seed as given."""
        return (self.seed, replica) if self.folds else (self.seed + replica - 1, None)

    def _settings(self, step: Step) -> Section:
        """A step's section, and what the run knows that no recipe says."""
        section = self._section(step)
        seed, fold = self._varied(step.replica)
        given: dict[str, Any] = {"seed": seed} if "seed" in section.given else {}
        if step.stage == "ingest" and fold:
            given |= {"folds": self.folds, "fold": fold}
        if step.stage == "benchmark" and step.replica > 1:
            given |= {"rounds": 0}
        if step.member is not None:
            given["seed"] = (seed + step.member * MOST_REPLICAS) % SEEDS
        if isinstance(section, Fit):
            checks.optimizer(step.stage, section)
            checks.schedule(step.stage, section)
        if isinstance(section, Build):
            given |= _network(section)
        if step.stage == "quantize":
            given["format"] = step.ending
        if step.stage == "qat":
            taken = ("io", "calibration_images")
            given |= {name: getattr(self.quantize, name) for name in taken}
        if step.stage == "augment" and isinstance(self.augment.policy, str):
            given["policy"] = POLICIES[self.augment.policy]
        if step.stage == "report":
            given["config"] = self.recipe()
            varied = [self._varied(number) for number in range(1, self._replicas + 1)]
            seen = [{"seed": seed, "fold": fold} for seed, fold in varied]
            given["replicas"] = tuple(seen) if len(seen) > 1 else ()
        return section.model_copy(update=given)

    def _section(self, step: Step) -> Section:
        """What the recipe says of a step, presets and what is inherited among it."""
        section: Section = getattr(self, step.stage)
        if isinstance(section, Transform):
            return section.preset(step.preset).inherit(self.train)
        if step.stage == "benchmark" and step.replica > 1:
            return Benchmark()
        if step.stage == "train" and step.member is not None:
            return _member(self.ensemble.preset(step.preset), self.train, step.member)
        if step.stage == "train" and step.path:
            return self._control(step)
        if step.stage == "build" and step.path and step.member is None:
            return self.distill.preset(step.preset).pupil or section
        return section

    def _control(self, step: Step) -> Train:
        """How what `scratch` made is trained: the words before it say for how long."""
        words = [word.partition(".") for word in step.path.split("+")[:-1]]
        before = [getattr(self, name).preset(preset or None) for name, _, preset in words]
        said = [transform.inherit(self.train) for transform in before]
        return self.scratch.preset(step.preset).of_train(self.train, said)


def _flat(gates: Mapping[Any, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Gates by their whole names, which the command line takes apart: `gates.int8.bytes=...`."""
    for key, value in gates.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield name, str(value)


def _options(build: Build) -> dict[str, Any]:
    """Every option of a network; `width: 1` is 1.0, so that both have one cache key."""
    options = MODELS.function(build.model).defaults
    found = {key: getattr(build, key, value) for key, value in options.items()}
    whole = (key for key, value in options.items() if isinstance(value, float))
    return found | {key: float(found[key]) for key in whole}


def _network(build: Build) -> dict[str, Any]:
    """What a section leaves unsaid of a network: options, and the preprocessing."""
    return _options(build) | {"preprocess": build.preprocess or preprocessing(build.model)[0]}


def _member(ensemble: Ensemble, train: Train, number: int) -> Train:
    try:
        return ensemble.of_train(train, number)
    except ValidationError as error:
        problem = first_problem(error, lambda _: _known(["train"]))
        raise ConfigError(f"ensemble: a member's training: {problem}") from error


def name_of(recipe: Path) -> str:
    """Make a folder's name of a recipe's: `my digits.yaml` runs as `my-digits`."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", recipe.stem).strip("-._")


def _writable(value: Any) -> Any:
    """Plain values, as JSON has them; bytes of a path that are no text spelled out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {key: _writable(item) for key, item in value.items()}
    return [_writable(item) for item in value] if isinstance(value, list | tuple) else value


def _known(sections: Sequence[str]) -> set[str]:
    """What can be set in a section, or at the top."""
    if not sections:
        return set(Config.model_fields)
    section = RECIPE_SECTIONS[sections[0]]
    return set(section.model_fields) - section.given
