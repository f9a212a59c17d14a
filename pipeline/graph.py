"""The table of stages, and how the variants of a recipe unfold it into steps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import ConfigError
from pipeline.lazy import nearest


@dataclass(frozen=True)
class Stage:
    """One kind of work: `pipeline/stages/<name>.py`.

    `needs` names the stages whose folders it reads; "candidate" is the model the variant's path
    has reached, "files" every deployed file, "everything" every step before it.
    `outside` (`"module:function"`, called with the settings) lists files of the user's that it
    reads; `begin` (called with the seed) runs before it.
    """

    name: str
    needs: tuple[str, ...] = ()
    outside: str | None = None
    begin: str | None = None


KERAS = "pipeline.fit.session:begin"

STAGES = (
    Stage("ingest", outside="pipeline.data:files"),
    Stage("augment", needs=("ingest",), begin=KERAS),
    Stage("build", needs=("ingest",), outside="models.outside:files", begin=KERAS),
    Stage(
        "train",
        needs=("ingest", "augment", "build"),
        outside="pipeline.fit.users:files",
        begin=KERAS,
    ),
    Stage("evaluate", needs=("ingest", "train"), begin=KERAS),
    Stage("prune", needs=("ingest", "augment", "candidate"), begin=KERAS),
    Stage("quantize", needs=("ingest", "candidate"), begin=KERAS),
    Stage("export", needs=("ingest", "train", "files"), begin=KERAS),
    Stage("benchmark", needs=("ingest", "export")),
    Stage("report", needs=("everything",)),
)
BY_NAME: Mapping[str, Stage] = {stage.name: stage for stage in STAGES}
TRANSFORMS = ("prune",)
ENDINGS = ("float32", "float16", "dynamic", "int8", "int16x8")


@dataclass(frozen=True)
class Step:
    """A stage instance: its place in the run, and the steps it reads by the role they play.

    `path` is the part of a variant reached here, "" on the trunk; `preset` the part of the
    section it takes.
    """

    stage: str
    path: str = ""
    preset: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Name of this step within a run: `train`, `prune(prune.hard)`, `quantize(prune+int8)`."""
        return f"{self.stage}({self.path})" if self.path else self.stage

    @property
    def ending(self) -> str:
        """The last word of the path: a quantize step's format."""
        return self.path.rpartition("+")[2]


@dataclass(frozen=True)
class Variant:
    """A path: transforms, each `stage` or `stage.preset`, then one ending."""

    name: str

    def __post_init__(self) -> None:
        *transforms, ending = self.name.split("+")
        if ending not in ENDINGS:
            hint = f"a variant ends with a format: {', '.join(ENDINGS)}"
            raise ConfigError(f"variants: {self.name!r}: {ending!r} is no format; {hint}")
        for word in transforms:
            stage = word.partition(".")[0]
            if stage not in TRANSFORMS:
                raise ConfigError(
                    f"variants: {self.name!r}: unknown transform {stage!r}: "
                    f"{nearest(stage, TRANSFORMS)}"
                )
        stages = [word.partition(".")[0] for word in transforms]
        if len(set(stages)) < len(stages):
            raise ConfigError(f"variants: {self.name!r}: the same transform twice")

    def steps(self) -> Iterator[Step]:
        """Unfold the path; a prefix shared with another variant gives an equal step."""
        words = self.name.split("+")
        candidate = "train"
        for number, word in enumerate(words, 1):
            path = "+".join(words[:number])
            stage, _, preset = word.partition(".") if number < len(words) else ("quantize", "", "")
            needs = BY_NAME[stage].needs
            roles = {need: candidate if need == "candidate" else need for need in needs}
            step = Step(stage, path, preset or None, roles)
            candidate = step.id
            yield step


def unfold(variants: Sequence[str]) -> tuple[Step, ...]:
    """List every step of a run in an order in which it can be done."""
    branches: dict[str, Step] = {}
    for name in variants:
        branches |= {step.id: step for step in Variant(name).steps()}
    files = {step.path: step.id for step in branches.values() if step.stage == "quantize"}
    steps: list[Step] = []
    for stage in STAGES:
        if stage.name in TRANSFORMS:
            continue
        if stage.name == "quantize":
            steps += sorted(branches.values(), key=_transforms_first)
            continue
        roles: dict[str, str] = {}
        for need in stage.needs:
            if need == "files":
                roles |= files
            elif need == "everything":
                roles |= {step.id: step.id for step in steps}
            else:
                roles[need] = need
        steps.append(Step(stage.name, inputs=roles))
    return tuple(steps)


def _transforms_first(step: Step) -> tuple[bool, int]:
    return step.stage == "quantize", step.path.count("+")
