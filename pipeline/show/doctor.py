"""What the quantization doctor found in each int8 file, and what it did about it."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.show import files, numbers
from pipeline.show.records import Count, Record, Share

Points = Annotated[float, Field(ge=-100, le=100)]
Cause = Literal["weights", "range", "reading", "little"]
NAMED = 3  # operations a sentence names
EXPLAINED = (
    "Lost is on validation pictures, against the model each file is made of. Signal to noise holds "
    "what an operation gives in the int8 file against what it gives in float32, for training "
    "pictures, as a mean over channels: 40 dB are an error of a hundredth, at 0 dB nothing is "
    "left. Alone is that of the network's answers with this operation in integers and all others "
    "in float32."
)


class Examined(Record):
    """An operation of the float original, and signal to noise of what it gives, in decibels.

    `form` is what it computes in, in the file that was shipped. `alone_db` and `cause` are there
    where the plain file lost too much.
    """

    number: Count
    code: str
    layer: str
    form: str
    macs: Count
    before_db: float
    after_db: float
    alone_db: float | None = None
    weights_lost: Share | None = None
    rounding_db: float | None = None
    cause: Cause | None = None

    @property
    def leaf(self) -> str:
        """Its layer without the models around it."""
        return self.layer.rpartition("/")[2]


class Tried(Record):
    """A file that was made: `in_float` operations, `float_share` of multiply-accumulates."""

    in_float: Count
    float_share: Share
    accuracy: Share
    drop_pp: Points
    bytes: Count


class Spread(Record):
    """How often values of an operation's output lie in equal bins from `lowest` to `highest`."""

    number: Count
    lowest: float
    highest: float
    float32: tuple[Count, ...]
    stored: tuple[Count, ...]


class Doctor(Record):
    """An int8 file, by the variant's name, examined and if need be mended.

    `trials` begins with the plain file; `shipped` is the place of the one that is published, whose
    operations at the places `float_operations` compute in float32.
    """

    name: str
    accuracy: Share
    max_drop_pp: float
    max_float_share: Share
    kept: bool
    pictures: Count
    trials: Annotated[tuple[Tried, ...], Field(min_length=1)]
    shipped: Count
    float_operations: tuple[Count, ...]
    operations: tuple[Examined, ...]
    spreads: tuple[Spread, ...]

    @model_validator(mode="after")
    def _shipped_was_tried(self) -> Self:
        if self.shipped >= len(self.trials):
            raise ValueError(f"{self.name}: shipped {self.shipped} of {len(self.trials)} files")
        return self

    @property
    def before(self) -> Tried:
        """The plain int8 file."""
        return self.trials[0]

    @property
    def after(self) -> Tried:
        """The file that is published."""
        return self.trials[self.shipped]

    @property
    def ailing(self) -> bool:
        """Whether the plain file lost too much."""
        return self.before.drop_pp > self.max_drop_pp

    @property
    def mended(self) -> tuple[Examined, ...]:
        """The operations that stay in float32, the worst first."""
        found = [one for one in self.operations if one.form == "float32"]
        return tuple(sorted(found, key=_heard))

    @property
    def left(self) -> tuple[Examined, ...]:
        """Those in integers, the worst first, where the file loses too much as it is shipped."""
        found = [one for one in self.operations if one.form != "float32"]
        return () if self.kept else tuple(sorted(found, key=_heard))


def told(found: Doctor) -> list[str]:
    """What was found and done, in sentences."""
    lost = f"{found.before.drop_pp:.2f} points"
    allowed = f"{found.max_drop_pp:g} may be lost"
    if not found.ailing:
        return [f"{found.name} loses {lost} to its integers; {allowed}. It is as it comes."]
    after = found.after
    stay = "stays" if after.in_float == 1 else "stay"
    treated = (
        f"{files.of(after.in_float, len(found.operations))} operations {stay} in float32, "
        f"{numbers.percent(after.float_share, 0)} of the multiply-accumulates: it loses "
        f"{after.drop_pp:.2f} points and weighs {numbers.size(after.bytes)} in place of "
        f"{numbers.size(found.before.bytes)}."
    )
    lines = [f"{found.name} lost {lost} to its integers; {allowed}."]
    if found.kept:
        return [f"{lines[0]} {treated}", _worst("The worst", found.mended)]
    lines[0] += " That cannot be held."
    if after.in_float:
        lines[0] += f" {treated}"
    limit = numbers.percent(found.max_float_share, 0)
    lines[0] += (
        f" No more than {limit} of the multiply-accumulates may stay in float32 "
        "(quantize.max_float_share)."
    )
    return [*lines, _worst("The worst that is left", found.left)]


def why(one: Examined) -> str:
    """Why an operation is heard, in a cell."""
    lost = numbers.percent(one.weights_lost, 0)
    left = "" if one.rounding_db is None else f" rounding alone leaves {one.rounding_db:.0f} dB"
    return {
        "weights": f"a few large weights set the scale: {lost} of the others become zero",
        "range": f"a few large values set the scale of its output:{left}",
        "reading": "reads what such a scale has crushed",
        "little": "no single cause: small errors add up",
        None: numbers.MISSING,
    }[one.cause]


def decibels(value: float | None) -> str:
    """Signal to noise in a cell."""
    return numbers.MISSING if value is None else f"{value:.1f} dB"


def notes(found: Sequence[Doctor]) -> tuple[str, ...]:
    """What nobody who ships a file should miss."""
    said = []
    for one in found:
        if not one.kept:
            said.append(
                f"{one.name} loses {one.after.drop_pp:.2f} points of validation accuracy to its "
                f"integers, and {one.max_drop_pp:g} were allowed: see the quantization doctor."
            )
        elif one.ailing:
            said.append(
                f"{one.name} is not all integers: {_operations(one.after.in_float)} in float32, "
                f"or it would lose {one.before.drop_pp:.2f} points of validation accuracy: see the "
                "quantization doctor."
            )
    return tuple(said)


def drawn(found: Sequence[Doctor]) -> list[Doctor]:
    """Those with figures: all that were ailing, and one that was well, plain int8 if it was."""
    well = [one for one in found if not one.ailing]
    shown = next((one for one in well if one.name == "int8"), well[0] if well else None)
    return [one for one in found if one.ailing or one is shown]


def _operations(count: int) -> str:
    return "1 operation stays" if count == 1 else f"{numbers.count(count)} operations stay"


def _worst(begin: str, found: Sequence[Examined]) -> str:
    told = [f"{one.code} of {one.layer} ({why(one)})" for one in found[:NAMED]]
    return f"{begin}: {'; '.join(told)}."


def _heard(one: Examined) -> float:
    return one.before_db if one.alone_db is None else one.alone_db
