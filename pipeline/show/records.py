"""The ground every record of a report stands on: frozen, closed, finite."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from pipeline.show import checks

Share = Annotated[float, Field(ge=0, le=1)]
Interval = Annotated[tuple[Share, Share], AfterValidator(checks.low_before_high)]
Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Range = Annotated[tuple[Amount, Amount], AfterValidator(checks.low_before_high)]
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
