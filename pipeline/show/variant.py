"""A row of the table of variants: one file for a phone and all that was measured of it."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from pipeline.show.changes import ClassChange, TopK
from pipeline.show.controls import Control
from pipeline.show.files import Inside
from pipeline.show.kernels import Kernel
from pipeline.show.records import Amount, Count, Interval, Range, Record, Share
from pipeline.show.replicas import Seeds


class Latency(Record):
    """Time of one `invoke` in microseconds over `runs` timed runs.

    `cold_start` is from opening the file to its first answer, in a process that has computed
    nothing yet.
    """

    p50: Amount
    p90: Amount
    p99: Amount
    threads: Annotated[int, Field(ge=1)]
    runs: Annotated[int, Field(ge=1)]
    cold_start: Amount | None = None


class Threads(Record):
    """The median time of one `invoke` in microseconds with so many threads."""

    threads: Annotated[int, Field(ge=1)]
    p50: Amount


class Ops(Record):
    """How many operators of the file compute in which number format."""

    int8: Count
    float32: Count
    other: Count


class Variant(Record):
    """One way of shrinking the model; a row that is not `ok` says why in `reason`.

    `drop_pp`, `agreement`, `mcnemar_p` and `latency_ratio` are against `float32`,
    so are `gained`, pictures that this file alone gets right, `lost`, those that `float32` alone
    does, and the same by class, `classes`. `calibration_error` is the expected one (ECE) in 15
    bins, `top_k` is there where there are more classes than `k`. `latency_ratio_range` is the
    middle half of that ratio over the rounds of timing. `kernels` are listed where the model had
    zeros or clusters to keep, `controls` where such were trained.
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
    gained: Count | None = None
    lost: Count | None = None
    calibration_error: Share | None = None
    top_k: TopK | None = None
    latency_us: Latency | None = None
    latency_ratio: Amount | None = None
    latency_ratio_range: Range | None = None
    latency_by_threads: tuple[Threads, ...] = ()
    arena_bytes: Count | None = None
    ops: Ops | None = None
    audit: Inside | None = None
    seeds: Seeds | None = None
    kernels: tuple[Kernel, ...] = ()
    controls: tuple[Control, ...] = ()
    classes: tuple[ClassChange, ...] = ()

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
    def _leave_out_what_it_has_not(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        row: dict[str, Any] = serialize(self)
        lists = ("latency_by_threads", "kernels", "controls", "classes")
        for key in (*lists, "seeds", "audit", "top_k"):
            if not getattr(self, key):
                row.pop(key, None)
        return row
