"""What is made of the networks, looked at, timed and recommended."""

from collections.abc import Mapping
from operator import not_
from typing import Literal

from pydantic import Field

from pipeline.choices import Count, NotNegative
from pipeline.settings.base import Options, Section, Whole


class Evaluate(Section):
    """What is looked at on the test split."""

    batch: Count = Field(256, description="pictures a step; changes speed, not results")
    pictures: Count = Field(24, description="pictures in the figures of wrong and unsure ones")
    bars: Count = Field(8, description="pictures shown beside their probability bars")
    grad_cam: Whole = Field(
        8, description="wrong pictures shown beside where the network looked; 0: none"
    )
    feature_maps: Whole = Field(
        2, description="pictures shown beside what layers make of them, right and wrong; 0: none"
    )


class Quantize(Section):
    """The numeric form of a deployed file; `format` is the variant's last word."""

    given = frozenset({"seed", "format", "untrained"})
    format: str = "float32"
    # Of a network as built, whose file is only weighed and timed; no other's key is to know of it.
    untrained: bool = Field(False, exclude_if=not_)
    io: Literal["uint8", "int8"] = Field("uint8", description="pixels in: raw bytes, or int8 in "
                                         "and out for microcontrollers")  # fmt: skip
    calibration_images: Count = Field(256, description="training pictures that set the ranges")


class Export(Section):
    """SavedModel and the deployed files, each compared before it counts."""

    pictures: Count = Field(64, description="validation pictures compared")


class Benchmark(Section):
    """How latency is measured.

    The engine gives `rounds` 0 to replicas of a run: of their files the accuracy alone is of use.
    """

    threads: Count = Field(1, description="threads of LiteRT; fixed when a file is loaded")
    most_threads: Count | None = Field(
        None, description="as many as this are tried too, one by one; default: all cores, up to 4"
    )
    warmup: Whole = Field(50, description="runs before any is timed")
    rounds: Count = Field(20, description="times all variants take turns")
    runs: Count = Field(50, description="timed runs of one variant in a round")


class Report(Section):
    """What the report recommends."""

    given = frozenset({"seed", "config", "problems", "replicas"})
    max_drop_pp: NotNegative = Field(
        1.0, description="points of validation accuracy the recommended file may lose"
    )
    config: Options = Field({})  # the whole recipe
    problems: Mapping[str, Mapping[str, str]] = Field({})  # status and reason, by variant
    replicas: tuple[Mapping[str, int | None], ...] = ()  # seed and fold of each; none of one run
