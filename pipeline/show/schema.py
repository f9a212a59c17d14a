"""report.json as types: what every report holds, checked when it is made and when it is read.

Shares are 0..1 and unrounded. Keys keep the order in which they stand here.
"""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from pipeline.show import checks
from pipeline.show.audit import Audit
from pipeline.show.aware import Aware
from pipeline.show.changes import TopK
from pipeline.show.doctor import Doctor
from pipeline.show.ensembles import Ensemble, Pupil
from pipeline.show.files import Gate
from pipeline.show.network import Layer, Side
from pipeline.show.pruning import Rounds, Sensitivity
from pipeline.show.records import Amount, Count, Facts, Interval, Record, Share
from pipeline.show.replicas import Replica, Seeds
from pipeline.show.slimming import Slimming
from pipeline.show.variant import Latency, Ops, Variant

__all__ = [
    "Attribution",
    "ClassScore",
    "Dataset",
    "Evaluation",
    "Latency",
    "Layer",
    "Model",
    "Ops",
    "Picture",
    "Replica",
    "Report",
    "Seeds",
    "Stage",
    "Training",
    "Variant",
    "json_schema",
]


class Dataset(Record):
    """The pictures: class names, how many in each split, how many were set aside, and the audit.

    `multi_label`: a picture may show none of the classes, one or several.
    """

    name: str
    classes: tuple[str, ...]
    multi_label: bool = False
    train: Count
    validation: Count
    test: Count
    digest: str
    quarantined: Count = 0
    audit: Audit | None = None


class Model(Record):
    """The network that was trained.

    `macs` is for one picture, `receptive_field` in pixels, height and width; `int8_bytes` is what
    the int8 file was expected to weigh before there was one. `layers` holds a row for each call
    of a layer; `uncounted` names those whose multiply-accumulates `macs` leaves out.
    """

    name: str
    params: Count
    macs: Count | None = None
    trainable: Count | None = None
    receptive_field: Side | None = None
    int8_bytes: Count | None = None
    uncounted: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()


class Stage(Record):
    """One step of the run, and the seconds it took when it ran."""

    name: str
    key: str
    seconds: Amount


class ClassScore(Record):
    """How well one class is told from the others; `class` in json.

    `average_precision` is of several labels a picture: the area under precision over recall.
    """

    name: str = Field(alias="class")
    precision: Share
    recall: Share
    f1: Share
    support: Count
    average_precision: Share | None = None


class Attribution(Record):
    """Where the Grad-CAM maps of `pictures` wrong test pictures come from.

    `layers` give the last feature maps of the network, of height and width `size`; without any,
    it has none of more than one place, and nothing is drawn. `score` is what the gradient is of.
    """

    layers: tuple[str, ...]
    size: tuple[Count, Count] | None = None
    score: Literal["logit", "log_probability"] | None = None
    pictures: Count


class Evaluation(Record):
    """The trained Keras model on the test split, before any shrinking.

    `calibration_error` and `top_k` are as of a variant.

    From `threshold` on, what is said of several labels a picture: `accuracy` is then exact match,
    the share of pictures with every class right at that threshold; `macro_f1` and
    `mean_average_precision` are means over classes, `micro_f1` is of all answers in one table,
    `hamming_loss` the share of answers that are wrong.
    """

    split: Literal["test"] = "test"
    accuracy: Share
    accuracy_ci95: Interval
    loss: float | None = None
    calibration_error: Share | None = None
    top_k: TopK | None = None
    threshold: Share | None = None
    macro_f1: Share | None = None
    micro_f1: Share | None = None
    mean_average_precision: Share | None = None
    hamming_loss: Share | None = None
    attribution: Attribution | None = None
    per_class: tuple[ClassScore, ...]


class Training(Record):
    """How the model was fitted; `best_epoch` counts from 1.

    `logs` is where TensorBoard finds the curves, in the folder of all runs' results.
    """

    epochs: Count
    best_epoch: Count
    seconds: Amount
    history: dict[str, tuple[float, ...]]
    logs: str | None = None


class Picture(Record):
    """A figure: `file` is a bare name inside `figures/`, `alt` says it to who cannot see it."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\.png$")]
    title: str
    alt: str


# Most runs lack some of these, and have no key for them.
_LISTS = (
    "replicas",
    "ensembles",
    "pupils",
    "slimmings",
    "sensitivities",
    "rounds",
    "aware",
    "doctors",
)


class Report(Record):
    """All that a run found out; `report.json` is this and nothing else.

    What is said of one model and of files is said of the first of the `replicas`, whose files are
    the ones published. `command` repeats the run, once `config` is saved as the file it names.
    """

    schema_version: Literal[1] = Field(default=1, alias="schema")
    name: str
    id: str
    created: Annotated[AwareDatetime, AfterValidator(checks.utc)]
    seconds: Amount
    machine: Facts
    versions: dict[str, str]
    config: Facts
    command: str | None = None
    dataset: Dataset
    model: Model
    variants: tuple[Variant, ...]
    recommended: str | None = None
    recommended_reason: str | None = None
    gates: tuple[Gate, ...] = ()
    stages: tuple[Stage, ...] = ()
    evaluation: Evaluation | None = None
    training: Training | None = None
    augmentation: tuple[Facts, ...] = ()
    figures: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()
    replicas: tuple[Replica, ...] = ()
    ensembles: tuple[Ensemble, ...] = ()
    pupils: tuple[Pupil, ...] = ()
    slimmings: tuple[Slimming, ...] = ()
    sensitivities: tuple[Sensitivity, ...] = ()
    rounds: tuple[Rounds, ...] = ()
    aware: tuple[Aware, ...] = ()
    doctors: tuple[Doctor, ...] = ()

    @model_validator(mode="after")
    def _names_point_at_rows(self) -> Self:
        names = [variant.name for variant in self.variants]
        checks.unique("variant", names)
        for one in self.replicas:
            if [row.name for row in one.variants] != names:
                raise ValueError(f"replica {one.number} has other variants than the report")
        checks.unique("figure", [figure.file for figure in self.figures])
        if self.recommended is not None and self.best is None:
            raise ValueError(f"recommended {self.recommended} is not a variant that is ok")
        return self

    @model_serializer(mode="wrap")
    def _leave_out_what_most_runs_lack(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        found: dict[str, Any] = serialize(self)
        for name in _LISTS:
            if not found.get(name):
                found.pop(name, None)
        return found

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

    @property
    def over(self) -> str:
        """What the run was repeated over, if it was: "seeds" or "folds"."""
        return "folds" if self.replicas and self.replicas[0].fold is not None else "seeds"

    def to_json(self) -> str:
        """The canonical text of `report.json`."""
        return _canonical(self.model_dump(mode="json"))


def json_schema() -> str:
    """The text of `docs/report.schema.json`, for readers in other languages."""
    return _canonical(Report.model_json_schema(by_alias=True))


def _canonical(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
