"""Changes: what a file gets right that float32 does not, and the other way round, by class."""

from typing import Annotated

from pydantic import Field

from pipeline.show.records import Count, Record, Share


class TopK(Record):
    """Share of test pictures whose class is among the `k` likeliest."""

    k: Annotated[int, Field(ge=1)]
    accuracy: Share


class ClassChange(Record):
    """A class, `class` in json: of the `pictures` that show it, what a file recognises otherwise.

    `gained` counts those that it alone recognises, `lost` those that float32 alone does; `drop_pp`
    is the recall lost in percentage points, none of a class that no picture shows.
    """

    name: str = Field(alias="class")
    pictures: Count
    gained: Count
    lost: Count
    drop_pp: Annotated[float, Field(ge=-100, le=100)] | None = None
