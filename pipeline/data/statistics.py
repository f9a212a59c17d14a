"""Statistics of the training pictures, in one pass and bounded memory."""

import numpy as np
from numpy.typing import NDArray

from pipeline.data.sources import Images

CHUNK = 4096


def channel_statistics(images: Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of each channel, `(C,)` each, in pixels 0..255 and their squares.

    Sums are whole numbers in 64 bits, so the result does not depend on the size of the pieces.
    """
    total = np.zeros(images.shape[-1], np.int64)
    squares = np.zeros_like(total)
    for start in range(0, len(images), CHUNK):
        pixels = images[start : start + CHUNK].astype(np.int64)
        total += pixels.sum(axis=(0, 1, 2))
        squares += np.square(pixels).sum(axis=(0, 1, 2))
    count = images.size // images.shape[-1]
    mean = total / count
    return mean, squares / count - np.square(mean)
