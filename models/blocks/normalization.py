"""Normalization by name."""

from collections.abc import Callable, Mapping
from typing import Any

from keras import layers

MOMENTUM = 0.9  # not Keras' 0.99: in a run of a few hundred steps that is still near its start
GROUPS = 8

NORMALIZATIONS: Mapping[str, Callable[[], layers.Layer]] = {
    "batch": lambda: layers.BatchNormalization(momentum=MOMENTUM),
    "layer": layers.LayerNormalization,
    "group": lambda: layers.GroupNormalization(groups=GROUPS),
    "instance": lambda: layers.GroupNormalization(groups=-1),
}


def normalize(x: Any, kind: str) -> Any:
    """Normalize feature maps `(B, H, W, C)` or features `(B, C)`; `none` returns them as they are.

    - `batch`: each channel over batch, height and width (Ioffe and Szegedy, 2015).
    - `layer`: each position over its channels (Ba, Kiros and Hinton, 2016).
    - `group`: each picture over height, width and a group of its channels (Wu and He, 2018): 8
      groups, or one where the channels are not so divisible.
    - `instance`: each channel of each picture over height and width (Ulyanov et al., 2016).

    Raises:
        ValueError: there is no such kind.
    """
    if kind == "none":
        return x
    if kind == "group" and x.shape[-1] % GROUPS:
        return layers.GroupNormalization(groups=1)(x)
    if kind not in NORMALIZATIONS:
        raise ValueError(f"normalization {kind!r}: known: none, {', '.join(NORMALIZATIONS)}")
    return NORMALIZATIONS[kind]()(x)
