"""What every section has, and the names and types that sections share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Whole = Annotated[int, Field(strict=True, ge=0)]
SEEDS = 10**9  # seeds lie below it
Seed = Annotated[int, Field(strict=True, ge=0, lt=SEEDS)]
Options = Mapping[str, Any]
Metrics = Mapping[str, Any]  # what a stage says of its work: a few figures for the log
Inputs = Mapping[str, Path]  # folders of a stage's inputs, by role

REFERENCE = "float32"  # the variant every other is compared with
AUDIT = "audit.json"  # what ingest says of the pictures: for the report, and no other stage
THRESHOLD = 0.5  # from which an output counts as yes, where a picture may show several classes
LAYERS = "layers.json"  # what build says of the network: likewise
LOGS = "logs"  # a stage's folder of this name counts in no digest: it may hold times
CHECKPOINTS = "checkpoints"  # a stage's folder of this name outlives a stage that did not finish


def nth(name: str, replica: int) -> str:
    """What a step or a variant is called in a replica of a run, from 1: `train`, `train#2`."""
    return name if replica == 1 else f"{name}#{replica}"


class Section(BaseModel):
    """Settings of one stage.

    Those in `given` are filled in by the engine, not by a recipe; those in `inherited` come from
    the section `train` where the recipe does not say.
    """

    given: ClassVar[frozenset[str]] = frozenset({"seed"})
    inherited: ClassVar[frozenset[str]] = frozenset()
    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: Seed = Field(0, description="decides everything random in this stage")
