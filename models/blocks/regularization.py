"""Regularization by name: units left out while training, and penalties on kernels."""

from typing import Any

import keras
from keras import layers

DROPOUTS = ("dropout", "spatial_dropout")


def drop(x: Any, rate: float, kind: str = "dropout", name: str | None = None) -> Any:
    """Leave out a share of `x` while training; a rate of 0 adds no layer.

    `dropout` leaves out single values (Srivastava et al., 2014), `spatial_dropout` whole channels
    of `(B, H, W, C)` (Tompson et al., 2015).

    Raises:
        ValueError: there is no such kind, or the rate is not in 0..1.
    """
    if kind not in DROPOUTS:
        raise ValueError(f"dropout {kind!r}: known: {', '.join(DROPOUTS)}")
    if rate == 0:
        return x
    layer = layers.Dropout if kind == "dropout" else layers.SpatialDropout2D
    return layer(rate, name=name)(x)


def penalty(l1: float = 0.0, l2: float = 0.0) -> keras.regularizers.Regularizer | None:
    """Return the penalty `l1 * sum |w| + l2 * sum w^2` for a kernel, or `None` where both are 0."""
    return keras.regularizers.L1L2(l1, l2) if l1 or l2 else None
