"""Quality gates: bounds that what a run measured has to keep, as `int8.drop_pp: "<= 1"`."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.lazy import nearest

# What a gate may be about: of a row of the report, the numbers that are better low or high.
FACTS = (
    "accuracy",
    "validation_accuracy",
    "drop_pp",
    "agreement",
    "bytes",
    "gzip_bytes",
    "params",
    "nonzero_params",
    "macs",
    "arena_bytes",
    "latency_us",
    "latency_ratio",
)
_BOUND = re.compile(r"(<=|>=|<|>)\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


class Gate(NamedTuple):
    """A variant's fact and the bound it has to keep: `fact` `sign` `bound` is to be true."""

    variant: str
    fact: str
    sign: str
    bound: float


def parse(said: Mapping[str, str]) -> tuple[Gate, ...]:
    """The gates of a recipe, in its order.

    Raises:
        ValueError: a key is no variant with a fact, or a value no bound.
    """
    found = []
    for key, bound in said.items():
        variant, dot, fact = key.rpartition(".")
        if not dot or not variant:
            raise ValueError(f"{key}: a variant and what of it, as in int8.drop_pp")
        if fact not in FACTS:
            raise ValueError(f"{key}: unknown fact {fact!r}: {nearest(fact, FACTS)}")
        parts = _BOUND.fullmatch(bound.strip())
        if parts is None:
            raise ValueError(f'{key}: a bound as in "<= 1", not {bound!r}')
        found.append(Gate(variant, fact, parts[1], float(parts[2].replace("_", ""))))
    return tuple(found)
