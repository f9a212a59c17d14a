"""The statistics of batch normalization, taken anew where the weights before it have changed."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import keras

BATCHES = 50  # that they are taken over


def settle(model: keras.Model, batches: Callable[[], Any]) -> None:
    """Take the statistics of batch normalization anew, each batch of training counting the same.

    `batches` makes them, each of images `(B, H, W, C)` and whatever follows; a model without such
    a layer asks for none. Layers that are frozen keep theirs.

    Source: Wu and Johnson, 2021, "Rethinking 'batch' in BatchNorm", sect. 3.
    """
    norms = [one for one in _flat(model) if isinstance(one, keras.layers.BatchNormalization)]
    usual = [norm.momentum for norm in norms]
    try:
        for number, (images, *_) in enumerate(islice(batches(), BATCHES) if norms else ()):
            for norm in norms:
                norm.momentum = number / (number + 1)
            model(images, training=True)
    finally:
        for norm, momentum in zip(norms, usual, strict=True):
            norm.momentum = momentum


def _flat(model: keras.Model) -> list[Any]:
    return [one for one in model._flatten_layers() if not isinstance(one, keras.Model)]
