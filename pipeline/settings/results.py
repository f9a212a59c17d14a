"""What is made of the networks, looked at, timed and recommended."""

from collections.abc import Mapping
from operator import not_
from typing import Literal

from pydantic import Field

from pipeline.choices import Count, NotNegative, Share
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
    # Of a file that keeps its budget, as most do, nothing depends on these.
    max_drop_pp: NotNegative = Field(
        1.0, description="points of validation accuracy that an int8 file may lose against the "
        "model it is made of; if it loses more its worst operations stay in float32. 100 leaves "
        "each as it comes", exclude_if=lambda said: said == 1.0
    )  # fmt: skip
    max_float_share: Share = Field(
        0.75, description="share of the multiply-accumulates that may stay in float32 for that",
        exclude_if=lambda said: said == 0.75
    )  # fmt: skip


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
    license: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.+-]*$",
        description="of the files, for the model card: a word that model hubs know, as "
        "`apache-2.0` or `cc-by-4.0`; none is said otherwise",
    )
    config: Options = Field({})  # the whole recipe
    problems: Mapping[str, Mapping[str, str]] = Field({})  # status and reason, by variant
    replicas: tuple[Mapping[str, int | None], ...] = ()  # seed and fold of each; none of one run
