"""The table of stages, and how the variants of a recipe unfold it into steps."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

from pipeline.errors import ConfigError
from pipeline.lazy import nearest
from pipeline.settings import REFERENCE, Ensemble, nth

Ensembles = Callable[[str | None], Ensemble]  # the settings of an ensemble by its preset
Pupils = Callable[[str | None], bool]  # by a preset of `distill`: is its network not that of build


@dataclass(frozen=True)
class Stage:
    """One kind of work: `pipeline/stages/<name>.py`.

    `needs` names the stages whose folders it reads; "candidate" is the model the variant's path
    has reached, "files" every deployed file, "everything" every step before it.
    `outside` (`"module:function"`, called with the settings) lists files of the user's that it
    reads; `begin` (called with the seed) runs before it.
    `per` says what has a step of its own: each "replica", each "fold" (replicas that differ in
    nothing but their seed share one), or the whole "run". `again` is what it needs instead from
    the second replica on.
    """

    name: str
    needs: tuple[str, ...] = ()
    outside: str | None = None
    begin: str | None = None
    per: Literal["replica", "fold", "run"] = "replica"
    again: tuple[str, ...] = ()


KERAS = "pipeline.fit.session:begin"

STAGES = (
    Stage("ingest", outside="pipeline.data:files", per="fold"),
    Stage("augment", needs=("ingest",), begin=KERAS, per="run"),  # its seed is for the preview
    Stage("build", needs=("ingest",), outside="models.outside:files", begin=KERAS),
    Stage(
        "train",
        needs=("ingest", "augment", "build"),
        outside="pipeline.fit.users:files",
        begin=KERAS,
    ),
    Stage("evaluate", needs=("ingest", "train"), begin=KERAS, per="run"),
    Stage("ensemble", needs=("ingest", "augment", "members"), begin=KERAS),
    Stage("distill", needs=("ingest", "augment", "build", "train", "candidate"), begin=KERAS),
    Stage("slim", needs=("ingest", "augment", "candidate"), begin=KERAS),
    Stage("scratch", needs=("candidate",), begin=KERAS),  # a step of `train` follows it
    Stage("prune", needs=("ingest", "augment", "candidate"), begin=KERAS),
    Stage("cluster", needs=("ingest", "augment", "candidate"), begin=KERAS),
    Stage("quantize", needs=("ingest", "candidate"), begin=KERAS),
    Stage("qat", needs=("ingest", "augment", "candidate"), begin=KERAS),
    Stage("export", needs=("ingest", "train", "files"), begin=KERAS, per="run"),
    Stage("benchmark", needs=("ingest", "export"), again=("ingest", "files")),
    Stage("report", needs=("everything",), per="run"),
)
BY_NAME: Mapping[str, Stage] = {stage.name: stage for stage in STAGES}
TRANSFORMS = ("ensemble", "distill", "slim", "scratch", "prune", "cluster")
# After these words nothing would be left of what a transform made, its channels, zeros or clusters:
# by what each of them does.
FREELY = "trains every weight freely"
ANEW = {"scratch": "begins with fresh weights"}
UNDONE_BY: Mapping[str, Mapping[str, str]] = {
    "ensemble": {"scratch": "trains all members as one network"},
    "slim": {"distill": "teaches another network"},
    "scratch": {"distill": "teaches another network"},
    "prune": dict.fromkeys(("ensemble", "distill", "slim"), FREELY) | ANEW,
    "cluster": dict.fromkeys(("ensemble", "distill", "slim", "prune"), FREELY) | ANEW,
}
ENDINGS = ("float32", "float16", "dynamic", "int8", "int16x8", "qat")
FILES = ("quantize", "qat")  # stages that leave a deployed file: `qat` trains for it


@dataclass(frozen=True)
class Replica:
    """One of the times a graph is run, from 1: each has another seed, or another fold."""

    number: int = 1
    by: Literal["seed", "fold"] = "seed"

    def owns(self, stage: str) -> bool:
        """Tell whether it has a step of a stage to itself; the first has one of every stage."""
        return self.number == 1 or BY_NAME[stage].per in {"replica", self.by}

    def named(self, stage: str) -> str:
        """The id of the trunk's step of a stage that this replica reads."""
        return nth(stage, self.number if self.owns(stage) else 1)


@dataclass(frozen=True)
class Step:
    """A stage instance: its place in the run, and the steps it reads by the role they play.

    `path` is the part of a variant reached here, "" on the trunk; `preset` the part of the
    section it takes; `spared` the ids of inputs that it can do without. `member` numbers the
    networks of an ensemble, from 1: each is a training of its own. `built` tells of a model that a
    transform or an ending is given, by its role, which step of `build` has made its layers, of
    which channels may be gone since; an ensemble that answers as one has others.
    """

    stage: str
    path: str = ""
    preset: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    replica: int = 1
    spared: frozenset[str] = frozenset()
    member: int | None = None
    built: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Name of this step within a run: `train#2`, `prune(prune.hard)`, `train(ensemble/2)`."""
        path = self.path if self.member is None else f"{self.path}/{self.member}"
        return nth(f"{self.stage}({path})" if path else self.stage, self.replica)

    @property
    def ending(self) -> str:
        """The last word of the path: a quantize step's format."""
        return self.path.rpartition("+")[2]

    @property
    def is_file(self) -> bool:
        """Whether it leaves a deployed file, the end of a variant."""
        return self.stage in FILES


@dataclass(frozen=True)
class Variant:
    """A path: transforms, each `stage` or `stage.preset`, then one ending (`qat.preset` is one)."""

    name: str

    def __post_init__(self) -> None:
        *transforms, ending = self.name.split("+")
        if ending not in ENDINGS and ending.partition(".")[0] != "qat":
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
        if stages[:1] == ["scratch"]:
            raise ConfigError(
                f"variants: {self.name!r}: scratch is the control of what stands before it, as in "
                "slim+scratch+int8"
            )
        for first, last in combinations(range(len(stages)), 2):
            before, after = stages[first], stages[last]
            if before == "ensemble" and "distill" in stages[first:last]:
                continue  # it has taught, and is not what goes on
            if does := UNDONE_BY.get(before, {}).get(after):
                raise ConfigError(
                    f"variants: {self.name!r}: {after} {does}, which leaves nothing of {before}; "
                    f"put {before} after {after}"
                )

    def steps(self, replica: Replica, ensembles: Ensembles, pupils: Pupils) -> Iterator[Step]:
        """Unfold the path; a prefix shared with another variant gives an equal step."""
        words = self.name.split("+")
        candidate = replica.named("train")
        layers: dict[str, str] = {"candidate": replica.named("build")}
        for number, word in enumerate(words, 1):
            path = "+".join(words[:number])
            stage, _, preset = word.partition(".")
            if number == len(words) and stage != "qat":
                stage, preset = "quantize", ""
            place = (path, preset or None)
            own: dict[str, str] = {"candidate": candidate}
            built = layers
            if stage == "ensemble":
                ensemble = ensembles(preset or None)
                if ensemble.start != "candidate" and number > 1:
                    raise ConfigError(
                        f"variants: {self.name!r}: {word} begins anew, which leaves "
                        f"{words[number - 2]} without effect; set ensemble.start=candidate"
                    )
                for step in _members(ensemble, Step("ensemble", *place, own), replica):
                    if step.stage == "train":
                        own[f"member/{step.member or 1}"] = step.id
                    if step.member is not None:
                        yield step
                layers = {}
            if stage == "distill":
                if pupils(preset or None):
                    yield (pupil := _building(place, replica))
                    own["build"] = pupil.id
                layers = {"candidate": own.get("build", replica.named("build"))}
                # Whoever votes in an ensemble, each of its members has the layers of the trunk.
                built = {"candidate": replica.named("build"), "build": layers["candidate"]}
            roles = _chosen(stage, own, replica)
            step = Step(stage, *place, roles, replica.number, built=built)
            candidate = step.id
            yield step
            if stage == "scratch":
                needs = {need: replica.named(need) for need in BY_NAME["train"].needs}
                step = Step("train", *place, needs | {"build": candidate}, replica.number)
                candidate = step.id
                yield step


def _chosen(stage: str, branch: Mapping[str, str], replica: Replica) -> dict[str, str]:
    """The inputs of a transform or an ending: from its branch, and from the trunk."""
    roles: dict[str, str] = {}
    for need in BY_NAME[stage].needs:
        if need == "members":
            roles |= {role: step for role, step in branch.items() if role.startswith("member/")}
        else:
            roles[need] = branch.get(need) or replica.named(need)
    return roles


def _building(place: tuple[str, str | None], replica: Replica, member: int | None = None) -> Step:
    """A step of `build` at a place of a path."""
    needs = {need: replica.named(need) for need in BY_NAME["build"].needs}
    return Step("build", *place, needs, replica.number, member=member)


def _members(ensemble: Ensemble, at: Step, replica: Replica) -> Iterator[Step]:
    """The trainings of an ensemble `at` a place of a path, and what they begin from.

    The trunk's own training is one of them where it would be the same. Each member of a boosted
    ensemble reads those before it.
    """
    before: dict[str, str] = {}
    for number in range(1, ensemble.members + 1):
        roles = {need: replica.named(need) for need in BY_NAME["train"].needs}
        place = (at.path, at.preset)
        if number == 1 and ensemble.first_is_trained:
            step = Step("train", inputs=roles, replica=replica.number)
        else:
            if ensemble.start == "fresh":
                yield (built := _building(place, replica, number))
                roles["build"] = built.id
            elif ensemble.start == "candidate":
                roles["build"] = at.inputs["candidate"]
            if ensemble.method == "boosting":
                roles |= before
            step = Step("train", *place, roles, replica.number, member=number)
        before[f"member/{number}"] = step.id
        yield step


def unfold(
    variants: Sequence[str],
    replicas: int = 1,
    by: Literal["seed", "fold"] = "seed",
    ensembles: Ensembles = lambda preset: Ensemble(),
    pupils: Pupils = lambda preset: False,
) -> tuple[Step, ...]:
    """List every step of a run in an order in which it can be done, stage by stage.

    All networks that the recipe speaks of are built before one is trained. The graph is run
    `replicas` times, over seeds or over folds; what does not depend on those stands once.
    """
    runs = [Replica(number, by) for number in range(1, replicas + 1)]
    branches: dict[str, Step] = {}
    for replica in runs:
        for name in variants:
            branches |= {step.id: step for step in Variant(name).steps(replica, ensembles, pupils)}
    steps: list[Step] = []
    for stage in STAGES:
        if stage.name in (*TRANSFORMS, "qat"):
            continue
        if stage.name == "quantize":
            rest = [step for step in branches.values() if step not in steps]
            steps += sorted(rest, key=_transforms_first)
            continue
        steps += [_trunk(stage, replica, steps) for replica in runs if replica.owns(stage.name)]
        if stage.name == "build":
            steps += [step for step in branches.values() if _is_pupil(step)]
    return tuple(steps)


def _trunk(stage: Stage, replica: Replica, before: Sequence[Step]) -> Step:
    """A step that belongs to no variant; of files it can do without all but the reference's."""
    roles: dict[str, str] = {}
    spared: set[str] = set()
    for need in (stage.again if replica.number > 1 else ()) or stage.needs:
        if need == "files":
            files = {step.path: step.id for step in before if _is_file_of(step, replica)}
            roles |= files
            spared |= {files[path] for path in files if path != REFERENCE}
        elif need == "everything":
            roles |= {step.id: step.id for step in before}
            spared |= set(roles)
        else:
            roles[need] = replica.named(need)
    return Step(stage.name, inputs=roles, replica=replica.number, spared=frozenset(spared))


def _is_file_of(step: Step, replica: Replica) -> bool:
    return step.is_file and step.replica == replica.number


def _is_pupil(step: Step) -> bool:
    """Whether it builds a network of `distill`'s own."""
    return step.stage == "build" and bool(step.path) and step.member is None


def _transforms_first(step: Step) -> tuple[bool, int]:
    return step.is_file, step.path.count("+")
