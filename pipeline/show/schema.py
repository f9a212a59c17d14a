"""report.json as types: what every report holds, checked when it is made and when it is read.

Shares are 0..1 and unrounded. Keys keep the order in which they stand here.
"""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from pipeline.show import checks

Share = Annotated[float, Field(ge=0, le=1)]
Interval = Annotated[tuple[Share, Share], AfterValidator(checks.low_before_high)]
Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Facts = Annotated[dict[str, JsonValue], AfterValidator(checks.finite)]


class Record(BaseModel):
    """Frozen; unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class Latency(Record):
    """Time of one `invoke` in microseconds over `runs` timed runs."""

    p50: Amount
    p90: Amount
    p99: Amount
    threads: Annotated[int, Field(ge=1)]
    runs: Annotated[int, Field(ge=1)]


class Ops(Record):
    """How many operators of the file compute in which number format."""

    int8: Count
    float32: Count
    other: Count


class Seeds(Record):
    """Accuracy over `n` seeds."""

    n: Annotated[int, Field(ge=1)]
    mean: Share
    sd: Amount


class Variant(Record):
    """One way of shrinking the model; a row that is not `ok` says why in `reason`.

    `drop_pp`, `agreement`, `mcnemar_p` and `latency_ratio` are against `float32`.
    """

    name: Annotated[str, Field(min_length=1)]
    status: Literal["ok", "failed", "refused"]
    reason: str | None = None
    file: str | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    bytes: Count | None = None
    gzip_bytes: Count | None = None
    params: Count | None = None
    nonzero_params: Count | None = None
    macs: Count | None = None
    accuracy: Share | None = None
    accuracy_ci95: Interval | None = None
    validation_accuracy: Share | None = None
    drop_pp: Annotated[float, Field(ge=-100, le=100)] | None = None
    agreement: Share | None = None
    mcnemar_p: Share | None = None
    latency_us: Latency | None = None
    latency_ratio: Amount | None = None
    arena_bytes: Count | None = None
    ops: Ops | None = None
    seeds: Seeds | None = None

    @model_validator(mode="after")
    def _says_what_its_status_promises(self) -> Self:
        if self.status != "ok" and not self.reason:
            raise ValueError(f"variant {self.name} is {self.status}: its reason is missing")
        needed = ("file", "bytes", "accuracy", "accuracy_ci95")
        missing = [name for name in needed if getattr(self, name) is None]
        if self.status == "ok" and missing:
            raise ValueError(f"variant {self.name} is ok, yet lacks {', '.join(missing)}")
        return self

    @model_serializer(mode="wrap")
    def _leave_out_seeds_of_a_single_run(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        row: dict[str, Any] = serialize(self)
        if self.seeds is None:
            row.pop("seeds", None)
        return row


class Dataset(Record):
    """The pictures: class names, how many in each split, how many were set aside unread."""

    name: str
    classes: tuple[str, ...]
    train: Count
    validation: Count
    test: Count
    digest: str
    quarantined: Count = 0


class Model(Record):
    """The network that was trained."""

    name: str
    params: Count
    macs: Count | None = None


class Stage(Record):
    """One step of the run; `cached` ones cost the seconds of an earlier run."""

    name: str
    key: str
    seconds: Amount
    cached: bool


class ClassScore(Record):
    """How well one class is told from the others; `class` in json."""

    name: str = Field(alias="class")
    precision: Share
    recall: Share
    f1: Share
    support: Count


class Evaluation(Record):
    """The trained Keras model on the test split, before any shrinking."""

    split: Literal["test"] = "test"
    accuracy: Share
    accuracy_ci95: Interval
    loss: float | None = None
    per_class: tuple[ClassScore, ...]


class Training(Record):
    """How the model was fitted; `best_epoch` counts from 1."""

    epochs: Count
    best_epoch: Count
    seconds: Amount
    history: dict[str, tuple[float, ...]]


class Picture(Record):
    """A figure: `file` is a bare name inside `figures/`, `alt` says it to who cannot see it."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\.png$")]
    title: str
    alt: str


class Report(Record):
    """All that a run found out; `report.json` is this and nothing else."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    name: str
    id: str
    created: Annotated[AwareDatetime, AfterValidator(checks.utc)]
    seconds: Amount
    machine: Facts
    versions: dict[str, str]
    config: Facts
    dataset: Dataset
    model: Model
    variants: tuple[Variant, ...]
    recommended: str | None = None
    recommended_reason: str | None = None
    gates: tuple[Facts, ...] = ()
    stages: tuple[Stage, ...] = ()
    evaluation: Evaluation | None = None
    training: Training | None = None
    augmentation: tuple[Facts, ...] = ()
    figures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_point_at_rows(self) -> Self:
        checks.unique("variant", [variant.name for variant in self.variants])
        checks.unique("figure", [figure.file for figure in self.figures])
        if self.recommended is not None and self.best is None:
            raise ValueError(f"recommended {self.recommended} is not a variant that is ok")
        return self

    @property
    def best(self) -> Variant | None:
        """The row of the recommended variant."""
        rows = (row for row in self.variants if row.name == self.recommended and row.status == "ok")
        return next(rows, None)

    @property
    def reference(self) -> Variant | None:
        """The row every other is compared with."""
        rows = (row for row in self.variants if row.name == "float32" and row.status == "ok")
        return next(rows, None)

    def to_json(self) -> str:
        """The canonical text of `report.json`."""
        return _canonical(self.model_dump(mode="json"))


def json_schema() -> str:
    """The text of `docs/report.schema.json`, for readers in other languages."""
    return _canonical(Report.model_json_schema(by_alias=True))


def _canonical(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
