"""What a variant's file computes in, operation by operation, as the report says it."""

from pydantic import Field

from pipeline.show import numbers
from pipeline.show.records import Count, Record


class Operation(Record):
    """One operation of a file, by its place in the order of execution; `scales` of its weights.

    `xnnpack`: whether that library computes it on the machine of the run.
    """

    number: Count
    code: str
    form: str
    given: tuple[str, ...]
    gives: tuple[str, ...]
    weights: str | None = None
    scales: Count = 0
    xnnpack: bool | None = None


class Port(Record):
    """An input or output of a file: real = scale * (stored - zero_point); 0.0 is no scale."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int


class Inside(Record):
    """What a file is by its own words: its form, and what of it computes where.

    `claimed` is the form its name says, if any. Of the operations that compute, `computing`,
    `xnnpack` are taken by that library; of the kernels with scales, `scaled`, `per_channel` have
    one for each channel. `problems` say why it is not what it is called, or what an app has to
    bring along.
    """

    form: str
    claimed: str | None = None
    computing: Count
    xnnpack: Count | None = None
    scaled: Count
    per_channel: Count
    zeros: float = Field(ge=0, le=1)
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    metadata: dict[str, Count] = Field({})
    operations: tuple[Operation, ...] = ()
    problems: tuple[str, ...] = ()


class Gate(Record):
    """A bound that a fact of a variant has to keep, and whether it does.

    `found` is the number, or the form of numbers; None where there is none, and `reason` says why.
    """

    name: str
    asked: str
    found: float | str | None = None
    passed: bool
    reason: str | None = None


def edge(port: Port) -> str:
    """An input or output in a cell, as `uint8 28×28×1`, and its scale where it has one."""
    shape = "×".join(map(str, port.shape[1:])) or "1"
    scale = (
        ""
        if not port.scale or (port.scale, port.zero_point) == (1.0, 0)
        else (f", {port.scale:.4g} × (n - {port.zero_point})")
    )
    return f"{port.dtype} {shape}{scale}"


def of(part: int | None, whole: int) -> str:
    """How many of how many; a dash where there are none, or nobody could tell."""
    return numbers.MISSING if part is None or not whole else f"{part} of {whole}"


def types(names: tuple[str, ...]) -> str:
    """The types of operands, each once."""
    return ", ".join(dict.fromkeys(names)) or numbers.MISSING


def taken(operation: Operation) -> str:
    """Whether XNNPACK computes an operation, in a cell."""
    if operation.xnnpack is None or operation.form == "constants":
        return numbers.MISSING
    return "yes" if operation.xnnpack else "no"


def bound(gate: Gate) -> str:
    """A gate in words, as `int8.drop_pp: 0.28, asked <= 1`; why it failed, if not by that."""
    found = gate.found
    told = numbers.word(found) if found is None or isinstance(found, str) else f"{found:,.6g}"
    why = f" ({gate.reason})" if gate.reason else ""
    return f"{gate.name}: {told}, asked {gate.asked}{why}"
