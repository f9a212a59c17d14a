"""What slimming changed, layer by layer and in sum."""

from dataclasses import asdict, dataclass
from typing import Any

import keras

from pipeline.compress.anatomy import Anatomy, Layer, anatomy


@dataclass(frozen=True)
class LayerChange:
    """A layer with weights: channels it gives, multiply-accumulates of all calls, parameters."""

    name: str
    kind: str
    channels: tuple[int, int]
    macs: tuple[int, int]
    params: tuple[int, int]


@dataclass(frozen=True)
class Summary:
    """A model before and after, multiply-accumulates a picture and parameters; pairs."""

    macs: tuple[int, int]
    params: tuple[int, int]
    layers: tuple[LayerChange, ...]

    def facts(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def summary(before: keras.Model, after: keras.Model) -> Summary:
    """Compare a model with what `rebuild` made of it; each is counted by itself.

    Raises:
        ConfigError: a side of the pictures a model takes is not known.
    """
    old, new = anatomy(before), anatomy(after)
    rows = {name: [_row(found, name) for found in (old, new)] for name in _weighted(old)}
    return Summary(
        macs=(old.macs, new.macs),
        params=(old.params, new.params),
        layers=tuple(
            LayerChange(
                name=name,
                kind=one[0].kind,
                channels=(_channels(one[0]), _channels(other[0])),
                macs=(sum(row.macs for row in one), sum(row.macs for row in other)),
                params=(sum(row.params for row in one), sum(row.params for row in other)),
            )
            for name, (one, other) in rows.items()
        ),
    )


def _channels(row: Layer) -> int:
    """What a layer says it makes; the last axis, where it makes what it takes."""
    return row.filters or row.output[-1]


def _weighted(found: Anatomy) -> list[str]:
    return list(dict.fromkeys(row.name for row in found.layers if row.params))


def _row(found: Anatomy, name: str) -> list[Layer]:
    return [row for row in found.layers if row.name == name]
